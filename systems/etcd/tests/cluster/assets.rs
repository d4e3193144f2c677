//! A fleet's part, by hand: seats, readings, and what came of them.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use model::{
    Identity, Micros, NodeId, NodeIndex, Outcome, ShardId, Sighting, envelope::Envelope,
    plan::Shows,
};
use seams::{
    Batch, Clock, ConnId, ConnectRequest, Disconnect, Lane, Origin, Outgoing, Progress,
    SightingSink, Vantage,
};
use tokio::task::JoinHandle;

use crate::lab::{Cluster, until, within};

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    pub(crate) at: Micros,
    pub(crate) by: Option<NodeIndex>,
    pub(crate) position: Option<u64>,
}

pub(crate) struct Assets {
    lane: Box<dyn Lane>,
    run: u64,
    pub(crate) clock: Clock,
    next: u32,
    /// Connects of each asset so far.
    asked: BTreeMap<u32, u32>,
    /// Everything the lane said, in order.
    pub(crate) said: Vec<Progress>,
}

impl Assets {
    pub(crate) fn new(cluster: &Cluster) -> Self {
        let clock = Clock::new(tokio::time::Instant::now());
        let lane = cluster.driver.lane(cluster.network.clone(), clock.clone());
        Self { lane, run: cluster.site.run, clock, next: 0, asked: BTreeMap::new(), said: vec![] }
    }

    pub(crate) fn connect(&mut self, cluster: &Cluster, asset: u32, node: &NodeId) {
        self.connect_from(cluster, asset, node, node);
    }

    /// From the cell beside one node to the region of another.
    pub(crate) fn connect_from(
        &mut self,
        cluster: &Cluster,
        asset: u32,
        beside: &NodeId,
        node: &NodeId,
    ) {
        let from = Origin::cell(&cluster.cell(beside), asset);
        let asked = self.asked.entry(asset).or_default();
        let request = ConnectRequest {
            conn: ConnId(asset),
            assets: asset..asset + 1,
            from,
            region: cluster.region(node),
            attempt: *asked,
        };
        *asked += 1;
        self.lane.connect(&[request]);
    }

    pub(crate) fn disconnect(&mut self, asset: u32, how: Disconnect) {
        self.lane.disconnect(ConnId(asset), how);
    }

    /// Connects and waits for it.
    pub(crate) async fn up(&mut self, cluster: &Cluster, asset: u32, node: &NodeId) {
        self.connect(cluster, asset, node);
        let node = cluster.site.topology.indices()[node];
        let stands = Progress::Up { conn: ConnId(asset), node };
        self.hear("the asset is up", |said| said.contains(&stands).then_some(())).await;
    }

    pub(crate) fn identity(asset: u32, seq: u64) -> Identity {
        Identity { asset, stream: 0, boot: 1, seq }
    }

    pub(crate) fn payload(&self, identity: Identity) -> Vec<u8> {
        let generated = self.clock.now();
        let envelope = Envelope {
            run: self.run,
            identity,
            attempt: 1,
            stored: false,
            generated,
            device_time: generated,
        };
        let mut payload = vec![];
        envelope.write(100, &mut payload);
        payload
    }

    /// Hands one attempt over, and returns its ticket.
    pub(crate) fn send(&mut self, identity: Identity, attempt: u16) -> u32 {
        let payload = self.payload(identity);
        self.send_bytes(identity, attempt, &payload)
    }

    pub(crate) fn send_bytes(&mut self, identity: Identity, attempt: u16, payload: &[u8]) -> u32 {
        let ticket = self.next;
        self.next += 1;
        let (conn, length) = (ConnId(identity.asset), payload.len() as u32);
        let reading = Outgoing { ticket, conn, identity, attempt, start: 0, length };
        let (arena, mut refused) = (Bytes::copy_from_slice(payload), vec![]);
        self.lane.submit(Batch { readings: &[reading], arena: &arena }, &mut refused);
        assert!(refused.is_empty(), "a session takes everything");
        ticket
    }

    /// Drives the lane until what it said holds an answer.
    pub(crate) async fn hear<T>(
        &mut self,
        what: &str,
        answer: impl Fn(&[Progress]) -> Option<T>,
    ) -> T {
        within(what, async {
            loop {
                if let Some(found) = answer(&self.said) {
                    return found;
                }
                poll_fn(|cx| self.lane.poll(cx, &mut self.said)).await;
            }
        })
        .await
    }

    pub(crate) async fn done(&mut self, ticket: u32) -> Done {
        self.hear("the reading is answered", |said| {
            said.iter().find_map(|progress| match progress {
                Progress::Done { ticket: of, outcome, at, by, position } if *of == ticket => {
                    Some(Done { outcome: *outcome, at: *at, by: *by, position: *position })
                }
                _ => None,
            })
        })
        .await
    }

    /// Sends readings one after the other; every one must be acked. Returns who lies where.
    pub(crate) async fn acked(
        &mut self,
        asset: u32,
        seqs: std::ops::Range<u64>,
    ) -> Vec<(Identity, u64)> {
        let mut acked = vec![];
        for seq in seqs {
            let identity = Self::identity(asset, seq);
            let ticket = self.send(identity, 1);
            let done = self.done(ticket).await;
            assert_eq!(done.outcome, Outcome::Acked, "{identity:?}");
            acked.push((identity, done.position.expect("an ack names its revision")));
        }
        acked
    }

    pub(crate) async fn down(&mut self, asset: u32) -> &'static str {
        self.hear("the asset is down", |said| {
            said.iter().find_map(|progress| match progress {
                Progress::Down { conn, why } if conn.0 == asset => Some(*why),
                _ => None,
            })
        })
        .await
    }
}

/// Keeps what an observer saw.
#[derive(Default)]
pub(crate) struct Notebook {
    pub(crate) saw: Mutex<Vec<Sighting>>,
    pub(crate) passed: Mutex<u64>,
    pub(crate) blind: Mutex<Vec<(Micros, Micros)>>,
}

impl SightingSink for Notebook {
    fn saw(&self, sighting: Sighting) {
        self.saw.lock().expect("no test panicked").push(sighting);
    }
    fn passed(&self, shard: &ShardId, position: u64) {
        assert_eq!(shard.as_str(), "etcd");
        let mut passed = self.passed.lock().expect("no test panicked");
        assert!(*passed < position, "passing goes forward");
        *passed = position;
    }
    fn blind(&self, from: Micros, to: Micros) {
        assert!(from <= to);
        self.blind.lock().expect("no test panicked").push((from, to));
    }
}

impl Notebook {
    /// Who was seen where, in order of position.
    pub(crate) fn places(&self) -> Vec<(Identity, u64)> {
        let saw = self.saw.lock().expect("no test panicked");
        let mut places: Vec<_> = saw
            .iter()
            .map(|sighting| (sighting.identity, sighting.position.expect("a revision")))
            .collect();
        places.sort_by_key(|place| place.1);
        places
    }

    pub(crate) async fn passed(&self, position: u64) {
        until("the watch passes the position", || async {
            (*self.passed.lock().expect("no test panicked") >= position).then_some(())
        })
        .await;
    }

    pub(crate) fn blinks(&self) -> usize {
        self.blind.lock().expect("no test panicked").len()
    }
}

pub(crate) fn vantage(cluster: &Cluster, node: &NodeId, clock: &Clock) -> Vantage {
    let cell = cluster.cell(node);
    Vantage {
        origin: Origin::cell(&cell, 0),
        region: cluster.region(node),
        cell,
        shows: Shows::Log,
        clock: clock.clone(),
    }
}

/// Watches in a task until it is aborted.
pub(crate) fn watch(
    cluster: &Cluster,
    node: &NodeId,
    clock: &Clock,
) -> (Arc<Notebook>, JoinHandle<()>) {
    let sink = Arc::new(Notebook::default());
    let (observer, network, vantage, shown) = (
        cluster.observer.clone(),
        cluster.network.clone(),
        vantage(cluster, node, clock),
        sink.clone(),
    );
    let task = tokio::spawn(async move {
        let gave_up = observer.watch(network, vantage, shown).await;
        panic!("a watch goes on for ever: {gave_up}");
    });
    (sink, task)
}

/// Everything that a member holds of the run.
pub(crate) async fn read_back(
    cluster: &Cluster,
    node: &NodeId,
    clock: &Clock,
) -> (Vec<(Identity, u64)>, BTreeMap<ShardId, u64>) {
    let sink = Arc::new(Notebook::default());
    let vantage = vantage(cluster, node, clock);
    let end = cluster
        .observer
        .read_back(cluster.network.clone(), &vantage, sink.clone())
        .await
        .expect("the member answers");
    (sink.places(), end)
}

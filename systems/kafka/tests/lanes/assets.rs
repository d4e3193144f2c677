//! A fleet's part, by hand: seats, readings, and what came of them.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
};

use bytes::Bytes;
use kit::within;
use model::{Identity, Micros, NodeIndex, Outcome, ShardId, Sighting, envelope::Envelope};
use seams::{
    Batch, Clock, ConnId, ConnectRequest, Driver, Lane, Network, Origin, Outgoing, Progress,
    SightingSink,
};

pub(crate) const RUN: u64 = 77;

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    pub(crate) by: Option<NodeIndex>,
    pub(crate) position: Option<u64>,
}

pub(crate) struct Assets {
    lane: Box<dyn Lane>,
    pub(crate) clock: Clock,
    next: u32,
    /// Connects of each asset so far.
    asked: BTreeMap<u32, u32>,
    /// Everything the lane said, in order.
    pub(crate) said: Vec<Progress>,
}

impl Assets {
    pub(crate) fn new(driver: &dyn Driver, network: Arc<dyn Network>) -> Self {
        let clock = Clock::new(tokio::time::Instant::now());
        let lane = driver.lane(network, clock.clone());
        Self { lane, clock, next: 0, asked: BTreeMap::new(), said: vec![] }
    }

    pub(crate) fn connect(&mut self, asset: u32) {
        let asked = self.asked.entry(asset).or_default();
        let request = ConnectRequest {
            conn: ConnId(asset),
            assets: asset..asset + 1,
            from: Origin::cell(&"c1".into(), asset),
            region: "r1".into(),
            attempt: *asked,
        };
        *asked += 1;
        self.lane.connect(&[request]);
    }

    /// Connects and waits for it; returns the node at the other side.
    pub(crate) async fn up(&mut self, asset: u32) -> NodeIndex {
        let before = self.said.len();
        self.connect(asset);
        self.hear("the asset is up", |said| {
            said[before..].iter().find_map(|said| match said {
                Progress::Up { conn, node } if conn.0 == asset => Some(*node),
                _ => None,
            })
        })
        .await
    }

    /// The reason of the latest end of its connection.
    pub(crate) async fn down(&mut self, asset: u32) -> &'static str {
        self.hear("the asset is down", |said| {
            said.iter().rev().find_map(|said| match said {
                Progress::Down { conn, why } if conn.0 == asset => Some(*why),
                _ => None,
            })
        })
        .await
    }

    pub(crate) fn identity(asset: u32, seq: u64) -> Identity {
        Identity { asset, stream: 0, boot: 1, seq }
    }

    pub(crate) fn payload(&self, identity: Identity) -> Vec<u8> {
        let generated = self.clock.now();
        let envelope = Envelope {
            run: RUN,
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

    /// Drives the lane once, and lets others have their turn.
    pub(crate) async fn turn(&mut self) {
        poll_fn(|cx| {
            let _said = self.lane.poll(cx, &mut self.said);
            Poll::Ready(())
        })
        .await;
        tokio::task::yield_now().await;
    }

    pub(crate) async fn done(&mut self, ticket: u32) -> Done {
        self.hear("the reading is answered", |said| answers(said, ticket).into_iter().next()).await
    }

    /// Every answer that the lane has told of a ticket so far.
    pub(crate) fn answers(&self, ticket: u32) -> Vec<Done> {
        answers(&self.said, ticket)
    }

    /// Sends one reading; it must be acked. Returns where it lies.
    pub(crate) async fn acked(&mut self, asset: u32, seq: u64) -> (Identity, u64) {
        let identity = Self::identity(asset, seq);
        let ticket = self.send(identity, 1);
        let done = self.done(ticket).await;
        assert_eq!(done.outcome, Outcome::Acked, "{identity:?}");
        (identity, done.position.expect("an ack names its offset"))
    }
}

fn answers(said: &[Progress], ticket: u32) -> Vec<Done> {
    let of_ticket = said.iter().filter_map(|progress| match progress {
        Progress::Done { ticket: of, outcome, by, position, .. } if *of == ticket => {
            Some(Done { outcome: *outcome, by: *by, position: *position })
        }
        _ => None,
    });
    of_ticket.collect()
}

/// Keeps what an observer saw.
#[derive(Default)]
pub(crate) struct Notebook {
    saw: Mutex<Vec<Sighting>>,
    passed: Mutex<BTreeMap<ShardId, u64>>,
}

impl SightingSink for Notebook {
    fn saw(&self, sighting: Sighting) {
        self.saw.lock().expect("no test panicked").push(sighting);
    }
    fn passed(&self, shard: &ShardId, position: u64) {
        let before = self.passed.lock().expect("no test panicked").insert(shard.clone(), position);
        assert!(before < Some(position), "passing goes forward");
    }
    fn blind(&self, from: Micros, to: Micros) {
        assert!(from <= to);
    }
}

impl Notebook {
    pub(crate) fn saw(&self) -> Vec<Sighting> {
        self.saw.lock().expect("no test panicked").clone()
    }

    /// Who was seen where, in order.
    pub(crate) fn places(&self) -> Vec<(Identity, u64)> {
        let saw = self.saw();
        let mut places: Vec<_> = saw
            .iter()
            .map(|sighting| (sighting.identity, sighting.position.expect("an offset")))
            .collect();
        places.sort_unstable();
        places
    }

    pub(crate) fn has_passed(&self, shard: &ShardId, position: u64) -> bool {
        self.passed.lock().expect("no test panicked").get(shard) >= Some(&position)
    }
}

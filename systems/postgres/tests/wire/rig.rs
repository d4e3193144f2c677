//! A fleet's part, by hand, on loopback: each node has an address of its own in 127.0.0.0/8, so that the port is PostgreSQL's own.

use std::{
    future::{Future, poll_fn},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use kit::within;
use model::{
    Identity, Micros, NodeId, NodeIndex, Outcome, RegionId, ServiceId, ShardId, Sighting, Topology,
    envelope::Envelope, plan::Shows, topology,
};
use seams::{
    Batch, Clock, ConnId, ConnectRequest, Lane, Network, Observer, Origin, Outgoing, Progress,
    SightingSink, Site, Vantage,
};
use serde_json::Value;
use tokio::net::{TcpStream, UdpSocket};
use wetdress_postgres::SYSTEM;

/// Runs a test as a sending thread would.
pub(crate) fn rehearse(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(tokio::task::LocalSet::new().run_until(test));
}

#[derive(Debug)]
pub(crate) struct Loopback(Arc<Topology>);

#[async_trait]
impl Network for Loopback {
    fn address(&self, node: &NodeId, port: u16) -> SocketAddr {
        (self.0.nodes[node].address, port).into()
    }

    #[allow(clippy::disallowed_methods, reason = "this is the test's network")]
    async fn tcp(&self, _from: &Origin, to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }

    async fn udp(&self, _from: &Origin) -> io::Result<UdpSocket> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Nodes `n1`, `n2` ..., one in each of the regions `r1`, `r2` ..., at addresses that no other test has.
pub(crate) fn site(nodes: u8) -> Site {
    static TAKEN: AtomicU8 = AtomicU8::new(0);
    let pid = std::process::id();
    let net = TAKEN.fetch_add(4, Ordering::Relaxed);
    let mut topology = Topology::default();
    for number in 1..=nodes {
        let region = RegionId::from(format!("r{number}"));
        let address = Ipv4Addr::new(127, 64 + (pid >> 8) as u8 % 128, pid as u8, net + number);
        let services = [ServiceId::from("registry")].into();
        let node = topology::Node { region: region.clone(), zone: None, services, address };
        topology.regions.insert(region, topology::Region::default());
        topology.nodes.insert(NodeId::from(format!("n{number}")), node);
    }
    Site {
        service: "registry".into(),
        topology: Arc::new(topology),
        run: 77,
        seed: 1,
        keyring: Default::default(),
    }
}

pub(crate) fn network(site: &Site) -> Arc<Loopback> {
    Arc::new(Loopback(site.topology.clone()))
}

pub(crate) fn observer(site: &Site) -> Arc<dyn Observer> {
    let kind = SYSTEM.observers.find("sql").expect("it is there");
    (kind.make)(&serde_json::json!({"poll": "10ms"}), site).expect("the parameters are right")
}

pub(crate) fn vantage(region: &str, shows: Shows, clock: &Clock) -> Vantage {
    let cell = "c".into();
    let origin = Origin::cell(&cell, 0);
    Vantage { origin, region: region.into(), cell, shows, clock: clock.clone() }
}

pub(crate) struct Assets {
    lane: Box<dyn Lane>,
    pub(crate) clock: Clock,
    tickets: u32,
    asked: u32,
    said: Vec<Progress>,
}

/// What became of one attempt.
pub(crate) type Done = (Outcome, Option<NodeIndex>);

impl Assets {
    pub(crate) fn new(site: &Site, params: &Value) -> Self {
        let clock = Clock::new(tokio::time::Instant::now());
        let kind = SYSTEM.drivers.find("sql").expect("it is there");
        let driver = (kind.make)(params, site).expect("the parameters are right");
        let lane = driver.lane(network(site), clock.clone());
        Self { lane, clock, tickets: 0, asked: 0, said: vec![] }
    }

    pub(crate) fn connect(&mut self, asset: u32) {
        let request = ConnectRequest {
            conn: ConnId(asset),
            assets: asset..asset + 1,
            from: Origin::cell(&"c".into(), asset),
            region: "r1".into(),
            attempt: self.asked,
        };
        self.asked += 1;
        self.said.retain(|said| !matches!(said, Progress::Up { conn, .. } | Progress::Down { conn, .. } if conn.0 == asset));
        self.lane.connect(&[request]);
    }

    /// Connects and waits for it; the node at the other side.
    pub(crate) async fn up(&mut self, asset: u32) -> NodeIndex {
        self.connect(asset);
        self.hear("the asset is up", |said| match said {
            Progress::Up { conn, node } if conn.0 == asset => Some(*node),
            _ => None,
        })
        .await
    }

    pub(crate) async fn down(&mut self, asset: u32) -> &'static str {
        self.hear("the asset is down", |said| match said {
            Progress::Down { conn, why } if conn.0 == asset => Some(*why),
            _ => None,
        })
        .await
    }

    pub(crate) fn identity(asset: u32, seq: u64) -> Identity {
        Identity { asset, stream: 0, boot: 1, seq }
    }

    /// Hands one attempt over, and returns its ticket.
    pub(crate) fn send(&mut self, identity: Identity, number: u16) -> u32 {
        let ticket = self.tickets;
        self.tickets += 1;
        let generated = self.clock.now();
        let envelope = Envelope {
            run: 77,
            identity,
            attempt: number,
            stored: false,
            generated,
            device_time: generated,
        };
        let mut payload = vec![];
        envelope.write(100, &mut payload);
        let (conn, length) = (ConnId(identity.asset), payload.len() as u32);
        let reading = Outgoing { ticket, conn, identity, attempt: number, start: 0, length };
        let (arena, mut refused) = (Bytes::from(payload), vec![]);
        self.lane.submit(Batch { readings: &[reading], arena: &arena }, &mut refused);
        assert!(refused.is_empty(), "a session takes everything");
        ticket
    }

    pub(crate) async fn done(&mut self, ticket: u32) -> Done {
        self.hear("the reading is answered", |said| match said {
            Progress::Done { ticket: of, outcome, by, .. } if *of == ticket => {
                Some((*outcome, *by))
            }
            _ => None,
        })
        .await
    }

    /// Sends one reading and waits for its ack.
    pub(crate) async fn acked(&mut self, identity: Identity) {
        let ticket = self.send(identity, 1);
        assert_eq!(self.done(ticket).await.0, Outcome::Acked, "{identity:?}");
    }

    /// Drives the lane until something that it said is an answer.
    async fn hear<T>(&mut self, what: &str, answer: impl Fn(&Progress) -> Option<T>) -> T {
        within(what, async {
            loop {
                if let Some(found) = self.said.iter().find_map(&answer) {
                    return found;
                }
                poll_fn(|cx| self.lane.poll(cx, &mut self.said)).await;
            }
        })
        .await
    }
}

/// Keeps what an observer saw.
#[derive(Default)]
pub(crate) struct Notebook {
    pub(crate) saw: Mutex<Vec<Sighting>>,
    pub(crate) passed: Mutex<u64>,
}

impl SightingSink for Notebook {
    fn saw(&self, sighting: Sighting) {
        self.saw.lock().expect("no test panicked").push(sighting);
    }
    fn passed(&self, shard: &ShardId, position: u64) {
        assert_eq!(shard.as_str(), "postgres");
        *self.passed.lock().expect("no test panicked") = position;
    }
    fn blind(&self, from: Micros, to: Micros) {
        assert!(from <= to);
    }
}

impl Notebook {
    pub(crate) fn identities(&self) -> Vec<Identity> {
        let saw = self.saw.lock().expect("no test panicked");
        saw.iter().map(|sighting| sighting.identity).collect()
    }

    pub(crate) fn has_passed(&self) -> u64 {
        *self.passed.lock().expect("no test panicked")
    }
}

//! A lane, and the other side of its connections.

use std::{collections::VecDeque, future::poll_fn, io, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use model::{
    CellId, Identity, Micros, NodeId, Outcome, ServiceId, Topology, envelope::Envelope, topology,
};
use seams::{
    Batch, Clock, ConnId, ConnectRequest, Lane, Network, Origin, Outgoing, Progress, Site,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream, UdpSocket},
    task::LocalSet,
    time::Instant,
};
use wetdress_basic::SYSTEM;

pub(crate) const RUN: u64 = 9;

/// Nodes are where they were started, whatever their port.
#[derive(Debug)]
pub(crate) struct Loopback(pub(crate) Vec<(NodeId, SocketAddr)>);

#[async_trait]
impl Network for Loopback {
    fn address(&self, node: &NodeId, _port: u16) -> SocketAddr {
        self.0.iter().find(|(name, _)| name == node).expect("a node of the test").1
    }

    async fn tcp(&self, _: &Origin, to: SocketAddr) -> io::Result<TcpStream> {
        TcpSocket::new_v4()?.connect(to).await
    }

    async fn udp(&self, _: &Origin) -> io::Result<UdpSocket> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// One region with these nodes.
pub(crate) fn site(nodes: &[(NodeId, SocketAddr)]) -> Site {
    let service = ServiceId::from("ingest");
    let node = |name: &NodeId| {
        let node = topology::Node {
            region: "r".into(),
            zone: None,
            services: [service.clone()].into(),
            address: [127, 0, 0, 1].into(),
        };
        (name.clone(), node)
    };
    let nodes = nodes.iter().map(|(name, _)| node(name)).collect();
    let topology = Topology { nodes, ..Topology::default() };
    Site {
        service: service.clone(),
        topology: Arc::new(topology),
        run: RUN,
        seed: 1,
        keyring: Default::default(),
    }
}

pub(crate) struct Rig {
    pub(crate) lane: Box<dyn Lane>,
    pub(crate) listener: TcpListener,
    pub(crate) said: VecDeque<Progress>,
}

/// Runs a test where lanes run.
pub(crate) fn local(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let all = kit::within("the test", test);
    LocalSet::new().block_on(&runtime.expect("a runtime"), all);
}

pub(crate) fn lane(params: &Value, nodes: &[(NodeId, SocketAddr)]) -> Box<dyn Lane> {
    let driver = (SYSTEM.drivers.kinds[0].make)(params, &site(nodes)).expect("stored form");
    driver.lane(Arc::new(Loopback(nodes.to_vec())), Clock::new(Instant::now()))
}

impl Rig {
    /// With a server that this test plays.
    pub(crate) async fn new(params: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let nodes = [("a".into(), listener.local_addr().expect("bound"))];
        Self { lane: lane(&params, &nodes), listener, said: VecDeque::new() }
    }

    pub(crate) fn connect(&mut self, conn: u32) {
        let request = ConnectRequest {
            conn: ConnId(conn),
            assets: conn..conn + 1,
            from: Origin::cell(&CellId::from("r/assets"), conn),
            region: "r".into(),
            attempt: 0,
        };
        self.lane.connect(&[request]);
    }

    /// Connects, and returns the server's end.
    pub(crate) async fn line(&mut self, conn: u32) -> TcpStream {
        self.connect(conn);
        let up = self.next().await;
        assert!(matches!(up, Progress::Up { conn: ConnId(up), .. } if up == conn), "{up:?}");
        let (stream, _) = self.listener.accept().await.expect("it has connected");
        stream.set_nodelay(true).expect("a socket");
        stream
    }

    /// Submits a reading for each ticket, on these connections; the refused indices.
    pub(crate) fn submit(&mut self, readings: &[(u32, u32)]) -> Vec<u32> {
        self.submit_sized(readings, 10)
    }

    /// Submits what must be taken.
    pub(crate) fn takes(&mut self, readings: &[(u32, u32)]) {
        let refused = self.submit(readings);
        assert!(refused.is_empty(), "{refused:?} of {readings:?} were refused");
    }

    pub(crate) fn submit_sized(&mut self, readings: &[(u32, u32)], filler: usize) -> Vec<u32> {
        let (mut arena, mut batch) = (vec![], vec![]);
        for (ticket, conn) in readings {
            let identity = Identity { asset: *conn, stream: 0, boot: 1, seq: (*ticket).into() };
            let start = arena.len() as u32;
            arena.extend(payload(identity, filler));
            let length = arena.len() as u32 - start;
            let (ticket, conn) = (*ticket, ConnId(*conn));
            batch.push(Outgoing { ticket, conn, identity, attempt: 1, start, length });
        }
        let mut refused = vec![];
        self.lane.submit(Batch { readings: &batch, arena: &Bytes::from(arena) }, &mut refused);
        refused
    }

    pub(crate) async fn next(&mut self) -> Progress {
        let Self { lane, said, .. } = self;
        while said.is_empty() {
            let mut out = vec![];
            poll_fn(|cx| lane.poll(cx, &mut out)).await;
            said.extend(out);
        }
        said.pop_front().expect("it is not empty")
    }

    /// What came of a reading; nothing but `Sent` is said before.
    pub(crate) async fn done(&mut self, expected: u32) -> (Outcome, Option<u64>) {
        loop {
            match self.next().await {
                Progress::Sent { .. } => {}
                Progress::Done { ticket, outcome, position, .. } if ticket == expected => {
                    return (outcome, position);
                }
                other => panic!("waited for {expected}: {other:?}"),
            }
        }
    }

    pub(crate) async fn down(&mut self, expected: u32) -> &'static str {
        match self.next().await {
            Progress::Down { conn, why } if conn == ConnId(expected) => why,
            other => panic!("waited for the end of {expected}: {other:?}"),
        }
    }

    /// Everything that can be said by now, without waiting.
    pub(crate) async fn rest(&mut self) -> Vec<Progress> {
        let mut out: Vec<Progress> = self.said.drain(..).collect();
        for _ in 0..20 {
            let _ = poll_fn(|cx| std::task::Poll::Ready(self.lane.poll(cx, &mut out))).await;
            tokio::task::yield_now().await;
        }
        out
    }
}

pub(crate) fn payload(identity: Identity, filler: usize) -> Vec<u8> {
    let (generated, device_time) = (Micros::ZERO, Micros::ZERO);
    let mut out = vec![];
    Envelope { run: RUN, identity, attempt: 1, stored: false, generated, device_time }
        .write(filler, &mut out);
    out
}

/// Reads one request at a server: its head, and its body.
pub(crate) async fn request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a request"));
    }
    let head = String::from_utf8(head).expect("text");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.expect("a length").parse().expect("a number")];
    stream.read_exact(&mut body).await.expect("a body");
    (head, body)
}

pub(crate) async fn answer(stream: &mut TcpStream, text: &str) {
    request(stream).await;
    stream.write_all(text.as_bytes()).await.expect("an open connection");
}

//! A broker on loopback that swallows one ack and gives another one twice: nothing is sent again, and nothing is counted twice.

use std::{
    future::poll_fn,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

use async_trait::async_trait;
use bytes::Bytes;
use kit::within;
use model::{
    CellId, Identity, NodeId, NodeIndex, Outcome, RegionId, ServiceId, Topology, topology,
};
use seams::{
    Batch, Clock, ConnId, ConnectRequest, Lane, Network, Origin, Outgoing, Progress, Site,
};
use tokio::net::{TcpStream, UdpSocket};
use wetdress_mosquitto::SYSTEM;

#[derive(Debug)]
struct Loopback(SocketAddr);

#[async_trait]
impl Network for Loopback {
    fn address(&self, _node: &NodeId, _port: u16) -> SocketAddr {
        self.0
    }

    #[allow(clippy::disallowed_methods, reason = "this is the test's network")]
    async fn tcp(&self, _from: &Origin, to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }

    async fn udp(&self, _from: &Origin) -> io::Result<UdpSocket> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Speaks as a broker does. The first publish is swallowed, the second is acked twice, the third ends the connection. Returns the payloads
/// that came, and of each whether it was marked as one that is sent again.
fn serve(listener: &TcpListener) -> io::Result<Vec<(String, bool)>> {
    let (mut stream, _) = listener.accept()?;
    let mut published = vec![];
    loop {
        let mut head = [0; 2];
        if stream.read(&mut head[..1])? == 0 {
            return Ok(published);
        }
        stream.read_exact(&mut head[1..])?;
        assert!(head[1] < 128, "packets of the test are short");
        let mut rest = vec![0; head[1].into()];
        stream.read_exact(&mut rest)?;
        match head[0] >> 4 {
            1 => stream.write_all(&[0x20, 2, 0, 0])?,
            12 => stream.write_all(&[0xd0, 0])?,
            3 => {
                let topic = 2 + usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                let (id, payload) = rest[topic..].split_at(2);
                let payload = String::from_utf8_lossy(payload).into_owned();
                published.push((payload, head[0] & 0b1000 != 0));
                match published.len() {
                    1 => {}
                    2 => stream.write_all(&[0x40, 2, id[0], id[1]].repeat(2))?,
                    _ => return Ok(published),
                }
            }
            other => panic!("nobody asked for a packet of the type {other}"),
        }
    }
}

fn site() -> Site {
    let node = topology::Node {
        region: "r".into(),
        zone: None,
        services: [ServiceId::from("ingest")].into(),
        address: Ipv4Addr::LOCALHOST,
    };
    let nodes = [(NodeId::from("n"), node)].into();
    let topology = Topology { nodes, ..Topology::default() };
    Site {
        service: "ingest".into(),
        topology: Arc::new(topology),
        run: 7,
        seed: 1,
        keyring: Default::default(),
    }
}

fn submit(lane: &mut dyn Lane, ticket: u32, payload: &'static str) {
    let identity = Identity { asset: 0, stream: 0, boot: 1, seq: ticket.into() };
    let length = payload.len() as u32;
    let reading = Outgoing { ticket, conn: ConnId(0), identity, attempt: 1, start: 0, length };
    let (arena, mut refused) = (Bytes::from_static(payload.as_bytes()), vec![]);
    lane.submit(Batch { readings: &[reading], arena: &arena }, &mut refused);
    assert!(refused.is_empty(), "a session takes everything");
}

/// Polls until what was said holds this.
async fn hear(lane: &mut dyn Lane, said: &mut Vec<Progress>, wanted: impl Fn(&Progress) -> bool) {
    within("the lane says it", async {
        while !said.iter().any(&wanted) {
            poll_fn(|cx| lane.poll(cx, said)).await;
        }
    })
    .await;
}

#[test]
#[allow(clippy::disallowed_methods, reason = "this is the test's server")]
fn a_swallowed_ack_is_unknown_and_a_repeated_one_counts_once() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let server = thread::spawn(move || serve(&listener));
    let kind = SYSTEM.drivers.find("mqtt").expect("it is there");
    let driver = (kind.make)(&serde_json::json!({}), &site()).expect("all has a default");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let said = runtime.block_on(tokio::task::LocalSet::new().run_until(async {
        let clock = Clock::new(tokio::time::Instant::now());
        let mut lane = driver.lane(Arc::new(Loopback(address)), clock);
        let mut said = vec![];
        lane.connect(&[ConnectRequest {
            conn: ConnId(0),
            assets: 0..1,
            from: Origin::cell(&CellId::from("c"), 0),
            region: RegionId::from("r"),
            attempt: 0,
        }]);
        hear(&mut *lane, &mut said, |said| matches!(said, Progress::Up { .. })).await;
        submit(&mut *lane, 1, "swallowed");
        submit(&mut *lane, 2, "twice");
        hear(&mut *lane, &mut said, |said| matches!(said, Progress::Done { ticket: 2, .. })).await;
        submit(&mut *lane, 3, "last");
        hear(&mut *lane, &mut said, |said| matches!(said, Progress::Down { .. })).await;
        said
    }));
    let published = server.join().expect("the server does not panic").expect("it can serve");
    let expected = ["swallowed", "twice", "last"].map(|payload| (payload.to_owned(), false));
    assert_eq!(published, expected, "nothing is sent again");
    let done = said.iter().filter_map(|said| match said {
        Progress::Done { ticket, outcome, by, position, .. } => {
            Some((*ticket, *outcome, *by, *position))
        }
        _ => None,
    });
    let mut done: Vec<_> = done.collect();
    done.sort_by_key(|done| done.0);
    assert_eq!(
        done,
        [
            (1, Outcome::Unknown, None, None),
            (2, Outcome::Acked, Some(NodeIndex(0)), None),
            (3, Outcome::Unknown, None, None),
        ]
    );
}

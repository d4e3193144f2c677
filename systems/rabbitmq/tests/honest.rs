//! A broker on loopback that swallows one confirm, gives another one twice, refuses one and returns one: nothing is sent again, and
//! nothing is counted twice.

use std::{
    future::poll_fn,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream as Std},
    sync::Arc,
    thread,
};

use async_trait::async_trait;
use bytes::Bytes;
use kit::within;
use model::{CellId, Identity, NodeId, Outcome, RegionId, ServiceId, Topology, topology};
use seams::{
    Batch, Clock, ConnId, ConnectRequest, Lane, Network, Origin, Outgoing, Progress, Site,
};
use tokio::net::{TcpStream, UdpSocket};
use wetdress_rabbitmq::SYSTEM;

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

type Method = (u16, u16);

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend(channel.to_be_bytes());
    out.extend((payload.len() as u32).to_be_bytes());
    out.extend(payload);
    out.push(0xce);
    out
}

fn method(channel: u16, name: Method, arguments: &[u8]) -> Vec<u8> {
    let name = [name.0.to_be_bytes(), name.1.to_be_bytes()].concat();
    frame(1, channel, &[&name, arguments].concat())
}

fn confirm(name: Method, tag: u64) -> Vec<u8> {
    method(1, name, &[&tag.to_be_bytes()[..], &[0]].concat())
}

/// The next frame, its kind and its payload; None at the end.
fn read(from: &mut Std) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut head = [0; 7];
    match from.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
    let mut payload = vec![0; length as usize + 1];
    from.read_exact(&mut payload)?;
    assert_eq!(payload.pop(), Some(0xce));
    Ok(Some((head[0], payload)))
}

const ACK: Method = (60, 80);
const NACK: Method = (60, 120);

/// Speaks as a broker does. Of the publishes the first is swallowed, the second acked twice, the third nacked, the fourth returned and
/// acked, and the fifth ends the connection. Returns the payloads that came.
fn serve(listener: &TcpListener) -> io::Result<Vec<String>> {
    let (mut stream, _) = listener.accept()?;
    let mut hello = [0; 8];
    stream.read_exact(&mut hello)?;
    assert_eq!(&hello, b"AMQP\0\0\x09\x01");
    stream.write_all(&method(0, (10, 10), b"\0\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05en_US"))?;
    let (mut published, mut header) = (vec![], vec![]);
    while let Some((kind, payload)) = read(&mut stream)? {
        let answer = match (kind, &payload[..4.min(payload.len())]) {
            (1, b"\0\x0a\0\x0b") => method(0, (10, 30), b"\0\0\0\x02\0\0\0\x3c"),
            (1, b"\0\x0a\0\x28") => method(0, (10, 41), b"\0"),
            (1, b"\0\x14\0\x0a") => method(1, (20, 11), b"\0\0\0\0"),
            (1, b"\0\x55\0\x0a") => method(1, (85, 11), b""),
            (2, _) => {
                header = payload;
                vec![]
            }
            (3, _) => {
                published.push(String::from_utf8_lossy(&payload).into_owned());
                match published.len() {
                    1 => vec![],
                    2 => confirm(ACK, 2).repeat(2),
                    3 => confirm(NACK, 3),
                    4 => {
                        let returned = method(1, (60, 50), b"\x01\x38\x08NO_ROUTE\0\x02q0");
                        [returned, frame(2, 1, &header), frame(3, 1, &payload), confirm(ACK, 4)]
                            .concat()
                    }
                    _ => return Ok(published),
                }
            }
            _ => vec![],
        };
        stream.write_all(&answer)?;
    }
    Ok(published)
}

fn site() -> Site {
    let node = topology::Node {
        region: "r".into(),
        zone: None,
        services: [ServiceId::from("ingest")].into(),
        address: Ipv4Addr::LOCALHOST,
    };
    let nodes = [(NodeId::from("n"), node)].into();
    let service = topology::Service { shards: vec!["q0".into()], ..topology::Service::default() };
    let services = [(ServiceId::from("ingest"), service)].into();
    let topology = Topology { nodes, services, ..Topology::default() };
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
fn a_swallowed_confirm_is_unknown_and_a_repeated_one_counts_once() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let server = thread::spawn(move || serve(&listener));
    let kind = SYSTEM.drivers.find("rabbitmq").expect("it is there");
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
        for (ticket, payload) in (1..).zip(["swallowed", "twice", "nacked", "returned"]) {
            submit(&mut *lane, ticket, payload);
        }
        hear(&mut *lane, &mut said, |said| matches!(said, Progress::Done { ticket: 4, .. })).await;
        submit(&mut *lane, 5, "last");
        hear(&mut *lane, &mut said, |said| matches!(said, Progress::Down { .. })).await;
        said
    }));
    let published = server.join().expect("the server does not panic").expect("it can serve");
    let all = ["swallowed", "twice", "nacked", "returned", "last"];
    assert_eq!(published, all, "nothing is sent again");
    let done = said.iter().filter_map(|said| match said {
        Progress::Done { ticket, outcome, .. } => Some((*ticket, *outcome)),
        _ => None,
    });
    let mut done: Vec<_> = done.collect();
    done.sort_by_key(|done| done.0);
    use Outcome::{Acked, Refused, Unknown};
    assert_eq!(done, [(1, Unknown), (2, Acked), (3, Unknown), (4, Refused), (5, Unknown)]);
}

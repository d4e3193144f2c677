//! A server on loopback that gives one answer twice, refuses one create and swallows the answer to another: nothing is sent again, and
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
use wetdress_zookeeper::SYSTEM;

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

/// The next packet, without its length; None at the end.
fn read(from: &mut Std) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut packet = vec![0; u32::from_be_bytes(length) as usize];
    from.read_exact(&mut packet)?;
    Ok(Some(packet))
}

fn packet(parts: &[&[u8]]) -> Vec<u8> {
    let packet = parts.concat();
    [&(packet.len() as u32).to_be_bytes()[..], &packet].concat()
}

/// To a request of this number.
fn reply(number: i32, error: i32, path: &str) -> Vec<u8> {
    let length = (path.len() as u32).to_be_bytes();
    let (number, error) = (number.to_be_bytes(), error.to_be_bytes());
    packet(&[&number, &[0; 8], &error, &length, path.as_bytes()])
}

/// Speaks as a server does. Of the creates the first is acked twice, the second refused, the third swallowed; the fourth ends the
/// connection. Returns the payloads that came.
fn serve(listener: &TcpListener) -> io::Result<Vec<String>> {
    const CREATE: i32 = 1;
    const NO_NODE: i32 = -101;
    let (mut stream, _) = listener.accept()?;
    let asked = read(&mut stream)?.expect("a session is asked for");
    assert_eq!(asked.len(), 45);
    let (timeout, password) = (60_000_u32.to_be_bytes(), [0; 16]);
    let granted: [&[u8]; 6] =
        [&[0; 4], &timeout, &[0, 0, 0, 0, 0, 0, 0, 1], &16_u32.to_be_bytes(), &password, &[0]];
    stream.write_all(&packet(&granted))?;
    let mut created = vec![];
    while let Some(asked) = read(&mut stream)? {
        let int = |at: usize| i32::from_be_bytes(asked[at..at + 4].try_into().expect("four bytes"));
        let number = int(0);
        if int(4) != CREATE {
            continue;
        }
        let path = int(8) as usize;
        let (from, length) = (16 + path, int(12 + path) as usize);
        created.push(String::from_utf8_lossy(&asked[from..from + length]).into_owned());
        let answer = match created.len() {
            1 => reply(number, 0, "/wetdress/r0000000006").repeat(2),
            2 => reply(number, NO_NODE, ""),
            3 => vec![],
            _ => return Ok(created),
        };
        stream.write_all(&answer)?;
    }
    Ok(created)
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
fn a_swallowed_answer_is_unknown_and_a_repeated_one_counts_once() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let server = thread::spawn(move || serve(&listener));
    let kind = SYSTEM.drivers.find("zookeeper").expect("it is there");
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
        for (ticket, payload) in (1..).zip(["twice", "refused", "swallowed"]) {
            submit(&mut *lane, ticket, payload);
        }
        hear(&mut *lane, &mut said, |said| matches!(said, Progress::Done { ticket: 2, .. })).await;
        submit(&mut *lane, 4, "last");
        hear(&mut *lane, &mut said, |said| matches!(said, Progress::Down { .. })).await;
        said
    }));
    let published = server.join().expect("the server does not panic").expect("it can serve");
    let all = ["twice", "refused", "swallowed", "last"];
    assert_eq!(published, all, "nothing is sent again");
    let done = said.iter().filter_map(|said| match said {
        Progress::Done { ticket, outcome, position, .. } => Some((*ticket, *outcome, *position)),
        _ => None,
    });
    let mut done: Vec<_> = done.collect();
    done.sort_by_key(|done| done.0);
    use Outcome::{Acked, Refused, Unknown};
    assert_eq!(
        done,
        [(1, Acked, Some(7)), (2, Refused, None), (3, Unknown, None), (4, Unknown, None)]
    );
}

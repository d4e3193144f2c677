//! A server on loopback that takes a write and swallows its ack, and one that says that it is a replica: nothing is sent again, and nobody
//! connects again by itself. Answers carry no number in this protocol, so what swallows one ends the connection too.

use std::{
    future::poll_fn,
    io::{self, BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream as Std},
    sync::{Arc, Mutex},
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
use wetdress_redis::SYSTEM;

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

/// What came: payloads of writes, and how often somebody asked for the role, which every try to connect does once.
#[derive(Debug, Default)]
struct Come {
    written: Vec<String>,
    roles: usize,
}

fn line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    Ok((from.read_line(&mut line)? > 0).then(|| line.trim_end().to_owned()))
}

/// The words of a command; None at the end of the connection.
fn command(from: &mut impl BufRead) -> io::Result<Option<Vec<String>>> {
    let Some(head) = line(from)? else { return Ok(None) };
    let count: usize = head[1..].parse().expect("an array");
    let word = |_| {
        let length = line(from)?.expect("a length")[1..].parse::<usize>().expect("a length");
        let mut word = vec![0; length + 2];
        from.read_exact(&mut word)?;
        Ok(String::from_utf8_lossy(&word[..length]).into_owned())
    };
    (0..count).map(word).collect::<io::Result<_>>().map(Some)
}

/// Speaks as a master and as its sentinel do. The first write is acked, the second one's ack is swallowed, the third is refused.
fn serve(stream: Std, come: &Mutex<Come>) -> io::Result<()> {
    let (mut out, mut from) = (Std::try_clone(&stream)?, BufReader::new(stream));
    while let Some(words) = command(&mut from)? {
        let mut come = come.lock().expect("nobody panicked");
        let answer: &[u8] = match words[0].as_str() {
            "PING" => b"+PONG\r\n",
            "ROLE" => {
                come.roles += 1;
                b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
            }
            "SENTINEL" => b"*2\r\n$12\r\nconfig-epoch\r\n$1\r\n4\r\n",
            "XADD" => {
                come.written.push(words[4].clone());
                match come.written.len() {
                    1 => b"$3\r\n5-7\r\n",
                    2 => return Ok(()),
                    _ => b"-READONLY You can't write against a read only replica.\r\n",
                }
            }
            other => panic!("nobody asked for {other}"),
        };
        out.write_all(answer)?;
    }
    Ok(())
}

fn site() -> Site {
    let node = topology::Node {
        region: "r".into(),
        zone: None,
        services: [ServiceId::from("store")].into(),
        address: Ipv4Addr::LOCALHOST,
    };
    let nodes = [(NodeId::from("n"), node)].into();
    let topology = Topology { nodes, ..Topology::default() };
    Site {
        service: "store".into(),
        topology: Arc::new(topology),
        run: 7,
        seed: 1,
        keyring: Default::default(),
    }
}

/// Polls until what was said holds this; what was said.
async fn hear(lane: &mut dyn Lane, wanted: impl Fn(&Progress) -> bool) -> Vec<Progress> {
    let mut said = vec![];
    within("the lane says it", async {
        while !said.iter().any(&wanted) {
            poll_fn(|cx| lane.poll(cx, &mut said)).await;
        }
    })
    .await;
    said
}

async fn connect(lane: &mut dyn Lane) {
    lane.connect(&[ConnectRequest {
        conn: ConnId(0),
        assets: 0..1,
        from: Origin::cell(&CellId::from("c"), 0),
        region: RegionId::from("r"),
        attempt: 0,
    }]);
    hear(lane, |said| matches!(said, Progress::Up { .. })).await;
}

/// Sends a reading, and waits until it is done and, where `ends`, until the connection has ended.
async fn send(
    lane: &mut dyn Lane,
    ticket: u32,
    payload: &'static str,
    ends: bool,
) -> (Outcome, Option<NodeIndex>, Option<u64>) {
    let identity = Identity { asset: 0, stream: 0, boot: 1, seq: ticket.into() };
    let length = payload.len() as u32;
    let reading = Outgoing { ticket, conn: ConnId(0), identity, attempt: 1, start: 0, length };
    let (arena, mut refused) = (Bytes::from_static(payload.as_bytes()), vec![]);
    lane.submit(Batch { readings: &[reading], arena: &arena }, &mut refused);
    assert!(refused.is_empty(), "a session takes everything");
    let mut said = hear(lane, |said| match said {
        Progress::Done { .. } => !ends,
        Progress::Down { .. } => ends,
        _ => false,
    })
    .await;
    let is_done = |said: &Progress| matches!(said, Progress::Done { .. });
    if !said.iter().any(is_done) {
        said.extend(hear(lane, is_done).await);
    }
    let done = said.into_iter().find_map(|said| match said {
        Progress::Done { ticket: done, outcome, by, position, .. } if done == ticket => {
            Some((outcome, by, position))
        }
        _ => None,
    });
    done.expect("what was heard holds it")
}

#[test]
#[allow(clippy::disallowed_methods, reason = "this is the test's server")]
fn a_swallowed_ack_is_unknown_and_nothing_is_sent_again() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let come: Arc<Mutex<Come>> = Arc::default();
    let of_server = come.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let come = of_server.clone();
            thread::spawn(move || serve(stream, &come));
        }
    });
    let kind = SYSTEM.drivers.find("redis").expect("it is there");
    let driver = (kind.make)(&serde_json::json!({}), &site()).expect("all has a default");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let done = runtime.block_on(tokio::task::LocalSet::new().run_until(async {
        let clock = Clock::new(tokio::time::Instant::now());
        let mut lane = driver.lane(Arc::new(Loopback(address)), clock);
        let lane = &mut *lane;
        connect(lane).await;
        let acked = send(lane, 1, "acked", false).await;
        let swallowed = send(lane, 2, "swallowed", true).await;
        assert_eq!(come.lock().expect("nobody panicked").roles, 1, "nobody connects by itself");
        connect(lane).await;
        [acked, swallowed, send(lane, 3, "refused", true).await]
    }));
    assert_eq!(
        done,
        [
            (Outcome::Acked, Some(NodeIndex(0)), Some(5 << 20 | 7)),
            (Outcome::Unknown, None, None),
            (Outcome::Refused, None, None),
        ]
    );
    let come = come.lock().expect("nobody panicked");
    assert_eq!(come.written, ["acked", "swallowed", "refused"], "nothing is sent again");
    assert_eq!(come.roles, 2, "a connection was made as often as somebody asked for one");
}

//! A server on loopback that swallows one ack and gives another one twice: nothing is sent again, and nothing is counted twice.

use std::{
    future::poll_fn,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream as Std},
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
use wetdress_nats::SYSTEM;

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

/// Speaks as a server does. The first publish is swallowed, the second is acked twice, the third ends the connection. Returns the payloads that came.
fn serve(listener: &TcpListener) -> io::Result<Vec<String>> {
    let (stream, _) = listener.accept()?;
    let (mut out, mut lines) = (Std::try_clone(&stream)?, BufReader::new(stream));
    out.write_all(b"INFO {}\r\n")?;
    let mut published = vec![];
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(published);
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            ["PING"] => out.write_all(b"PONG\r\n")?,
            ["PUB", _, reply, length] => {
                let mut payload = vec![0; length.parse::<usize>().expect("a length") + 2];
                lines.read_exact(&mut payload)?;
                published.push(String::from_utf8_lossy(payload.trim_ascii_end()).into_owned());
                let ack = format!("MSG {reply} 1 23\r\n{{\"stream\":\"s0\",\"seq\":7}}\r\n");
                match published.len() {
                    1 => {}
                    2 => out.write_all(ack.repeat(2).as_bytes())?,
                    _ => return Ok(published),
                }
            }
            _ => {}
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

/// Lets nobody in, as a server does that wants a password. What the client said of itself.
fn refuse(listener: &TcpListener) -> io::Result<String> {
    let (mut stream, _) = listener.accept()?;
    stream.write_all(b"INFO {\"auth_required\":true}\r\n")?;
    let mut line = String::new();
    BufReader::new(Std::try_clone(&stream)?).read_line(&mut line)?;
    stream.write_all(b"-ERR 'Authorization Violation'\r\n")?;
    Ok(line)
}

#[test]
#[allow(clippy::disallowed_methods, reason = "this is the test's server")]
fn a_password_that_the_server_refuses_is_named_and_no_timeout() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let server = thread::spawn(move || refuse(&listener));
    let kind = SYSTEM.drivers.find("nats").expect("it is there");
    let params = serde_json::json!({"credentials": {"user": "fleet", "password": {"env": "PATH"}}});
    let driver = (kind.make)(&params, &site()).expect("the parameters are right");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let said = runtime.block_on(tokio::task::LocalSet::new().run_until(async {
        let clock = Clock::new(tokio::time::Instant::now());
        let mut lane = driver.lane(Arc::new(Loopback(address)), clock);
        let mut said = vec![];
        lane.connect(&[request()]);
        hear(&mut *lane, &mut said, |said| matches!(said, Progress::Down { .. })).await;
        said
    }));
    let hello = server.join().expect("the server does not panic").expect("it can serve");
    let path = std::env::var("PATH").expect("somebody looks for programs");
    assert!(hello.contains("\"user\":\"fleet\"") && hello.contains(&path), "{hello}");
    let why = "the server refused the user, the password or the token";
    assert_eq!(said, [Progress::Down { conn: ConnId(0), why }]);
}

fn request() -> ConnectRequest {
    ConnectRequest {
        conn: ConnId(0),
        assets: 0..1,
        from: Origin::cell(&CellId::from("c"), 0),
        region: RegionId::from("r"),
        attempt: 0,
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "this is the test's server")]
fn a_swallowed_ack_is_unknown_and_a_repeated_one_counts_once() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let server = thread::spawn(move || serve(&listener));
    let kind = SYSTEM.drivers.find("nats").expect("it is there");
    let driver = (kind.make)(&serde_json::json!({}), &site()).expect("all has a default");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let said = runtime.block_on(tokio::task::LocalSet::new().run_until(async {
        let clock = Clock::new(tokio::time::Instant::now());
        let mut lane = driver.lane(Arc::new(Loopback(address)), clock);
        let mut said = vec![];
        lane.connect(&[request()]);
        hear(&mut *lane, &mut said, |said| matches!(said, Progress::Up { .. })).await;
        submit(&mut *lane, 1, "swallowed");
        submit(&mut *lane, 2, "twice");
        hear(&mut *lane, &mut said, |said| matches!(said, Progress::Done { ticket: 2, .. })).await;
        submit(&mut *lane, 3, "last");
        hear(&mut *lane, &mut said, |said| matches!(said, Progress::Down { .. })).await;
        said
    }));
    let published = server.join().expect("the server does not panic").expect("it can serve");
    assert_eq!(published, ["swallowed", "twice", "last"], "nothing is sent again");
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
            (2, Outcome::Acked, Some(NodeIndex(0)), Some(7)),
            (3, Outcome::Unknown, None, None),
        ]
    );
}

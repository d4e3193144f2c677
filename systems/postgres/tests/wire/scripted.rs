//! A server that speaks the wire protocol as far as the driver needs it, and does with inserts what it is told.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use model::{NodeId, NodeIndex, Outcome};
use seams::{Network, Site};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::rig::{Assets, network, rehearse, site};

/// What comes of an insert. It is "stored" in every case.
#[derive(Clone, Copy, Debug)]
enum Then {
    Ack,
    /// CommandComplete, and then the connection ends before the commit is told.
    HalfAnAck,
    /// The ack is swallowed, and the connection stays.
    Nothing,
    /// An error of this code.
    Error(&'static str),
}

#[derive(Clone, Debug)]
struct Script {
    read_only: bool,
    timeline: &'static str,
    then: Then,
    /// Inserts that arrived, over all connections.
    inserts: Arc<AtomicU32>,
}

fn leads(then: Then) -> Script {
    Script { read_only: false, timeline: "3", then, inserts: Arc::default() }
}

#[allow(clippy::disallowed_methods, reason = "this is the test's network")]
async fn serve(site: &Site, node: &str, script: Script) {
    let address = network(site).address(&NodeId::from(node), 5432);
    let listener = TcpListener::bind(address).await.expect("the address is free");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that goes away ends its conversation, which is its right.
            let script = script.clone();
            tokio::spawn(async move { converse(stream, &script).await });
        }
    });
}

async fn converse(mut stream: TcpStream, script: &Script) -> io::Result<()> {
    let length = stream.read_u32().await?;
    stream.read_exact(&mut vec![0; length as usize - 4]).await?;
    let ready = message(b'Z', b"I");
    stream.write_all(&[message(b'R', &[0; 4]), ready.clone()].concat()).await?;
    let mut inserting = false;
    loop {
        let kind = stream.read_u8().await?;
        let length = stream.read_u32().await?;
        let mut body = vec![0; length as usize - 4];
        stream.read_exact(&mut body).await?;
        let answer = match kind {
            b'Q' => [said(script, &body), ready.clone()].concat(),
            b'P' => message(b'1', b""),
            b'D' => [parameters(), message(b'n', b"")].concat(),
            b'B' => {
                script.inserts.fetch_add(1, Ordering::Relaxed);
                inserting = true;
                message(b'2', b"")
            }
            b'E' => match script.then {
                Then::Nothing => vec![],
                Then::Error(code) => error(code),
                Then::Ack | Then::HalfAnAck => message(b'C', b"INSERT 0 1\0"),
            },
            b'S' => match script.then {
                Then::Nothing if inserting => vec![],
                Then::HalfAnAck if inserting => return Ok(()),
                _ => ready.clone(),
            },
            b'X' => return Ok(()),
            _ => vec![],
        };
        stream.write_all(&answer).await?;
    }
}

/// The answer to a question about the server itself.
fn said(script: &Script, question: &[u8]) -> Vec<u8> {
    let value = match question.starts_with(b"SHOW transaction_read_only") {
        true if script.read_only => "on",
        true => "off",
        false => script.timeline,
    };
    let mut column = b"\0\x01x\0".to_vec();
    column.extend([0; 18]);
    let mut row = vec![0, 1];
    row.extend((value.len() as u32).to_be_bytes());
    row.extend(value.as_bytes());
    [message(b'T', &column), message(b'D', &row), message(b'C', b"SELECT 1\0")].concat()
}

/// The types of the insert's parameters: int8, int4 and bytea by their numbers.
fn parameters() -> Vec<u8> {
    let types: [u32; 7] = [20, 20, 23, 20, 20, 23, 17];
    let mut body = vec![0, 7];
    body.extend(types.iter().flat_map(|number| number.to_be_bytes()));
    message(b't', &body)
}

fn error(code: &str) -> Vec<u8> {
    message(b'E', format!("SERROR\0VERROR\0C{code}\0Mas scripted\0\0").as_bytes())
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut all = vec![kind];
    all.extend((body.len() as u32 + 4).to_be_bytes());
    all.extend(body);
    all
}

/// One reading over one connection to one such server: what the asset was told, and how many inserts the server has seen.
async fn one_reading(then: Then) -> (Outcome, u32, Assets) {
    let site = site(1);
    let script = leads(then);
    serve(&site, "n1", script.clone()).await;
    let mut assets = Assets::new(&site, &json!({"socket_timeout": "200ms"}));
    assets.up(0).await;
    let ticket = assets.send(Assets::identity(0, 0), 1);
    let (outcome, _) = assets.done(ticket).await;
    (outcome, script.inserts.load(Ordering::Relaxed), assets)
}

#[test]
fn an_ack_is_an_ack() {
    rehearse(async {
        let (outcome, inserts, _) = one_reading(Then::Ack).await;
        assert_eq!((outcome, inserts), (Outcome::Acked, 1));
    });
}

#[test]
fn what_was_completed_and_not_committed_is_no_ack() {
    rehearse(async {
        let (outcome, inserts, mut assets) = one_reading(Then::HalfAnAck).await;
        assert_eq!((outcome, inserts), (Outcome::Unknown, 1), "nothing was sent again");
        let why = assets.down(0).await;
        assert!(why.contains("connection"), "{why}");
    });
}

#[test]
fn a_swallowed_ack_is_unknown_and_nothing_is_sent_again() {
    rehearse(async {
        let (outcome, inserts, mut assets) = one_reading(Then::Nothing).await;
        assert_eq!((outcome, inserts), (Outcome::Unknown, 1));
        let why = assets.down(0).await;
        assert!(why.contains("socket_timeout"), "{why}");
    });
}

#[test]
fn a_serialization_failure_is_told_and_not_retried() {
    rehearse(async {
        let (outcome, inserts, mut assets) = one_reading(Then::Error("40001")).await;
        assert_eq!((outcome, inserts), (Outcome::Refused, 1));
        let ticket = assets.send(Assets::identity(0, 1), 1);
        assert_eq!(assets.done(ticket).await.0, Outcome::Refused, "the connection stays");
    });
}

#[test]
fn a_server_that_became_read_only_is_left() {
    rehearse(async {
        let (outcome, inserts, mut assets) = one_reading(Then::Error("25006")).await;
        assert_eq!((outcome, inserts), (Outcome::Refused, 1));
        let why = assets.down(0).await;
        assert!(why.contains("read only"), "{why}");
    });
}

#[test]
fn of_two_that_take_writes_the_higher_timeline_leads() {
    rehearse(async {
        let site = site(3);
        serve(&site, "n1", Script { timeline: "1", ..leads(Then::Ack) }).await;
        serve(&site, "n2", Script { timeline: "2", ..leads(Then::Ack) }).await;
        serve(&site, "n3", Script { read_only: true, timeline: "9", ..leads(Then::Ack) }).await;
        let mut assets = Assets::new(&site, &json!({}));
        assert_eq!(assets.up(0).await, NodeIndex(1));
        let ticket = assets.send(Assets::identity(0, 0), 1);
        assert_eq!(assets.done(ticket).await, (Outcome::Acked, Some(NodeIndex(1))));
    });
}

#[test]
fn where_nobody_leads_nobody_is_up() {
    rehearse(async {
        let site = site(1);
        serve(&site, "n1", Script { read_only: true, ..leads(Then::Ack) }).await;
        let mut assets = Assets::new(&site, &json!({}));
        assets.connect(0);
        let why = assets.down(0).await;
        assert!(why.contains("leads"), "{why}");
        let ticket = assets.send(Assets::identity(0, 0), 1);
        assert_eq!(assets.done(ticket).await.0, Outcome::Refused);
    });
}

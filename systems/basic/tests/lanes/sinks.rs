//! Real sinks: both versions on one port, and an observer that reads several of them.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use clap::Parser;
use model::{
    CellId, Micros, NodeId,
    Outcome::{Acked, Refused, Unknown},
    ShardId, Sighting,
    plan::Shows,
};
use seams::{Clock, Observer, Origin, Progress, SightingSink, Vantage};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::{AbortHandle, spawn_local},
    time::Instant,
};
use wetdress_basic::{SYSTEM, Sink, SinkArgs};

use crate::rig::{Loopback, Rig, lane, local, site};

#[derive(Parser)]
struct Told {
    #[command(flatten)]
    args: SinkArgs,
}

fn start(words: &[&str]) -> (SocketAddr, AbortHandle) {
    let all = ["sink", "--listen=127.0.0.1:0"].iter().chain(words);
    let sink = Sink::bind(&Told::parse_from(all).args).expect("a free port");
    let address = sink.address();
    let serving = spawn_local(async move {
        sink.serve().await.expect("it serves");
    });
    (address, serving.abort_handle())
}

async fn rig(version: &str, node: SocketAddr) -> Rig {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let lane = lane(&json!({"version": version}), &[("a".into(), node)]);
    Rig { lane, listener, said: [].into() }
}

#[test]
fn both_versions_are_served_on_one_port() {
    local(async {
        let (address, _) = start(&[]);
        for version in ["http1", "http2"] {
            let mut rig = rig(version, address).await;
            let mut last = None;
            rig.connect(0);
            assert!(matches!(rig.next().await, Progress::Up { .. }));
            for ticket in 0..20 {
                rig.takes(&[(ticket, 0)]);
                let (outcome, position) = rig.done(ticket).await;
                assert_eq!(outcome, Acked);
                assert!(position > last, "positions grow");
                last = position;
            }
        }
    });
}

#[test]
fn many_are_under_way_on_a_connection_of_http2() {
    local(async {
        let (address, _) = start(&["--stall=50ms", "--every=60ms"]);
        let mut rig = rig("http2", address).await;
        rig.connect(0);
        assert!(matches!(rig.next().await, Progress::Up { .. }));
        let all: Vec<(u32, u32)> = (0..500).map(|ticket| (ticket, 0)).collect();
        rig.takes(&all);
        let mut acked = 0;
        while acked < 500 {
            match rig.next().await {
                Progress::Done { outcome: Acked, .. } => acked += 1,
                Progress::Sent { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn a_connection_of_http2_that_ends_leaves_what_was_under_way_unknown() {
    local(async {
        // It takes the connection, and never says a word of HTTP/2.
        let mut rig = Rig::new(json!({"version": "http2"})).await;
        let server = rig.line(0).await;
        rig.takes(&[(1, 0)]);
        let said = rig.rest().await;
        assert!(!said.iter().any(|said| matches!(said, Progress::Done { .. })), "{said:?}");
        drop(server);
        assert_eq!(rig.done(1).await.0, Unknown);
        rig.down(0).await;
        rig.takes(&[(2, 0)]);
        assert_eq!(rig.done(2).await.0, Refused);
    });
}

#[test]
fn what_is_no_reading_is_refused_by_a_sink() {
    local(async {
        let (address, _) = start(&[]);
        for version in ["http1", "http2"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let params = json!({"version": version, "path": "/elsewhere"});
            let lane = lane(&params, &[("a".into(), address)]);
            let mut rig = Rig { lane, listener, said: [].into() };
            rig.connect(0);
            assert!(matches!(rig.next().await, Progress::Up { .. }));
            rig.takes(&[(1, 0)]);
            assert_eq!(rig.done(1).await.0, Refused, "404");
        }
    });
}

/// Remembers what an observer says.
#[derive(Default)]
struct Memory {
    seen: Mutex<Vec<Sighting>>,
    passed: Mutex<BTreeMap<ShardId, u64>>,
}

impl SightingSink for Memory {
    fn saw(&self, sighting: Sighting) {
        self.seen.lock().expect("no holder panics").push(sighting);
    }
    fn passed(&self, shard: &ShardId, position: u64) {
        self.passed.lock().expect("no holder panics").insert(shard.clone(), position);
    }
    fn blind(&self, _: Micros, _: Micros) {}
}

impl Memory {
    fn seqs(&self) -> Vec<u64> {
        let seen = self.seen.lock().expect("no holder panics");
        let mut seqs: Vec<u64> = seen.iter().map(|seen| seen.identity.seq).collect();
        seqs.sort_unstable();
        seqs
    }
}

#[test]
fn an_observer_sees_what_any_of_the_nodes_took_and_passes_the_end_of_all() {
    local(async {
        let nodes: Vec<(NodeId, SocketAddr)> =
            ["a", "b", "c"].map(|name| (NodeId::from(name), start(&[]).0)).into();
        let make = SYSTEM.observers.kinds[0].make;
        let observer: Arc<dyn Observer> = make(&json!({}), &site(&nodes)).expect("stored form");
        let network = Arc::new(Loopback(nodes.clone()));
        let cell = CellId::from("r/observers");
        let origin = Origin::cell(&cell, 0);
        let clock = Clock::new(Instant::now());
        let vantage = Vantage { origin, region: "r".into(), cell, shows: Shows::Log, clock };
        let memory = Arc::new(Memory::default());
        let watching = {
            let (observer, network) = (observer.clone(), network.clone());
            let (vantage, memory) = (vantage.clone(), memory.clone());
            spawn_local(async move { observer.watch(network, vantage, memory).await })
        };
        // Two of the three take readings; the third one never has any.
        for (first, node) in [(0, &nodes[0]), (100, &nodes[1])] {
            let mut rig = rig("http1", node.1).await;
            rig.connect(0);
            assert!(matches!(rig.next().await, Progress::Up { .. }));
            for ticket in first..first + 30 {
                rig.takes(&[(ticket, 0)]);
                assert_eq!(rig.done(ticket).await.0, Acked);
            }
        }
        let all: Vec<u64> = (0..30).chain(100..130).collect();
        let head = observer.head(network.clone(), &vantage).await.expect("they answer");
        kit::seen("the observer passes the end", || {
            let passed = memory.passed.lock().expect("no holder panics");
            head.iter().all(|(shard, end)| passed.get(shard).is_some_and(|mine| mine >= end))
        })
        .await;
        assert_eq!(memory.seqs(), all);
        watching.abort();
        let back = Arc::new(Memory::default());
        let last = observer.read_back(network, &vantage, back.clone()).await.expect("they answer");
        assert_eq!(back.seqs(), all);
        assert!(last.iter().all(|(shard, last)| head[shard] <= *last));
    });
}

/// Plain requests are answered by hand and others by hyper: whoever asks sees one server.
#[test]
fn requests_of_all_sorts_are_answered_in_order_on_one_connection() {
    local(async {
        let (address, _) = start(&[]);
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        let mut client = socket.connect(address).await.expect("it listens");
        let plain = "POST /null HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
        let chunked = "POST /null HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let wrong = "POST /readings HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
        let last = "GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let all = [plain, wrong, plain, chunked, wrong, plain, last].concat();
        // In two pieces that end within a request.
        let (first, second) = all.split_at(plain.len() + 20);
        client.write_all(first.as_bytes()).await.expect("open");
        client.write_all(second.as_bytes()).await.expect("open");
        let mut answers = String::new();
        client.read_to_string(&mut answers).await.expect("it closes after the last one");
        let statuses: Vec<&str> =
            answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        assert_eq!(statuses, ["204", "400", "204", "204", "400", "204", "200"], "{answers}");
        assert!(answers.contains("\"nulls\":4") && answers.contains("\"refused\":2"), "{answers}");
    });
}

//! Three nodes in three regions, and the simplest client.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::{Child, Command},
    sync::atomic::{AtomicU8, Ordering},
};

use bytes::Bytes;
pub(crate) use kit::{answer as until, patience};
use model::{Identity, Micros, envelope::Envelope};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpSocket;
use wetdress_reference::{
    client::{self, Client},
    node::Line,
};

pub(crate) const SHARDS: u16 = 12;
pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];
pub(crate) const REGIONS: [&str; 3] = ["us-west", "us-east", "eu-west"];

pub(crate) struct Cluster {
    nodes: BTreeMap<&'static str, Option<Child>>,
    folder: TempDir,
    addresses: BTreeMap<&'static str, Ipv4Addr>,
    planted: String,
    extra: Vec<String>,
}

impl Cluster {
    pub(crate) async fn start(planted: Value, extra: &[&str]) -> Self {
        static COUNT: AtomicU8 = AtomicU8::new(0);
        let (count, pid) = (COUNT.fetch_add(1, Ordering::Relaxed), std::process::id());
        // Loopback is a whole /8: addresses by process, so that fixed ports never collide.
        let [_, high, low, _] = pid.to_be_bytes();
        let [.., last] = pid.to_be_bytes();
        let base =
            |node: u8| Ipv4Addr::new(127, 64 + (high ^ low) % 128, last, 1 + count * 4 + node);
        let mut cluster = Self {
            nodes: BTreeMap::new(),
            folder: tempfile::tempdir().expect("a temporary folder"),
            addresses: NAMES.into_iter().zip((0..).map(base)).collect(),
            planted: planted.to_string(),
            extra: extra.iter().map(|text| (*text).to_owned()).collect(),
        };
        for name in NAMES {
            cluster.begin(name);
        }
        cluster.ready().await;
        cluster
    }

    pub(crate) fn begin(&mut self, name: &'static str) {
        let ip = self.addresses[name];
        let peers: Vec<String> = NAMES
            .iter()
            .zip(REGIONS)
            .map(|(peer, region)| format!("{peer}={}:7001@{region}", self.addresses[peer]))
            .collect();
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.args(["node", "--id", name]).arg("--data").arg(self.folder.path().join(name));
        command.arg(format!("--listen={ip}:7000")).arg(format!("--peer-listen={ip}:7001"));
        command
            .arg(format!("--peers={}", peers.join(",")))
            .arg(format!("--planted={}", self.planted));
        // Quick timers, unless a test wants others.
        let timers: &[&str] = if self.extra.iter().any(|flag| flag.starts_with("--heartbeat")) {
            &[]
        } else {
            &["--heartbeat-ms=100", "--election-ms=400"]
        };
        command.args(timers).arg("--home-after-ms=300").args(&self.extra);
        self.nodes.insert(name, Some(command.spawn().expect("this program can be started")));
    }

    /// SIGKILL, and the certainty that it is gone.
    pub(crate) fn kill(&mut self, name: &'static str) {
        if let Some(mut child) = self.nodes.get_mut(name).and_then(Option::take) {
            child.kill().expect("the child is ours");
            child.wait().expect("the child is ours");
        }
    }

    pub(crate) fn signal(&self, name: &str, signal: rustix::process::Signal) {
        let child = self.nodes[name].as_ref().expect("it lives");
        rustix::process::kill_process(rustix::process::Pid::from_child(child), signal)
            .expect("the child is ours");
    }

    pub(crate) async fn ready(&self) {
        for name in self.nodes.keys() {
            until("ready", || async {
                self.get(name, "/v1/ready").await.filter(|answer| answer.status() == 200)
            })
            .await;
        }
    }

    /// Of each living node, user and system together; ticks of 10 ms.
    pub(crate) fn cpu_seconds(&self) -> Vec<f64> {
        let of = |child: &Child| {
            let stat =
                std::fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it lives");
            let (_, fields) = stat.rsplit_once(") ").expect("the name ends with a bracket");
            fields
                .split(' ')
                .skip(11)
                .take(2)
                .map(|ticks| ticks.parse::<f64>().expect("a number"))
                .sum::<f64>()
                / 100.0
        };
        self.nodes.values().flatten().map(of).collect()
    }

    pub(crate) fn ip(&self, name: &str) -> Ipv4Addr {
        self.addresses[name]
    }

    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.addresses[name]), 7000)
    }

    pub(crate) async fn connect(&self, name: &str) -> Option<Client> {
        let socket = TcpSocket::new_v4().expect("a socket");
        let stream = socket.connect(self.address(name)).await.ok()?;
        Client::over(stream).await.ok()
    }

    pub(crate) async fn get(&self, name: &str, path: &str) -> Option<client::Answer> {
        self.connect(name).await?.get(path).await.ok()
    }

    pub(crate) async fn status(&self, name: &str) -> Option<Value> {
        client::json(&self.get(name, "/v1/status").await?).ok()
    }

    /// Leaders by shard, as one node sees them.
    pub(crate) async fn leaders(&self, name: &str) -> Option<Vec<Option<String>>> {
        let status = self.status(name).await?;
        let shards = status["shards"].as_array()?;
        Some(shards.iter().map(|shard| shard["leader"].as_str().map(str::to_owned)).collect())
    }

    /// Everything that a shard's log holds at a node, by linearizable reads.
    pub(crate) async fn log(&self, name: &str, shard: u16) -> Vec<(u64, Bytes)> {
        let mut found: Vec<(u64, Bytes)> = vec![];
        loop {
            let path = format!("/v1/log/{shard}?from={}&read=linearizable", found.len());
            let answer = until("a linearizable read", || async {
                self.get(name, &path).await.filter(|answer| answer.status() == 200)
            })
            .await;
            let more = client::readings(&answer).expect("frames");
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }

    /// How often each reading is in the logs that a node shows.
    pub(crate) async fn census(&self, name: &str) -> BTreeMap<Identity, usize> {
        let mut census = BTreeMap::new();
        for shard in 0..SHARDS {
            for (expected, (position, payload)) in
                self.log(name, shard).await.into_iter().enumerate()
            {
                assert_eq!(position, expected as u64, "positions are dense");
                let envelope = Envelope::read(&payload).expect("what was posted comes back intact");
                *census.entry(envelope.identity).or_default() += 1;
            }
        }
        census
    }

    /// The instances in a node's journal, those taken back left out.
    pub(crate) fn journal(&self, name: &str) -> Vec<Line> {
        let text = std::fs::read_to_string(self.folder.path().join(name).join("planted.jsonl"))
            .expect("every node keeps one");
        let lines: Vec<Line> =
            text.lines().map(|line| serde_json::from_str(line).expect("whole lines")).collect();
        let undone: BTreeSet<_> = lines
            .iter()
            .filter(|line| line.undone)
            .map(|line| (line.defect, line.identity))
            .collect();
        lines.into_iter().filter(|line| !undone.contains(&(line.defect, line.identity))).collect()
    }

    pub(crate) fn events(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join(name).join("events.jsonl"))
            .expect("every node keeps one");
        text.lines().map(|line| serde_json::from_str(line).expect("whole lines")).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for name in NAMES {
            self.kill(name);
        }
    }
}

pub(crate) fn identity(asset: u32, seq: u64) -> Identity {
    Identity { asset, stream: 0, boot: 1, seq }
}

pub(crate) fn payload(identity: Identity, attempt: u16) -> Bytes {
    let generated = Micros(i64::try_from(identity.seq).expect("small") * 1_000);
    let envelope =
        Envelope { run: 1, identity, attempt, stored: false, generated, device_time: generated };
    let mut bytes = vec![];
    envelope.write(100, &mut bytes);
    bytes.into()
}

/// Posts a reading once. None: nobody knows.
pub(crate) async fn post(
    client: &mut Client,
    identity: Identity,
    attempt: u16,
) -> Option<(u16, Value)> {
    let answer = client.post("/v1/readings", payload(identity, attempt)).await.ok()?;
    Some((answer.status().as_u16(), serde_json::from_slice(answer.body()).expect("JSON")))
}

/// Posts a reading until it is acknowledged, also over new connections, and returns the answer.
pub(crate) async fn insist(cluster: &Cluster, node: &str, identity: Identity) -> Value {
    let mut attempt = 0;
    until("an acknowledgement", || {
        attempt += 1;
        async move {
            let mut client = cluster.connect(node).await?;
            let (code, body) = post(&mut client, identity, attempt).await?;
            (code == 200).then_some(body)
        }
    })
    .await
}

//! A small stack in a real lab, and the ways to look at it. Patience comes from `WETDRESS_PATIENCE`, in seconds.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

pub(crate) use kit::{patience, seen as until};
use model::{
    CellId, Conditions, End, LabEvent, Link, LinkQuality, NodeCondition, NodeId, NodeState,
    ProcessState, Stamped, Topology, Track,
    topology::{Cell, Node, Region},
};
use seams::{Clock, Command, Lab, LabError, Network, OpenLab, Origin, Process, Wanted};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::{mpsc, watch},
    time::Instant,
};
use wetdress_local::{EngineWish, Inside, Local, LocalLab};

use crate::echo;

pub(crate) const PORT: u16 = 80;
pub(crate) const OTHER_PORT: u16 = 7001;

/// Nodes a, b, c in regions of their own, and a cell of 100 hosts in a's region.
pub(crate) fn topology() -> Topology {
    let mut topology = Topology::default();
    for (number, name) in (1u8..).zip(["a", "b", "c"]) {
        let region = format!("region-{name}").into();
        topology.regions.insert(model::RegionId::clone(&region), Region::default());
        let node = Node {
            region,
            zone: None,
            services: ["echo".into()].into(),
            address: [198, 18, 0, number].into(),
        };
        topology.nodes.insert(name.into(), node);
    }
    let cell = Cell {
        region: "region-a".into(),
        fleet: Some("fleet".into()),
        base: [198, 19, 4, 0].into(),
        prefix: 22,
        hosts: 100,
        access: LinkQuality::default(),
        track: Track::default(),
    };
    topology.cells.insert(cell_name(), cell);
    topology
}

pub(crate) fn cell_name() -> CellId {
    "assets".into()
}

pub(crate) fn node(name: &str) -> End {
    End::Node(name.into())
}

/// The echo server on every node; `program` replaces it.
pub(crate) fn processes(
    topology: &Topology,
    program: Option<&str>,
) -> BTreeMap<NodeId, Vec<Process>> {
    let of = |name: &NodeId| {
        let args = [echo::WORD, name.as_str(), &PORT.to_string(), &OTHER_PORT.to_string()]
            .map(String::from)
            .to_vec();
        let command =
            Command { program: program.unwrap_or("{self}").into(), args, env: BTreeMap::new() };
        let touch = Command {
            program: "touch".into(),
            args: vec!["{data}/prepared".into()],
            env: BTreeMap::new(),
        };
        Process {
            name: "echo".into(),
            files: BTreeMap::from([("conf/where".into(), "{data}".into())]),
            steps: vec![touch],
            command,
            ..Process::default()
        }
    };
    topology.nodes.keys().map(|name| (name.clone(), vec![of(name)])).collect()
}

#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) lab: Arc<LocalLab>,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) seen: Vec<Stamped>,
    want: watch::Sender<Wanted>,
    news: mpsc::UnboundedReceiver<Stamped>,
    revision: u64,
}

/// A runtime for one test.
pub(crate) fn block_on<T>(body: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(body)
}

impl Rig {
    pub(crate) async fn open(inside: Inside, engine: EngineWish) -> Self {
        Self::open_with(inside, engine, topology(), None, Conditions::default())
            .await
            .expect("the lab opens")
    }

    pub(crate) async fn open_with(
        inside: Inside,
        engine: EngineWish,
        topology: Topology,
        program: Option<&str>,
        world: Conditions,
    ) -> Result<Self, LabError> {
        Self::open_as(inside, Local { engine, ..Local::default() }, topology, program, world).await
    }

    pub(crate) async fn open_as(
        inside: Inside,
        params: Local,
        topology: Topology,
        program: Option<&str>,
        world: Conditions,
    ) -> Result<Self, LabError> {
        let processes = processes(&topology, program);
        Self::open_running(inside, params, topology, processes, world).await
    }

    /// Two servers on each node: `echo` on its own port, `beside` on the other one.
    pub(crate) async fn open_pairs(inside: Inside, engine: EngineWish) -> Result<Self, LabError> {
        let topology = topology();
        let mut processes = processes(&topology, None);
        for of_node in processes.values_mut() {
            let mut beside = of_node[0].clone();
            beside.name = "beside".into();
            beside.command.args.retain(|arg| *arg != PORT.to_string());
            of_node[0].command.args.retain(|arg| *arg != OTHER_PORT.to_string());
            of_node.push(beside);
        }
        let params = Local { engine, ..Local::default() };
        Self::open_running(inside, params, topology, processes, Conditions::default()).await
    }

    pub(crate) async fn open_running(
        inside: Inside,
        params: Local,
        topology: Topology,
        processes: BTreeMap<NodeId, Vec<Process>>,
        world: Conditions,
    ) -> Result<Self, LabError> {
        let folder = tempfile::tempdir()?;
        let lab =
            LocalLab::new(inside, params, Arc::new(topology), PathBuf::from(folder.path()), 7)?;
        let (want, wanted) = watch::channel(Wanted { revision: 1, conditions: Arc::new(world) });
        let (seen, news) = mpsc::unbounded_channel();
        let network = lab
            .open(OpenLab { processes, want: wanted, seen, clock: Clock::new(Instant::now()) })
            .await?;
        Ok(Self { lab: Arc::new(lab), network, folder, seen: Vec::new(), want, news, revision: 1 })
    }

    /// Asks for a world without waiting for it.
    pub(crate) fn ask(&mut self, conditions: Conditions) -> u64 {
        self.revision += 1;
        self.want
            .send_replace(Wanted { revision: self.revision, conditions: Arc::new(conditions) });
        self.revision
    }

    /// Asks for a world and waits until it is in force.
    pub(crate) async fn turn(&mut self, conditions: Conditions) {
        let revision = self.ask(conditions);
        self.until(
            "the world to be in force",
            |sight| matches!(sight, LabEvent::InForce { revision: held } if *held == revision),
        )
        .await;
    }

    pub(crate) async fn node_state(&mut self, name: &str, state: NodeState) {
        let mut world = Conditions::default();
        world.nodes.insert(name.into(), state.into());
        self.turn(world).await;
    }

    /// One process of a node in a state, and nothing else.
    pub(crate) async fn process_state(&mut self, node: &str, process: &str, state: ProcessState) {
        let condition =
            NodeCondition { processes: [(process.into(), state)].into(), ..Default::default() };
        self.turn(Conditions { nodes: [(node.into(), condition)].into(), ..Default::default() })
            .await;
    }

    /// Waits for a sight to come; those before it count too, from the last call on.
    pub(crate) async fn until(&mut self, what: &str, found: impl Fn(&LabEvent) -> bool) -> Stamped {
        let wait = async {
            loop {
                let seen = self.news.recv().await.expect("the lab speaks while it is open");
                self.seen.push(seen.clone());
                if found(&seen.what) {
                    return seen;
                }
            }
        };
        let waited = tokio::time::timeout(patience(), wait).await;
        waited.unwrap_or_else(|_| {
            panic!("waited {:?} for {what}; seen: {:#?}", patience(), self.seen)
        })
    }

    /// A line-wise connection; the server's view of the caller's address is its first line.
    pub(crate) async fn connect(&self, from: &Origin, to: &str, port: u16) -> Talk {
        let to = self.network.address(&to.into(), port);
        let tries = async {
            loop {
                match self.network.tcp(from, to).await {
                    Ok(stream) => return stream,
                    // The server is still starting.
                    Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                        tokio::task::yield_now().await
                    }
                    Err(error) => panic!("connect from {from:?} to {to}: {error}"),
                }
            }
        };
        let stream = tokio::time::timeout(patience(), tries)
            .await
            .expect("a connection within our patience");
        let mut talk = Talk { stream: BufReader::new(stream), me: String::new() };
        talk.me = talk.hear().await;
        talk
    }

    /// What the server of a node has printed so far.
    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join("logs").join(name).join("echo.log"))
            .expect("the server has a log")
    }

    pub(crate) async fn wait_for_log(&self, name: &str, line: &str) {
        until(&format!("`{line}` in the log of {name}"), || {
            self.log(name).lines().any(|found| found == line)
        })
        .await;
    }

    pub(crate) async fn close(self) {
        self.lab.close().await;
    }
}

#[derive(Debug)]
pub(crate) struct Talk {
    stream: BufReader<TcpStream>,
    /// Our address as the server sees it.
    pub(crate) me: String,
}

impl Talk {
    pub(crate) async fn say(&mut self, line: &str) {
        self.stream
            .write_all(format!("{line}\n").as_bytes())
            .await
            .expect("the socket takes a line");
    }

    pub(crate) async fn hear(&mut self) -> String {
        let heard = tokio::time::timeout(patience(), self.try_hear())
            .await
            .expect("an answer within our patience");
        heard.expect("an open connection").expect("a line before the end")
    }

    /// None: the peer closed.
    pub(crate) async fn try_hear(&mut self) -> std::io::Result<Option<String>> {
        let mut line = String::new();
        let length = self.stream.read_line(&mut line).await?;
        Ok((length > 0).then(|| line.trim_end().to_owned()))
    }

    pub(crate) async fn ask(&mut self, line: &str) {
        self.say(line).await;
        assert_eq!(self.hear().await, line);
    }

    /// Neither an answer nor a farewell has come so far.
    pub(crate) fn is_silent(&self) -> bool {
        let mut byte = [0];
        let waiting = self.stream.get_ref().try_read(&mut byte);
        self.stream.buffer().is_empty()
            && matches!(waiting, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

/// Both directions.
pub(crate) fn both(one: &End, other: &End) -> [Link; 2] {
    [Link::new(one.clone(), other.clone()), Link::new(other.clone(), one.clone())]
}

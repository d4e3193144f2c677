//! The lab itself: opens and closes, and lets the reconciler do the rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use fabric::{Engine, Fabric};
use model::{End, Lever, NodeId, NodeState, Topology, event::Health};
use schemars::JsonSchema;
use seams::{Clock, Ground, Lab, LabError, Open};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::{
    Inside, doctor,
    flight::{Flight, Heard, Notes, Packets, Writer},
    namespace::Namespace,
    node::{Goal, Node},
    place::Wiring,
    places::Places,
    programs::Programs,
    reconcile::{InForce, Now, Reconciler},
    voice::Voice,
    world::Numbering,
};

/// How long nodes may take to end before their init is simply let go, which ends them too.
const CLOSING: Duration = Duration::from_secs(5);

/// Parameters of the kind `local`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Local {
    /// How packets get from the servers' kernel to the fabric.
    #[serde(default)]
    pub engine: EngineWish,
    /// Packets kept for a look at the effect of each fault, in `packets/` of the run folder.
    #[serde(default)]
    pub packets: Packets,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineWish {
    /// TUN where it can be opened, AF_PACKET elsewhere.
    #[default]
    Auto,
    Tun,
    AfPacket,
}

/// A lab of this sandbox. It may be opened again after it was closed.
#[derive(Debug)]
pub struct LocalLab {
    inside: Inside,
    topology: Arc<Topology>,
    run: PathBuf,
    seed: u64,
    engine: Engine,
    /// Why a better engine was not taken.
    note: Option<String>,
    packets: Packets,
    /// What became of packet files.
    packet_notes: Notes,
    running: Mutex<Option<Running>>,
    fabric: std::sync::Mutex<Option<Arc<Fabric>>>,
    policy: InForce,
}

#[derive(Debug)]
struct Running {
    /// Dropped to close: everybody looks at its other end.
    open: watch::Sender<()>,
    reconciler: JoinHandle<()>,
    nodes: Vec<JoinHandle<()>>,
    /// None where no packets are wanted.
    flight: Option<JoinHandle<()>>,
}

impl LocalLab {
    /// `run` is the run's folder; servers' data and logs go to `nodes/` and `logs/` below it. It must not lie below `/run` or
    /// `/proc`, which are the sandbox's own. The seed decides loss and jitter. Needs a tokio runtime.
    pub fn new(inside: Inside, params: Local, topology: Arc<Topology>, run: PathBuf, seed: u64) -> Result<Self, LabError> {
        let run = fs::canonicalize(run)?;
        let (engine, note) = choose(params.engine)?;
        Ok(Self {
            inside,
            topology,
            run,
            seed,
            engine,
            note,
            packets: params.packets,
            packet_notes: Notes::default(),
            running: Mutex::default(),
            fabric: std::sync::Mutex::default(),
            policy: InForce::default(),
        })
    }

    /// What the fabric was last told, and does. None while the lab is closed.
    pub fn policy(&self) -> Option<fabric::Policy> {
        self.policy.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn start_fabric(&self) -> Result<Arc<Fabric>, LabError> {
        let fabric = Arc::new(Fabric::start(self.engine, self.seed).map_err(io::Error::other)?);
        *self.fabric.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(fabric.clone());
        Ok(fabric)
    }

    /// Starts writing packets around effects; the other half is how it hears of them.
    fn fly(&self, fabric: &Arc<Fabric>, clock: &Clock, closing: watch::Receiver<()>) -> (JoinHandle<()>, mpsc::UnboundedSender<Heard>) {
        let (tell, heard) = mpsc::unbounded_channel();
        let (topology, numbering) = (self.topology.clone(), Numbering::new(&self.topology));
        let writer = Writer { fabric: fabric.clone(), numbering, topology, run: self.run.clone() };
        let flight = Flight::new(self.packets, clock.clone(), self.packet_notes.clone(), writer);
        (tokio::spawn(flight.live(heard, closing)), tell)
    }
}

fn choose(wish: EngineWish) -> Result<(Engine, Option<String>), LabError> {
    let tun = || Namespace::new("probe")?.run(|| fabric::tun_open("wd0").map(drop));
    match wish {
        EngineWish::AfPacket => Ok((Engine::AfPacket, None)),
        EngineWish::Tun => tun().map(|()| (Engine::Tun, None)).map_err(|error| LabError::Refused {
            what: format!("open a TUN device: {error}"),
            remedy: "write `engine: auto`, or give this user read and write access to /dev/net/tun".into(),
        }),
        EngineWish::Auto => Ok(match tun() {
            Ok(()) => (Engine::Tun, None),
            Err(error) => (Engine::AfPacket, Some(format!("no TUN device: {error}"))),
        }),
    }
}

#[async_trait]
impl Lab for LocalLab {
    fn engine(&self) -> String {
        let name = match self.engine {
            Engine::Tun => "userspace fabric over TUN",
            Engine::AfPacket => "userspace fabric over veth and AF_PACKET",
        };
        self.note.as_ref().map_or_else(|| name.into(), |note| format!("{name} ({note})"))
    }

    async fn offers(&self) -> BTreeSet<Lever> {
        match doctor::probe(&self.inside, self.engine).await {
            Ok(()) => LEVERS.into(),
            Err(_) => BTreeSet::new(),
        }
    }

    async fn open(&self, ask: Open) -> Result<Arc<dyn Ground>, LabError> {
        let mut running = self.running.lock().await;
        if running.is_some() {
            return Err(io::Error::other("the lab is open already").into());
        }
        let fabric = self.start_fabric()?;
        let wiring = Wiring::new(fabric.clone())?;
        let numbering = Numbering::new(&self.topology);
        let places = Arc::new(Places::new(self.topology.clone(), wiring.clone()));
        let port = |end: &End| numbering.port(end).expect("every end of the topology has a number");
        for (name, cell) in &self.topology.cells {
            let end = End::Cell(name.clone());
            places.put(end.clone(), wiring.place(name.as_str(), port(&end), cell.into())?)?;
        }
        let (answers, heard) = mpsc::unbounded_channel();
        let (open, closing) = watch::channel(());
        let are_wanted = !self.packets.keep.0.is_zero();
        let (flight, to_flight) = are_wanted.then(|| self.fly(&fabric, &ask.clock, closing.clone())).unzip();
        let voice = Voice::new(ask.clock, ask.seen, to_flight);
        let (mut goals, mut nodes): (BTreeMap<NodeId, mpsc::UnboundedSender<Goal>>, _) = (BTreeMap::new(), Vec::new());
        let mut processes = ask.processes;
        for (name, node) in &self.topology.nodes {
            let (send, receive) = mpsc::unbounded_channel();
            let node = Node {
                name: name.clone(),
                addresses: node.into(),
                port: port(&End::Node(name.clone())),
                inside: self.inside.clone(),
                wiring: wiring.clone(),
                places: places.clone(),
                programs: Programs::new(name, processes.remove(name).unwrap_or_default(), &self.run)?,
                voice: voice.clone(),
                answers: answers.clone(),
                machine: None,
                state: NodeState::Up,
                revision: 0,
            };
            nodes.push(tokio::spawn(node.live(receive, closing.clone())));
            goals.insert(name.clone(), send);
        }
        let (tell, opened) = oneshot::channel();
        let reconciler = Reconciler {
            topology: self.topology.clone(),
            numbering,
            fabric,
            places: places.clone(),
            voice,
            nodes: goals,
            answers: heard,
            opened: Some(tell),
            in_force: self.policy.clone(),
            now: Now::default(),
        };
        let reconciler = tokio::spawn(reconciler.live(ask.want, closing));
        *running = Some(Running { open, reconciler, nodes, flight });
        drop(running);
        let outcome = opened.await.unwrap_or_else(|_| Err(io::Error::other("the lab was closed while it opened").into()));
        if let Err(error) = outcome {
            self.close().await;
            return Err(error);
        }
        Ok(places)
    }

    async fn close(&self) {
        let Some(running) = self.running.lock().await.take() else { return };
        drop(running.open);
        drop(running.reconciler.await);
        if let Some(flight) = running.flight {
            drop(flight.await);
        }
        *self.policy.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
        let end = tokio::time::Instant::now() + CLOSING;
        for mut node in running.nodes {
            if tokio::time::timeout_at(end, &mut node).await.is_err() {
                node.abort();
            }
        }
    }

    fn health(&self) -> Health {
        let fabric = self.fabric.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let mut health = Health { congestion: congestion_control(), notes: self.note.iter().cloned().collect(), ..Health::default() };
        let Some((stats, counters)) = fabric.and_then(|fabric| Some((fabric.stats().ok()?, fabric.counters().ok()?))) else {
            return health;
        };
        health.fabric_drops = stats.kernel_drops + stats.overflows;
        health.fabric_late_p50_us = stats.lateness.p50_ns / 1000;
        health.fabric_late_p99_us = stats.lateness.p99_ns / 1000;
        health.fabric_late_max_us = stats.lateness.max_ns / 1000;
        health.fabric_cpu = stats.cpu.as_secs_f64() / stats.wall.as_secs_f64().max(f64::MIN_POSITIVE);
        health.packets = counters.links.values().map(|link| link.arrived.packets).sum();
        if stats.super_packets_on_lossy_link > 0 {
            health.notes.push(format!("{} super-packets met loss or rate as one", stats.super_packets_on_lossy_link));
        }
        health.notes.extend(self.packet_notes.sentences());
        health
    }
}

/// The lab's own namespaces inherit the host's.
fn congestion_control() -> String {
    fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").map_or_else(|_| "unknown".into(), |name| name.trim().into())
}

const LEVERS: [Lever; 12] = [
    Lever::Cut,
    Lever::CutPorts,
    Lever::Reject,
    Lever::Delay,
    Lever::Jitter,
    Lever::Loss,
    Lever::Rate,
    Lever::Stop,
    Lever::Freeze,
    Lever::Terminate,
    Lever::Crash,
    Lever::PowerLoss,
];

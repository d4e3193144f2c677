//! The lab itself: opens and closes, and lets the reconciler do the rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use document::Complaint;
use fabric::{Engine, Fabric, Options};
use model::{End, Lever, NodeCondition, NodeId, Topology, event::Health};
use schemars::JsonSchema;
use seams::{Addresses, Clock, Lab, LabError, Network, OpenLab};
use serde::{Deserialize, Deserializer, Serialize};
use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::{
    Inside,
    attachment::Attacher,
    doctor,
    events::LabEvents,
    flight::{Flight, Heard, Notes, Packets, Writer},
    health::OwnHealth,
    host_pressure::HostPressure,
    levers::does_to_nodes,
    lock::lock,
    namespace::Namespace,
    network::Places,
    node::{Goal, Node},
    null_disk::NullDisk,
    null_target::NullTarget,
    policy::{Numbering, Steady},
    processes::{self, Processes},
    reconcile::{InForce, Now, Reconciler},
};

/// How long nodes may take to end before their init is simply let go, which ends them too.
const CLOSING: Duration = Duration::from_secs(5);

/// Parameters of the kind `local`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Local {
    /// How packets get from the servers' kernel to the fabric.
    #[serde(default)]
    pub engine: EngineWish,
    /// Threads that move packets, 64 at most. Without it half of the cores, 4 at most.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "workers_within_bounds"
    )]
    pub workers: Option<NonZeroUsize>,
    /// Packets kept for a look at the effect of each fault, in `packets/` of the run folder.
    #[serde(default)]
    pub packets: Packets,
    /// TCP congestion control of every node and asset, such as `cubic`, `reno` or `bbr`, where the kernel lets a namespace choose it
    /// (`net.ipv4.tcp_allowed_congestion_control`). The machine's own where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub congestion: Option<String>,
}

fn workers_within_bounds<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<NonZeroUsize>, D::Error> {
    let workers = Option::<NonZeroUsize>::deserialize(from)?;
    if workers.is_some_and(|workers| workers.get() > 64) {
        return Err(Complaint::new("range", "more than 64 workers move no packet faster")
            .help("Write less, or leave it out")
            .raise());
    }
    Ok(workers)
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
    workers: Option<NonZeroUsize>,
    /// Why a better engine was not taken.
    note: Option<String>,
    packets: Packets,
    /// What became of packet files.
    packet_notes: Notes,
    congestion: Option<String>,
    running: Mutex<Option<Running>>,
    /// Kept after closing, for the last figures.
    own_health: Arc<std::sync::Mutex<Option<OwnHealth>>>,
    policy: InForce,
}

#[derive(Debug)]
struct Running {
    /// Dropped to close: everybody looks at its other end.
    open: watch::Sender<()>,
    reconciler: JoinHandle<()>,
    nodes: Vec<JoinHandle<()>>,
    /// None where no packets are wanted.
    flight: Option<Flying>,
    null_target: NullTarget,
    null_disk: NullDisk,
}

/// The writer of packets.
#[derive(Debug)]
struct Flying {
    /// Dropped to end it, after everybody who tells it something.
    open: watch::Sender<()>,
    writer: JoinHandle<()>,
}

impl LocalLab {
    /// `run` is the run's folder; servers' data and logs go to `nodes/` and `logs/` below it. It must not lie below `/run` or
    /// `/proc`, which are the sandbox's own. The seed decides loss and jitter. Needs a tokio runtime.
    pub fn new(
        inside: Inside,
        params: Local,
        topology: Arc<Topology>,
        run: PathBuf,
        seed: u64,
    ) -> Result<Self, LabError> {
        let run = fs::canonicalize(run)?;
        let (engine, note) = choose(params.engine)?;
        params.congestion.as_deref().map_or(Ok(()), try_congestion)?;
        Ok(Self {
            inside,
            topology,
            run,
            seed,
            engine,
            workers: params.workers,
            note,
            packets: params.packets,
            packet_notes: Notes::default(),
            congestion: params.congestion,
            running: Mutex::default(),
            own_health: Arc::default(),
            policy: InForce::default(),
        })
    }

    /// What the fabric was last told, and does. None while the lab is closed.
    pub fn policy(&self) -> Option<fabric::Policy> {
        lock(&self.policy).clone()
    }

    /// Begins with the lab, and begins anew when traffic is armed.
    fn measure(
        &self,
        attacher: &Attacher,
        numbering: &Numbering,
        events: &LabEvents,
        mut closing: watch::Receiver<()>,
    ) -> Result<(NullTarget, NullDisk), LabError> {
        let (host_pressure, null_ports) = (HostPressure::now(), numbering.null_ports());
        let null_target = NullTarget::open(attacher, null_ports)?;
        let null_disk = NullDisk::open(&self.run, events.clone())?;
        let congestion = null_target.place().namespace.congestion()?;
        let own_health = OwnHealth {
            fabric: attacher.fabric.clone(),
            null_target: null_target.tally(),
            null_disk: null_disk.tally(),
            null_ports,
            host_pressure,
            congestion,
        };
        *lock(&self.own_health) = Some(own_health);
        let (own_health, clock) = (self.own_health.clone(), events.clock.clone());
        tokio::spawn(async move {
            tokio::select! {
                _ = closing.changed() => {}
                () = clock.until_armed() => {
                    if let Some(own_health) = &mut *lock(&own_health) {
                        own_health.begin();
                    }
                }
            }
        });
        Ok((null_target, null_disk))
    }

    /// Starts writing packets around effects; the other half is how it hears of them.
    fn fly(&self, fabric: &Arc<Fabric>, clock: &Clock) -> (Flying, mpsc::UnboundedSender<Heard>) {
        let (tell, heard) = mpsc::unbounded_channel();
        let (open, closing) = watch::channel(());
        let (topology, numbering) = (self.topology.clone(), Numbering::new(&self.topology));
        let writer = Writer { fabric: fabric.clone(), numbering, topology, run: self.run.clone() };
        let flight = Flight::new(self.packets, clock.clone(), self.packet_notes.clone(), writer);
        (Flying { open, writer: tokio::spawn(flight.live(heard, closing)) }, tell)
    }
}

/// In a namespace as a node has it: what the harness itself may use says nothing.
fn try_congestion(name: &str) -> Result<(), LabError> {
    Namespace::new("probe")?.set_congestion(name).map_err(|error| {
        let read = |what| fs::read_to_string(format!("/proc/sys/net/ipv4/tcp_{what}_congestion_control")).unwrap_or_default();
        let (allowed, available) = (read("allowed"), read("available"));
        let (allowed, available) = (allowed.trim(), available.trim());
        let allow = format!("or allow it with `sudo sysctl -w net.ipv4.tcp_allowed_congestion_control=\"{allowed} {name}\"`");
        LabError::Refused {
            what: format!("choose the congestion control `{name}`: {error}"),
            remedy: format!("write one that namespaces may choose here ({allowed}), {allow} where the kernel has it ({available})"),
        }
    })
}

fn choose(wish: EngineWish) -> Result<(Engine, Option<String>), LabError> {
    let tun = || Namespace::new("probe")?.run(|| fabric::tun_open("wd0").map(drop));
    match wish {
        EngineWish::AfPacket => Ok((Engine::AfPacket, None)),
        EngineWish::Tun => tun().map(|()| (Engine::Tun, None)).map_err(|error| LabError::Refused {
            what: format!("open a TUN device: {error}"),
            remedy: "write `engine: auto`, or give this user read and write access to /dev/net/tun"
                .into(),
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
            Ok(()) => {
                let of_nodes = Lever::ALL.iter().copied().filter(|lever| does_to_nodes(*lever));
                fabric::levers().chain(of_nodes).collect()
            }
            Err(_) => BTreeSet::new(),
        }
    }

    fn addresses(&self) -> Arc<dyn Addresses> {
        self.topology.clone()
    }

    async fn open(&self, ask: OpenLab) -> Result<Arc<dyn Network>, LabError> {
        let mut running = self.running.lock().await;
        if running.is_some() {
            return Err(io::Error::other("the lab is open already").into());
        }
        let fabric = Arc::new(
            Fabric::start(
                self.engine,
                self.seed,
                Options { workers: self.workers, flight_bytes: self.packets.bytes() },
            )
            .map_err(io::Error::other)?,
        );
        let attacher = Attacher::new(fabric.clone(), self.congestion.clone())?;
        let numbering = Numbering::new(&self.topology);
        let (open, closing) = watch::channel(());
        let are_wanted = !self.packets.keep.0.is_zero();
        let (flight, to_flight) = are_wanted.then(|| self.fly(&fabric, &ask.clock)).unzip();
        let events = LabEvents::new(ask.clock, ask.seen, to_flight);
        let (null_target, null_disk) =
            self.measure(&attacher, &numbering, &events, closing.clone())?;
        let places = Arc::new(Places::new(self.topology.clone(), attacher.clone()));
        let port = |end: &End| numbering.port(end).expect("every end of the topology has a number");
        for (name, cell) in &self.topology.cells {
            let end = End::Cell(name.clone());
            places.put(end.clone(), attacher.place(name.as_str(), port(&end), cell.into())?);
        }
        let (answers, heard) = mpsc::unbounded_channel();
        let (mut goals, mut nodes): (BTreeMap<NodeId, mpsc::UnboundedSender<Goal>>, _) =
            (BTreeMap::new(), Vec::new());
        let mut processes = ask.processes;
        for (name, node) in &self.topology.nodes {
            let (send, receive) = mpsc::unbounded_channel();
            let node = Node {
                name: name.clone(),
                addresses: node.into(),
                port: port(&End::Node(name.clone())),
                inside: self.inside.clone(),
                attacher: attacher.clone(),
                places: places.clone(),
                processes: Processes::new(
                    name,
                    processes.remove(name).unwrap_or_default(),
                    &self.run,
                )?,
                events: events.clone(),
                answers: answers.clone(),
                machine: None,
                wanted: NodeCondition::default(),
                revision: 0,
            };
            nodes.push(tokio::spawn(node.live(receive, closing.clone())));
            goals.insert(name.clone(), send);
        }
        let (tell, opened) = oneshot::channel();
        let reconciler = Reconciler {
            steady: Steady::of(&self.topology),
            numbering,
            fabric,
            places: places.clone(),
            events,
            nodes: goals,
            answers: heard,
            opened: Some(tell),
            in_force: self.policy.clone(),
            now: Now::default(),
        };
        let reconciler = tokio::spawn(reconciler.live(ask.want, closing));
        *running = Some(Running { open, reconciler, nodes, null_target, null_disk, flight });
        drop(running);
        let outcome = opened
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the lab was closed while it opened").into()));
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
            drop(flight.open);
            drop(flight.writer.await);
        }
        drop((running.null_target, running.null_disk));
        *lock(&self.policy) = None;
        let end = tokio::time::Instant::now() + CLOSING;
        for mut node in running.nodes {
            if tokio::time::timeout_at(end, &mut node).await.is_err() {
                node.abort();
            }
        }
    }

    fn last_lines(&self, node: &NodeId, process: &str) -> Vec<String> {
        processes::last_lines(&processes::log(&self.run, node, process))
    }

    fn health(&self) -> Health {
        let mut health = Health::default();
        if let Some(own_health) = lock(&self.own_health).as_ref() {
            own_health.report(&mut health);
        }
        health.notes.extend(self.packet_notes.sentences());
        health.degraded.extend(self.note.iter().map(|note| {
            format!("Packets travel over AF_PACKET, which is slower than TUN: {note}.")
        }));
        health
    }
}

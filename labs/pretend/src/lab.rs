//! The lab: a world that a task plays in the time of the runtime.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use model::{Lever, NodeId, Topology, event::Health};
use seams::{Addresses, Lab, LabError, Network, OpenLab, Origin, Wanted};
use tokio::{
    net::{TcpStream, UdpSocket},
    sync::{Notify, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::{
    state::{Place, plays},
    world::World,
};

/// The lab in memory. It is played on a paused clock: the fleets' lanes must live in the same runtime.
#[derive(Debug)]
pub struct Pretend {
    topology: Arc<Topology>,
    seed: u64,
    open: Mutex<Option<(Memory, JoinHandle<()>)>>,
}

/// The world, as the lab's own service, driver and observer reach it: through [`Network::memory`].
#[derive(Clone)]
pub(crate) struct Memory(Arc<Shared>);

struct Shared {
    world: Mutex<World>,
    /// Something was sent: what is due next may have changed.
    stirred: Notify,
}

impl Pretend {
    /// With the same seed, topology and questions everything happens again at the same moments.
    pub fn new(topology: impl Into<Arc<Topology>>, seed: u64) -> Self {
        Self { topology: topology.into(), seed, open: Mutex::new(None) }
    }

    /// Machines and links as they are now; None unless the lab is open.
    pub fn place(&self) -> Option<Place> {
        let open = self.open.lock().expect("no panic while it is held");
        open.as_ref().map(|(memory, _)| memory.world().place.clone())
    }
}

#[async_trait]
impl Lab for Pretend {
    fn engine(&self) -> String {
        "simulated: messages in memory on a paused clock, no packets".to_owned()
    }

    async fn offers(&self) -> BTreeSet<Lever> {
        Lever::ALL.iter().copied().filter(|lever| plays(*lever)).collect()
    }

    fn addresses(&self) -> Arc<dyn Addresses> {
        self.topology.clone()
    }

    async fn open(&self, ask: OpenLab) -> Result<Arc<dyn Network>, LabError> {
        let OpenLab { processes, want, seen, clock, .. } = ask;
        let names = |(node, processes): (NodeId, Vec<seams::Process>)| {
            (node, processes.into_iter().map(|process| process.name).collect())
        };
        let processes: BTreeMap<NodeId, Vec<String>> = processes.into_iter().map(names).collect();
        let world = World::new(self.topology.clone(), processes, self.seed, clock, seen);
        let memory = Memory(Arc::new(Shared { world: Mutex::new(world), stirred: Notify::new() }));
        let player = tokio::spawn(play(memory.clone(), want));
        *self.open.lock().expect("no panic while it is held") = Some((memory.clone(), player));
        Ok(Arc::new(Air { topology: self.topology.clone(), memory }))
    }

    async fn close(&self) {
        let open = self.open.lock().expect("no panic while it is held").take();
        if let Some((memory, player)) = open {
            player.abort();
            memory.world().close(Instant::now());
        }
    }

    fn health(&self) -> Health {
        Health {
            notes: vec!["simulated: figures say what a model does".to_owned()],
            ..Default::default()
        }
    }
}

/// Follows what is wanted and plays what is due, until the lab is closed or nobody wants anything any more.
async fn play(memory: Memory, mut want: watch::Receiver<Wanted>) {
    want.mark_changed();
    loop {
        let next = {
            let mut world = memory.world();
            let now = Instant::now();
            world.play(now);
            if want.has_changed().unwrap_or(false) {
                let Wanted { revision, conditions } = want.borrow_and_update().clone();
                world.reconcile(now, &conditions, revision);
            }
            world.next()
        };
        let due = async {
            match next {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = memory.0.stirred.notified() => {}
            changed = want.changed() => match changed {
                Ok(()) => want.mark_changed(),
                Err(_) => return,
            },
        }
    }
}

impl Memory {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().expect("no panic while it is held")
    }

    /// Does something to the world that may send, and lets it play on.
    pub(crate) fn stir<T>(&self, act: impl FnOnce(&mut World, Instant) -> T) -> T {
        let done = act(&mut self.world(), Instant::now());
        self.0.stirred.notify_one();
        done
    }

    /// The world behind a network; None for one with sockets.
    pub(crate) fn of(network: &dyn Network) -> Option<Self> {
        network.memory()?.downcast_ref::<Self>().cloned()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

/// A network without sockets.
#[derive(Debug)]
struct Air {
    topology: Arc<Topology>,
    memory: Memory,
}

#[async_trait]
impl Network for Air {
    fn address(&self, node: &NodeId, port: u16) -> SocketAddr {
        let address =
            self.topology.nodes.get(node).map_or([0, 0, 0, 0].into(), |node| node.address);
        SocketAddr::from((address, port))
    }

    async fn tcp(&self, _: &Origin, _: SocketAddr) -> io::Result<TcpStream> {
        Err(no_sockets())
    }

    async fn udp(&self, _: &Origin) -> io::Result<UdpSocket> {
        Err(no_sockets())
    }

    fn memory(&self) -> Option<&(dyn Any + Send + Sync)> {
        Some(&self.memory)
    }
}

fn no_sockets() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "the pretend lab has no sockets; only its own `pretend` system runs in it",
    )
}

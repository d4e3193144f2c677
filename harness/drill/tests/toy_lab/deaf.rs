//! The whole of a lab: the world in memory of the lab `pretend`, without anything that happens to links.

use std::{
    collections::BTreeSet,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use model::{LabEvent, Lever, NodeId, Stamped, event::Health};
use pretend::Pretend;
use schemars::JsonSchema;
use seams::{
    Addresses, Body, Ended, Entered, Kind, Lab, LabError, LabKind, LabSetup, MakeLab, Network,
    OpenLab, Process, Room, catalog::stored,
};
use serde::{Deserialize, Serialize};

pub(crate) const LAB: Kind<MakeLab> = Kind::new::<Deaf>(
    "deaf",
    "Servers in memory that can be killed, and links that nothing happens to.",
    "{name: stones}",
    &Deafness { owns_processes: true, full: false },
);

/// The same on a machine that has no room for anything.
pub(crate) const FULL: Kind<MakeLab> = Kind::new::<Deaf>(
    "full",
    "No room for a server.",
    "{name: stones}",
    &Deafness { owns_processes: true, full: true },
);

/// What a lab calls itself whose servers end as soon as they have begun.
pub(crate) const SHORT_LIVED: &str = "a lab of mayflies";

/// The same for a stack that runs already.
pub(crate) const ELSEWHERE: Kind<MakeLab> = Kind::new::<Deaf>(
    "elsewhere",
    "Servers of somebody else.",
    "{name: stones}",
    &Deafness { owns_processes: false, full: false },
);

/// Parameters of the kind `deaf`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Deaf {
    /// What the lab calls itself.
    name: String,
}

struct Deafness {
    owns_processes: bool,
    full: bool,
}

impl LabKind for Deafness {
    fn simulated(&self) -> bool {
        true
    }

    fn owns_processes(&self) -> bool {
        self.owns_processes
    }

    fn has_room(&self, room: &Room) -> Result<(), LabError> {
        let what = format!("hold {} assets", room.assets);
        let refused = LabError::Refused { what, remedy: "make room".into() };
        if self.full { Err(refused) } else { Ok(()) }
    }

    fn enter(&self, setup: LabSetup, body: Body<'_>) -> Result<Ended, LabError> {
        let Deaf { name } = stored(&setup.params).expect("the kind's own reader wrote them");
        let world = Pretend::new(setup.topology, setup.seed);
        let lab = Arc::new(DeafLab { name, world, processes: AtomicUsize::new(0) });
        let entered = Entered { lab, interrupt: Box::pin(pending()) };
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build()?;
        let inside = tokio::task::LocalSet::new();
        Ok(Ended::Returned(inside.block_on(&runtime, async { body(Ok(entered)).await })))
    }
}

struct DeafLab {
    name: String,
    world: Pretend,
    /// How many the lab was told to start.
    processes: AtomicUsize,
}

#[async_trait]
impl Lab for DeafLab {
    fn engine(&self) -> String {
        format!("{} with {} processes", self.name, self.processes.load(Relaxed))
    }

    async fn offers(&self) -> BTreeSet<Lever> {
        [Lever::Crash, Lever::Terminate].into()
    }

    fn addresses(&self) -> Arc<dyn Addresses> {
        self.world.addresses()
    }

    async fn open(&self, ask: OpenLab) -> Result<Arc<dyn Network>, LabError> {
        self.processes.store(ask.processes.values().map(Vec::len).sum(), Relaxed);
        if self.name == SHORT_LIVED {
            let ended = |(node, processes): (&NodeId, &Vec<Process>)| LabEvent::ProcessExited {
                node: node.clone(),
                process: processes[0].name.clone(),
                status: "exited with code 2".into(),
                asked: false,
            };
            let told =
                ask.processes.iter().map(ended).map(|what| Stamped { at: ask.clock.now(), what });
            told.for_each(|stamped| drop(ask.seen.send(stamped)));
        }
        self.world.open(ask).await
    }

    fn last_lines(&self, node: &NodeId, process: &str) -> Vec<String> {
        vec![format!("{process} on {node} was tired")]
    }

    async fn close(&self) {
        self.world.close().await;
    }

    fn health(&self) -> Health {
        self.world.health()
    }
}

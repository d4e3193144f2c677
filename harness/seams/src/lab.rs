//! Where the stack runs.

use std::{collections::BTreeMap, collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use model::{
    CellId, Conditions, End, Lever, Link, Micros, NodeId,
    event::{HealedBy, Health},
};
use tokio::sync::{mpsc, watch};

use crate::{Addresses, Clock, Ground, Process};

/// The whole wanted state of the world, with a number that grows with each change.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub revision: u64,
    pub conditions: Arc<Conditions>,
}

/// What a lab noticed, stamped where it was noticed.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub at: Micros,
    pub what: Sight,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Sight {
    /// The world of this revision holds, as a whole: no packet that it forbids passes after `at`.
    InForce {
        revision: u64,
    },
    /// The stack or an asset was hit by a lever. `count`: since this lever was last put in force at this place; `first`: its first moment;
    /// `established`: how many of the hits were segments of established connections. Sent at the first hit and when a lever is let go.
    Hit {
        lever: Lever,
        at: Spot,
        count: u64,
        first: Micros,
        established: u64,
    },
    /// The harness's own canary on a link.
    Canary {
        link: Link,
        passed: bool,
    },
    /// A packet passed on a link that had been cut.
    Healed {
        link: Link,
        by: HealedBy,
    },
    Started {
        node: NodeId,
        process: String,
    },
    Exited {
        node: NodeId,
        process: String,
        status: String,
        asked: bool,
    },
    CannotDo {
        lever: Lever,
        end: End,
        why: String,
    },
}

/// A place where a lever was seen to bite.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    Link(Link),
    Node(NodeId),
    /// One process of a node, where the lever was pulled at that process alone.
    Process {
        node: NodeId,
        process: String,
    },
    /// Assets of a cell, where the lever is one of the fleets.
    Cell(CellId),
}

/// A reconciler: it is told the whole wanted world and moves there from wherever it is. Nothing is undone, nothing leaks.
#[async_trait]
pub trait Lab: Send + Sync {
    /// How packets travel, and what is degraded, in words; for the report.
    fn engine(&self) -> String;

    /// What it can do, tried and not looked up in a table.
    async fn offers(&self) -> BTreeSet<Lever>;

    /// Where nodes reach each other in it, for the configuration of the servers. Known before the lab is open.
    fn addresses(&self) -> Arc<dyn Addresses>;

    /// Brings every node up with its processes, in the world that `want` holds now, and follows it from then on.
    async fn open(&self, ask: Open) -> Result<Arc<dyn Ground>, LabError>;

    /// Ends everything. Idempotent.
    async fn close(&self);

    /// What the lab knows of its own faults so far: its part of [`Health`].
    fn health(&self) -> Health;
}

/// What a lab is opened with.
#[derive(Debug)]
pub struct Open {
    pub processes: BTreeMap<NodeId, Vec<Process>>,
    pub want: watch::Receiver<Wanted>,
    pub seen: mpsc::UnboundedSender<Seen>,
    pub clock: Clock,
}

#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The host does not allow it; `remedy` is what to type.
    #[error("{what}; {remedy}")]
    Refused { what: String, remedy: String },
    #[error("start {process} on {node}: {why}")]
    Process { node: NodeId, process: String, why: String },
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

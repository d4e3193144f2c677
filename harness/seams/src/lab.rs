//! Where the stack runs.

use std::{collections::BTreeMap, collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use model::{Conditions, Lever, NodeId, Stamped, event::Health};
use tokio::sync::{mpsc, watch};

use crate::{Addresses, Clock, Network, Process};

/// The whole wanted state of the world, with a number that grows with each change.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub revision: u64,
    pub conditions: Arc<Conditions>,
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
    async fn open(&self, ask: OpenLab) -> Result<Arc<dyn Network>, LabError>;

    /// Ends everything. Idempotent.
    async fn close(&self);

    /// The last lines that a process of a node wrote, for the words of an error; empty where the lab keeps none.
    fn last_lines(&self, node: &NodeId, process: &str) -> Vec<String> {
        let _ = (node, process);
        vec![]
    }

    /// What the lab knows of its own faults so far: its part of [`Health`].
    fn health(&self) -> Health;
}

/// What a lab is opened with.
#[derive(Debug)]
pub struct OpenLab {
    pub processes: BTreeMap<NodeId, Vec<Process>>,
    pub want: watch::Receiver<Wanted>,
    pub seen: mpsc::UnboundedSender<Stamped>,
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

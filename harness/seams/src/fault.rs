//! What goes wrong.

use std::{fmt, time::Duration};

use model::{Conditions, NodeId, Topology, plan::Target};

/// A fault says what it adds to the world at a moment. It is a pure function of the time since its opening and of the nodes that were
/// picked for it; it never sees the stack.
pub trait Fault: fmt::Debug + Send + Sync {
    /// Whom it wants to hit, in the order in which [`Moment::picked`] answers. The engine resolves them, refuses an empty answer,
    /// records them and resolves them again where the window follows.
    fn targets(&self) -> Vec<Target>;

    /// What it adds to the world now. The value *is* the window's claim: what it says must be proven.
    fn at(&self, now: &Moment<'_>) -> Conditions;

    /// When, after `elapsed`, [`Fault::at`] changes next by itself; None for a fault that stays as it is.
    fn next_change(&self, elapsed: Duration) -> Option<Duration> {
        let _ = elapsed;
        None
    }

    /// What is wrong with it in this topology, in sentences, beyond what its types already refuse.
    fn check(&self, topology: &Topology) -> Vec<String> {
        let _ = topology;
        Vec::new()
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Since the window opened.
    pub elapsed: Duration,
    pub topology: &'a Topology,
    /// The nodes picked for each of [`Fault::targets`].
    pub picked: &'a [Vec<NodeId>],
}

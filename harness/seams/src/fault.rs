//! What goes wrong.

use std::{fmt, iter::successors, time::Duration};

use model::{CellId, Conditions, End, NodeId, Topology, plan::Target};

/// A fault says what it adds to the world at a moment. It is a pure function of the time since its opening and of the ends that were
/// picked for it; it never sees the stack.
pub trait Fault: fmt::Debug + Send + Sync {
    /// Whom it wants to hit, in the order in which [`Moment::picked`] answers. The engine resolves them, refuses an empty answer,
    /// records them and resolves them again where the window follows.
    fn targets(&self) -> Vec<Target>;

    /// What it does to whom it hits, as a headline says it, such as `losing` in "losing us-west".
    fn deed(&self) -> &'static str;

    /// What it adds to the world now. The value *is* the window's claim: what it says must be proven.
    fn at(&self, now: &Moment<'_>) -> Conditions;

    /// When, after `elapsed`, [`Fault::at`] changes next by itself; None for a fault that stays as it is.
    fn next_change(&self, elapsed: Duration) -> Option<Duration> {
        let _ = elapsed;
        None
    }

    /// The processes that it hits by name. Each must be one that a service of some node it can hit has.
    fn processes(&self) -> Vec<&str> {
        Vec::new()
    }

    /// What is wrong with it in this topology, beyond what its types already refuse.
    fn check(&self, topology: &Topology) -> Vec<Objection> {
        let _ = topology;
        Vec::new()
    }
}

impl dyn Fault + '_ {
    /// The opening, and each moment after it at which the fault changes by itself, as times since the opening. Without an end for a fault that
    /// never comes to rest.
    pub fn moments(&self) -> impl Iterator<Item = Duration> + '_ {
        // A change that is no later than the one before would hold the caller for ever.
        let next = |elapsed: &Duration| self.next_change(*elapsed).filter(|next| next > elapsed);
        successors(Some(Duration::ZERO), next)
    }
}

/// What is wrong with the parameters of a fault or a service. The texts are whole sentences without a full stop, names in backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// The parameter that the objection is about, as a path of keys and of places in lists, such as `between.0.of`; empty for the
    /// kind as a whole. The scenario reader finds the place in the text by it.
    pub key: String,
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Objection {
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), help: None }
    }

    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// The same objection about parameters that stand below a key of other parameters.
    #[must_use]
    pub fn under(mut self, key: &str) -> Self {
        self.key = match self.key.as_str() {
            "" => key.to_owned(),
            own => format!("{key}.{own}"),
        };
        self
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Since the window opened.
    pub elapsed: Duration,
    pub topology: &'a Topology,
    /// The ends picked for each of [`Fault::targets`].
    pub picked: &'a [Vec<End>],
}

impl Moment<'_> {
    /// The nodes picked for one of the targets, counted from 0.
    pub fn nodes(&self, target: usize) -> Vec<NodeId> {
        let ends = self.picked.get(target).into_iter().flatten();
        ends.filter_map(|end| match end {
            End::Node(name) => Some(name.clone()),
            End::Cell(_) => None,
        })
        .collect()
    }

    /// The cells picked for one of the targets, counted from 0.
    pub fn cells(&self, target: usize) -> Vec<CellId> {
        let ends = self.picked.get(target).into_iter().flatten();
        ends.filter_map(|end| match end {
            End::Node(_) => None,
            End::Cell(name) => Some(name.clone()),
        })
        .collect()
    }
}

//! What the journal says of faults: when each window was open, at whom, and whether it was seen to bite. Written from the measurement page,
//! not from `findings`.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    CellId, Conditions, CutForm, End, Event, FleetState, Link, NodeId, NodeState, Plan, Ports,
    Record, ServiceId, WindowId, event::Affected,
};
use seams::Moment;

/// One window as it was: planned, opened, moved, closed, proven.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) id: WindowId,
    pub(crate) asked: i64,
    /// The end of the run where it was never closed.
    pub(crate) closed: Option<i64>,
    /// First moment at which the stack or an asset was hit.
    pub(crate) proven: Option<i64>,
    pub(crate) affected: Affected,
    /// Cells whose assets it hits themselves.
    pub(crate) cells: BTreeSet<CellId>,
    /// Whether a leader was known of a service that it hit, when it opened.
    pub(crate) roles_known: bool,
    /// What nobody gets through or to any more, and in which span.
    pub(crate) takes: Vec<(Thing, i64, i64)>,
}

/// What a fault takes away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Thing {
    Node(NodeId),
    /// One direction.
    Link(End, End),
    /// The assets of a cell keep away themselves.
    Assets(CellId),
}

/// Windows that opened, in the order of their opening.
pub(crate) fn windows(plan: &Plan, events: &[Record], end: i64) -> Vec<Window> {
    let mut all = BTreeMap::<&WindowId, Window>::new();
    let mut held = BTreeMap::<&WindowId, (i64, &Vec<Vec<End>>)>::new();
    let mut led = BTreeSet::new();
    for record in events {
        let at = record.at.0;
        match &record.event {
            Event::FaultAsked { window, picked, affected, .. }
            | Event::FaultMoved { window, picked, affected, .. } => {
                let hits = |service: &&ServiceId| {
                    let nodes = picked.iter().flatten().filter_map(|end| match end {
                        End::Node(node) => plan.topology.nodes.get(node),
                        End::Cell(_) => None,
                    });
                    nodes.into_iter().any(|node| node.services.contains(*service))
                };
                let roles_known = led.iter().any(hits);
                let mine = all
                    .entry(window)
                    .or_insert_with(|| Window { roles_known, ..Window::asked(window, at) });
                mine.affected.extend(affected);
                let cell = |end: &End| match end {
                    End::Cell(cell) => Some(cell.clone()),
                    End::Node(_) => None,
                };
                mine.cells.extend(picked.iter().flatten().filter_map(cell));
                if let Some((since, before)) = held.insert(window, (at, picked)) {
                    mine.take(plan, before, since, at);
                }
            }
            Event::FaultClosed { window, .. } => {
                let mine = all.get_mut(window).expect("what closes was open");
                mine.closed = Some(at);
                if let Some((since, picked)) = held.remove(window) {
                    mine.take(plan, picked, since, at);
                }
            }
            Event::RoleChanged { service, role, .. } if role.kind.leads() => {
                led.insert(service);
            }
            Event::Proven { window, count: 1.., first, .. } => {
                let mine = all.get_mut(window).expect("what is proven was open");
                mine.proven = Some(mine.proven.map_or(first.0, |before| before.min(first.0)));
            }
            _ => {}
        }
    }
    for (window, (since, picked)) in held {
        all.get_mut(window).expect("what is held was open").take(plan, picked, since, end);
    }
    let mut all: Vec<Window> = all.into_values().collect();
    all.sort_by_key(|window| (window.asked, window.closed.unwrap_or(i64::MAX)));
    all
}

impl Window {
    fn asked(id: &WindowId, at: i64) -> Self {
        Self {
            id: id.clone(),
            asked: at,
            closed: None,
            proven: None,
            affected: Affected::default(),
            cells: BTreeSet::new(),
            roles_known: false,
            takes: Vec::new(),
        }
    }

    pub(crate) fn until(&self) -> i64 {
        self.closed.unwrap_or(i64::MAX)
    }

    /// The fault is a pure function of time and targets: what it does to the world is asked of itself.
    fn take(&mut self, plan: &Plan, picked: &[Vec<End>], from: i64, to: i64) {
        let window = plan.windows.iter().find(|w| w.id == self.id).expect("a window of the plan");
        let kind = faults::CATALOG.find(&window.fault.kind).expect("a kind of this build");
        let fault = (kind.make)(&window.fault.params).expect("the kind wrote them itself");
        let mut at = from;
        while at < to {
            let elapsed = model::Micros(at).since(model::Micros(self.asked));
            let now = Moment { elapsed, topology: &plan.topology, picked };
            let next = fault.next_change(elapsed).map(|next| self.asked + next.as_micros() as i64);
            let until = next.filter(|next| *next > at).unwrap_or(to).min(to);
            self.takes.extend(taken(&fault.at(&now)).into_iter().map(|thing| (thing, at, until)));
            at = until;
        }
    }
}

/// What this world takes away as a whole. A cut of single ports leaves the link, and so does whatever makes it slow or lossy; one process
/// that ends leaves its node.
fn taken(world: &Conditions) -> Vec<Thing> {
    let whole = |cuts: &BTreeSet<model::Cut>| {
        cuts.iter().any(|cut| match (&cut.ports, cut.form) {
            (Ports::All, CutForm::Drop | CutForm::Reject | CutForm::Jam) => true,
            (Ports::Only(_), _) => false,
        })
    };
    let cut = world.links.iter().filter(|(_, condition)| whole(&condition.cuts));
    let links = cut.map(|(Link { from, to }, _)| Thing::Link(from.clone(), to.clone()));
    let down = world.nodes.iter().filter(|(_, condition)| condition.state != NodeState::Up);
    let away = world.fleets.iter().filter(|(_, fleet)| fleet.state != FleetState::Online);
    let nodes = down.map(|(node, _)| Thing::Node(node.clone()));
    links.chain(nodes).chain(away.map(|(cell, _)| Thing::Assets(cell.clone()))).collect()
}

/// Windows that were open together; those that only touch are apart.
pub(crate) fn overlapping(windows: &[Window]) -> Vec<Vec<&Window>> {
    let mut groups: Vec<Vec<&Window>> = Vec::new();
    for window in windows {
        match groups.last_mut() {
            Some(group) if group.iter().any(|other| window.asked < other.until()) => {
                group.push(window);
            }
            _ => groups.push(vec![window]),
        }
    }
    groups
}

//! When the assets of a cell can be reached.

use std::time::Duration;

use model::{CellId, Micros, Plan, plan::Fleet};

/// When the assets of a cell are in contact.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    /// Half open, in order, never touching.
    spans: Vec<(Micros, Micros)>,
    /// The end of the plan: nothing is sent then or later.
    pub(crate) end: Micros,
}

impl Contact {
    /// One for each home of a fleet.
    pub(crate) fn of_homes(plan: &Plan, fleet: &Fleet) -> Vec<Self> {
        fleet.home.keys().map(|home| Self::of(plan, fleet.cells.get(home))).collect()
    }

    /// Always, for a cell without slots that are down.
    fn of(plan: &Plan, cell: Option<&CellId>) -> Self {
        let end = plan.latest_end();
        let cell = cell.and_then(|name| plan.topology.cells.get(name));
        let spans =
            cell.map_or_else(|| vec![(Duration::ZERO, end)], |cell| cell.track.contacts(end));
        let spans =
            spans.into_iter().map(|(aos, los)| (Micros::after(aos), Micros::after(los))).collect();
        Self { spans, end: Micros::after(end) }
    }

    /// The first moment in contact from `t` on; the end of the plan where there is none.
    pub(crate) fn from(&self, t: Micros) -> Micros {
        let next = self.spans.partition_point(|(_, los)| *los <= t);
        self.spans.get(next).map_or(self.end, |(aos, _)| t.max(*aos))
    }

    pub(crate) fn holds(&self, t: Micros) -> bool {
        self.from(t) == t
    }

    /// No contact from `t` on.
    pub(crate) fn is_over(&self, t: Micros) -> bool {
        self.from(t) >= self.end
    }

    /// When the silence before the contact at `t` began.
    pub(crate) fn silent_since(&self, t: Micros) -> Micros {
        let before = self.spans.iter().rev().find(|(_, los)| *los <= t);
        before.map_or(Micros::ZERO, |(_, los)| *los)
    }

    /// When the contact at `t` ends.
    pub(crate) fn until(&self, t: Micros) -> Micros {
        self.spans.iter().find(|(_, los)| *los > t).map_or(self.end, |(_, los)| *los)
    }

    /// Acquisitions (true) and losses of signal during the run.
    pub(crate) fn edges(&self) -> impl Iterator<Item = (Micros, bool)> + '_ {
        let all = self.spans.iter().flat_map(|(aos, los)| [(*aos, true), (*los, false)]);
        all.filter(|(at, _)| *at > Micros::ZERO && *at < self.end)
    }
}

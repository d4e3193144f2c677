//! Changes of terms under packets that wait: those of rules, and those of the links' own clocks.

use std::cmp::Reverse;

use super::Switch;
use crate::flow::Change;
use crate::slab::Stored;

impl Switch {
    /// Turns a link's clock, and where that changes its rate, times what waits on it anew.
    pub(super) fn turn(&mut self, now: u64, link: usize) {
        let flow = &mut self.links.flows[link];
        let Some(change) = flow.turn(now, &mut self.slab) else { return };
        if let Some(due) = flow.next_due(&self.slab) {
            // A link has one entry, which may be anywhere in the heap. Rates change by the slot, not by the packet.
            self.heads.retain(|Reverse((_, other))| *other != link);
            self.heads.push(Reverse((due, link)));
        }
        if flow.is_in_wheel() {
            self.rewind(now, |other| (other == link).then_some(change));
        }
    }

    /// Turns the links whose slot has ended and on which something waits: no packet need arrive for the next rate to hold.
    pub(super) fn turn_waiting(&mut self, now: u64) {
        while let Some(Reverse((_, link))) =
            self.turns.peek().copied().filter(|Reverse((at, _))| *at <= now)
        {
            self.turns.pop();
            self.turn(now, link);
            let flow = &mut self.links.flows[link];
            flow.forget_turn();
            if let Some(at) = flow.await_turn() {
                self.turns.push(Reverse((at, link)));
            }
        }
    }

    /// Finds anew, after rules have changed, what every link waits for.
    pub(super) fn schedule_all(&mut self) {
        self.heads.clear();
        self.turns.clear();
        for (index, flow) in self.links.flows.iter_mut().enumerate() {
            self.heads.extend(flow.next_due(&self.slab).map(|due| Reverse((due, index))));
            flow.forget_turn();
            self.turns.extend(flow.await_turn().map(|at| Reverse((at, index))));
        }
    }

    /// Sets the wheel anew; `change_of` says what has changed for a link.
    pub(super) fn rewind(&mut self, now: u64, change_of: impl Fn(usize) -> Option<Change>) {
        let mut all: Vec<(u64, Stored)> = Vec::new();
        // In the order in which they are serialised.
        self.wheel
            .drain(&mut self.slab, |slab, stored| all.push((slab.waiting(stored).sent, stored)));
        all.sort_unstable();
        for (_, stored) in all {
            let index = self.slab.waiting(stored).flow as usize;
            if let Some(change) = change_of(index) {
                let flow = &mut self.links.flows[index];
                if !flow.keeps(now, stored, true, &mut self.slab) {
                    continue;
                }
                let times = flow.retimed(now, self.slab.waiting(stored), change);
                let waiting = self.slab.waiting_mut(stored);
                (waiting.sent, waiting.due) = (times.sent, times.due);
            }
            let due = self.slab.waiting(stored).due;
            self.wheel.insert(&mut self.slab, stored, due);
        }
    }
}

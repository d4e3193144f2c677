//! Changes of impairments under packets that wait: those of rules, and those of the links' own clocks.

use std::cmp::Reverse;

use super::Switch;
use crate::link_state::Change;
use crate::slab::Stored;

impl Switch {
    /// Turns a link's clock, and where that changes its rate, times what waits on it anew.
    pub(super) fn retime(&mut self, now: u64, link: usize) {
        let state = &mut self.links.states[link];
        let Some(change) = state.retime(now, &mut self.slab) else { return };
        if let Some(due) = state.next_due(&self.slab) {
            // A link has one entry, which may be anywhere in the heap. Rates change by the slot, not by the packet.
            self.heads.retain(|Reverse((_, other))| *other != link);
            self.heads.push(Reverse((due, link)));
        }
        if state.is_in_wheel() {
            self.rewind(now, |other| (other == link).then_some(change));
        }
    }

    /// Turns the links whose slot has ended and on which something waits: no packet need arrive for the next rate to hold.
    pub(super) fn turn_waiting(&mut self, now: u64) {
        while let Some(Reverse((_, link))) =
            self.turns.peek().copied().filter(|Reverse((at, _))| *at <= now)
        {
            self.turns.pop();
            self.retime(now, link);
            let state = &mut self.links.states[link];
            state.forget_turn();
            if let Some(at) = state.await_turn() {
                self.turns.push(Reverse((at, link)));
            }
        }
    }

    /// Finds anew, after rules have changed, what every link waits for.
    pub(super) fn schedule_all(&mut self) {
        self.heads.clear();
        self.turns.clear();
        for (index, state) in self.links.states.iter_mut().enumerate() {
            self.heads.extend(state.next_due(&self.slab).map(|due| Reverse((due, index))));
            state.forget_turn();
            self.turns.extend(state.await_turn().map(|at| Reverse((at, index))));
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
            let index = self.slab.waiting(stored).state as usize;
            if let Some(change) = change_of(index) {
                let state = &mut self.links.states[index];
                if !state.keeps(now, stored, true, &mut self.slab) {
                    continue;
                }
                let times = state.retimed(now, self.slab.waiting(stored), change);
                let waiting = self.slab.waiting_mut(stored);
                (waiting.sent, waiting.due) = (times.sent, times.due);
            }
            let due = self.slab.waiting(stored).due;
            self.wheel.insert(&mut self.slab, stored, due);
        }
    }
}

//! One directed link at work: its rule, its clock, its serialiser, its queue, its counters.
//! Times are nanoseconds on whatever clock the caller keeps, and never run backwards.

use std::time::Duration;

use model::{Cut, Lever, Slot, conditions};

use crate::counters::{Epoch, Hits, LEVERS, LinkCounters, Tally};
use crate::packet::Class;
use crate::policy::{Clocked, Link, Rule};
use crate::slab::{Fifo, Slab, Stored, Waiting};
use crate::terms::{Random, Terms};

/// Bytes of frames that may wait on one link; at 1 Gbit/s this is half a second of delay.
pub(crate) const WAITING_BYTES_MAX: usize = 64 << 20;

pub(crate) struct Flow {
    pub(crate) link: Link,
    pub(crate) counters: LinkCounters,
    pub(crate) terms: Terms,
    pub(crate) random: Random,
    /// Packets that keep their order.
    pub(crate) queue: Fifo,
    rule: Rule,
    /// When the terms end by the clock.
    turns_at: u64,
    /// When the serialiser will have sent everything that waits for it.
    busy_until: u64,
    waiting_bytes: usize,
    /// Packets of this link in the wheel.
    in_wheel: usize,
}

/// When a packet leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) sent: u64,
    pub(crate) due: u64,
}

impl Flow {
    /// `seed` is the fabric's; every link draws from its own generator.
    pub(crate) fn new(link: Link, seed: u64, epoch: Epoch) -> Self {
        let own = (u64::from(link.from.0) << 32) | u64::from(link.to.0);
        Self {
            link,
            counters: LinkCounters::since(epoch),
            terms: Terms::new(&model::LinkQuality::default(), true),
            random: Random::new(seed ^ own),
            queue: Fifo::default(),
            rule: Rule::default(),
            turns_at: u64::MAX,
            busy_until: 0,
            waiting_bytes: 0,
            in_wheel: 0,
        }
    }

    /// Turns the link's own clock. The terms of a slot are made when it begins, not per packet.
    pub(crate) fn turn(&mut self, now: u64) {
        if now >= self.turns_at {
            self.set_terms(now);
        }
    }

    fn set_terms(&mut self, now: u64) {
        let Some(Clocked { origin_ns, track }) = &self.rule.clocked else {
            self.terms = Terms::new(&self.rule.quality, true);
            self.turns_at = u64::MAX;
            return;
        };
        let moment = Duration::from_nanos(now.saturating_sub(*origin_ns));
        let next = track.slots.iter().map(|slot| slot.from).find(|from| *from > moment);
        self.turns_at = next.map_or(u64::MAX, |from| origin_ns.saturating_add(crate::terms::nanos(from)));
        self.terms = match track.at(moment) {
            Some(Slot { quality, up, .. }) => Terms::new(&self.rule.quality.then(quality), *up),
            None => Terms::new(&self.rule.quality, true),
        };
    }

    pub(crate) fn cut_for(&self, class: Class) -> Option<&Cut> {
        conditions::strongest(&self.rule.cuts, class.ports, class.carries_data)
    }

    /// When the last packet of the queue leaves.
    fn last_due(&self, slab: &Slab) -> u64 {
        self.queue.last().map_or(0, |last| slab.waiting(last).due)
    }

    /// Serialises a packet and draws its time in flight; None when the rate's queue is full.
    pub(crate) fn times(&mut self, now: u64, class: Class, load: Tally, jumps: bool, slab: &Slab) -> Option<Times> {
        let sent = self.serialise(now, class, load)?;
        let held = if jumps { 0 } else { self.terms.held(&mut self.random) };
        if !jumps && self.terms.delay_ns > 0 {
            self.counters.hit(Lever::Delay, now, class, load);
        }
        if !jumps && self.terms.has_jitter() {
            self.counters.hit(Lever::Jitter, now, class, load);
        }
        if jumps {
            self.counters.hit(Lever::Reorder, now, class, load);
        }
        let due = sent + held;
        let due = if self.terms.overtakes { due } else { due.max(self.last_due(slab)) };
        Some(Times { sent, due })
    }

    /// When the packet will have left the serialiser; None when its queue is full.
    fn serialise(&mut self, now: u64, class: Class, load: Tally) -> Option<u64> {
        let Some((bps, queue_bytes)) = self.terms.rate else { return Some(now) };
        let backlog_ns = self.busy_until.saturating_sub(now);
        if backlog_ns > 0 {
            self.counters.hit(Lever::Rate, now, class, load);
            let backlog_bytes = u128::from(backlog_ns) * u128::from(bps) / 8_000_000_000;
            if backlog_bytes + u128::from(load.bytes) > u128::from(queue_bytes) {
                return None;
            }
        }
        self.busy_until = self.busy_until.max(now) + transmission_ns(load.bytes, bps);
        Some(self.busy_until)
    }

    /// Whether a packet may leave at once: it is due, and would overtake nobody who keeps the order.
    pub(crate) fn may_pass(&self, now: u64, times: Times) -> bool {
        times.due <= now && (self.terms.overtakes || self.queue.is_empty())
    }

    pub(crate) fn has_room(&self, frame_bytes: usize) -> bool {
        self.waiting_bytes + frame_bytes <= WAITING_BYTES_MAX
    }

    /// A packet of this link waits from now on, in the wheel or in the queue.
    pub(crate) fn entered(&mut self, waiting: &Waiting, in_wheel: bool) {
        self.waiting_bytes += waiting.frame_bytes();
        self.in_wheel += usize::from(in_wheel);
        self.counters.delayed.add(waiting.load);
        self.counters.waiting.add(waiting.load);
    }

    /// It waits no more.
    pub(crate) fn left(&mut self, waiting: &Waiting, in_wheel: bool) {
        self.waiting_bytes -= waiting.frame_bytes();
        self.in_wheel -= usize::from(in_wheel);
        self.counters.waiting.remove(waiting.load);
    }

    /// Books a packet that was handed to the far port, or that the port did not take.
    pub(crate) fn book(&mut self, now: u64, class: Class, load: Tally, delivered: bool) {
        if delivered {
            self.counters.passed.add(load);
            self.counters.passed_hits.add(now, class, load);
        } else {
            self.counters.undelivered.add(load);
        }
    }

    /// When the first packet of the queue leaves.
    pub(crate) fn next_due(&self, slab: &Slab) -> Option<u64> {
        self.queue.first().map(|first| slab.waiting(first).due)
    }

    pub(crate) fn has_other_rate(&self, rule: &Rule) -> bool {
        self.rule.quality.rate != rule.quality.rate
    }

    pub(crate) fn has_rule(&self, rule: &Rule) -> bool {
        self.rule == *rule
    }

    /// Whether some of its packets wait in the wheel.
    pub(crate) fn is_in_wheel(&self) -> bool {
        self.in_wheel > 0
    }

    /// Puts another rule in force and returns the last counters under the old one. Waiting packets of a cut are dropped; the others
    /// keep their places and never wait longer than the new rule could have made them wait. Those in the wheel are the caller's:
    /// each goes through [`Flow::keeps`] and [`Flow::retimed`].
    pub(crate) fn set_rule(&mut self, now: u64, rule: &Rule, epoch: Epoch, slab: &mut Slab) -> LinkCounters {
        let closed = self.counters;
        self.counters.passed_hits = Hits { since: epoch, ..Hits::default() };
        for lever in LEVERS {
            if !is_same(&self.rule, rule, lever) {
                self.counters.begin(lever, epoch);
            }
        }
        let has_new_rate = self.has_other_rate(rule);
        self.rule.clone_from(rule);
        self.set_terms(now);
        if has_new_rate {
            self.busy_until = now;
        }
        let mut old = std::mem::take(&mut self.queue);
        let mut last_due = 0;
        while let Some(stored) = old.pop(slab) {
            if !self.keeps(now, stored, false, slab) {
                continue;
            }
            let times = self.retimed(now, slab.waiting(stored), has_new_rate);
            last_due = times.due.max(last_due);
            let waiting = slab.waiting_mut(stored);
            (waiting.sent, waiting.due) = (times.sent, last_due);
            self.queue.push(slab, stored);
        }
        closed
    }

    /// Whether a packet may go on waiting under the present rule; one that may not is counted and gone.
    pub(crate) fn keeps(&mut self, now: u64, stored: Stored, in_wheel: bool, slab: &mut Slab) -> bool {
        let waiting = *slab.waiting(stored);
        let Some(lever) = self.cut_for(waiting.class).map(Cut::lever) else { return true };
        self.left(&waiting, in_wheel);
        self.counters.cut.add(waiting.load);
        self.counters.hit(lever, now, waiting.class, waiting.load);
        slab.give_back(stored);
        false
    }

    /// When a waiting packet leaves under the present rule.
    pub(crate) fn retimed(&mut self, now: u64, waiting: &Waiting, has_new_rate: bool) -> Times {
        let held = (waiting.due - waiting.sent).min(self.terms.held_max_ns);
        let mut sent = waiting.sent;
        if has_new_rate && sent > now {
            if let Some((bps, _)) = self.terms.rate {
                self.busy_until += transmission_ns(waiting.load.bytes, bps);
            }
            sent = self.busy_until;
        }
        // What was not due yet becomes due now at the earliest: it is released, not late.
        Times { sent, due: (sent + held).max(waiting.due.min(now)) }
    }
}

/// Whether both rules say the same of a lever.
fn is_same(a: &Rule, b: &Rule, lever: Lever) -> bool {
    let (one, other) = (&a.quality, &b.quality);
    match lever {
        Lever::Delay => one.delay == other.delay,
        Lever::Jitter => one.jitter == other.jitter,
        Lever::Loss => (&one.loss, &one.bursts) == (&other.loss, &other.bursts),
        Lever::Duplicate => one.duplicate == other.duplicate,
        Lever::Corrupt => one.corrupt == other.corrupt,
        Lever::Reorder => one.reorder == other.reorder,
        Lever::Rate => (one.rate, one.queue) == (other.rate, other.queue),
        Lever::Mtu => one.mtu == other.mtu,
        _ => {
            let of = |rule: &'_ Rule| rule.cuts.iter().filter(|cut| cut.lever() == lever).cloned().collect::<Vec<_>>();
            of(a) == of(b)
        }
    }
}

fn transmission_ns(bytes: u64, bps: u64) -> u64 {
    let ns = (u128::from(bytes) * 8_000_000_000).div_ceil(u128::from(bps));
    u64::try_from(ns).unwrap_or(u64::MAX >> 3)
}

//! One directed link at work: its rule, its clock, its serialiser, its queue, its counters.
//! Times are nanoseconds on whatever clock the caller keeps, and never run backwards.

use std::time::Duration;

use model::{Cut, Lever, Slot, conditions};

use crate::counters::{Epoch, Hits, LinkCounters, Tally, levers};
use crate::impairments::{Impairments, Random};
use crate::packet::Class;
use crate::policy::{Clocked, Link, Rule};
use crate::slab::{Fifo, Slab, Stored, Waiting, room_bytes};

/// Memory in which packets of one link may wait, in whole blocks as the slab spends it: a quarter of a worker's, so that no single link
/// takes it all. That is 32 768 packets of any ordinary size; at 1 Gbit/s and 1 500 bytes each, 0.4 s of delay.
const WAITING_BYTES_MAX: usize = 64 << 20;

pub(crate) struct LinkState {
    pub(crate) link: Link,
    pub(crate) counters: LinkCounters,
    pub(crate) impairments: Impairments,
    pub(crate) random: Random,
    /// Packets that keep their order.
    pub(crate) queue: Fifo,
    rule: Rule,
    /// When the impairments end by the clock.
    turns_at: u64,
    /// Whether the clock may change the rate, and with it the times of what waits.
    has_clocked_rate: bool,
    /// When the serialiser will have sent everything that waits for it.
    busy_until: u64,
    /// Of the slab's memory.
    waiting_bytes: usize,
    /// Packets of this link in the wheel.
    in_wheel: usize,
    /// Whether the switch will turn the link at the end of a slot even if no packet arrives.
    is_awaited: bool,
}

/// When a packet leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) sent: u64,
    pub(crate) due: u64,
}

/// What a change of impairments means for the packets that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The speed at which they would have been serialised; None where it stays.
    was_bps: Option<u64>,
    /// Whether none is held longer than the new impairments could have held it. A rule says so; the clock leaves a packet on the way it took.
    shortens: bool,
}

impl LinkState {
    /// `seed` is the fabric's; every link draws from its own generator.
    pub(crate) fn new(link: Link, seed: u64, epoch: Epoch) -> Self {
        let own = (u64::from(link.from.0) << 32) | u64::from(link.to.0);
        Self {
            link,
            counters: LinkCounters::since(epoch),
            impairments: Impairments::new(&model::LinkQuality::default(), true),
            random: Random::new(seed ^ own),
            queue: Fifo::default(),
            rule: Rule::default(),
            turns_at: u64::MAX,
            has_clocked_rate: false,
            busy_until: 0,
            waiting_bytes: 0,
            in_wheel: 0,
            is_awaited: false,
        }
    }

    /// Turns the link's own clock. The impairments of a slot are made when it begins, not per packet. Where the slot has another rate, the
    /// queue is timed anew, and what waits in the wheel is the caller's.
    pub(crate) fn retime(&mut self, now: u64, slab: &mut Slab) -> Option<Change> {
        if now < self.turns_at {
            return None;
        }
        let change = Change { was_bps: Some(self.set_impairments(now)?), shortens: false };
        self.retime_queue(now, change, slab);
        Some(change)
    }

    /// When the link has to be turned for what waits on it, if nobody has been told so yet. Where only draws and delays change, the
    /// next packet does it in time.
    pub(crate) fn await_turn(&mut self) -> Option<u64> {
        let is_new = self.has_clocked_rate
            && !self.is_awaited
            && self.turns_at != u64::MAX
            && self.waiting_bytes > 0;
        self.is_awaited |= is_new;
        is_new.then_some(self.turns_at)
    }

    /// Nobody will turn the link any more, unless [`LinkState::await_turn`] is asked again.
    pub(crate) fn forget_turn(&mut self) {
        self.is_awaited = false;
    }

    /// Makes the present impairments, and returns the speed that has ended with the ones before.
    fn set_impairments(&mut self, now: u64) -> Option<u64> {
        let impairments = self.impairments_at(now);
        let old = std::mem::replace(&mut self.impairments, impairments);
        let bps = |impairments: &Impairments| impairments.rate.map(|(bps, _)| bps);
        let was_bps = bps(&old).filter(|was| bps(&self.impairments) != Some(*was));
        self.impairments.inherit(old);
        if was_bps.is_some() {
            self.busy_until = now;
        }
        was_bps
    }

    fn impairments_at(&mut self, now: u64) -> Impairments {
        self.turns_at = u64::MAX;
        let Some(Clocked { origin_ns, track }) = &self.rule.clocked else {
            return Impairments::new(&self.rule.quality, true);
        };
        let moment = Duration::from_nanos(now.saturating_sub(*origin_ns));
        let next = track.slots.get(track.slots.partition_point(|slot| slot.from <= moment));
        self.turns_at = next.map_or(u64::MAX, |Slot { from, .. }| {
            origin_ns.saturating_add(crate::impairments::nanos(*from))
        });
        match track.at(moment) {
            Some(Slot { quality, up, .. }) => {
                Impairments::new(&self.rule.quality.then(quality), *up)
            }
            None => Impairments::new(&self.rule.quality, true),
        }
    }

    pub(crate) fn cut_for(&self, class: Class) -> Option<&Cut> {
        conditions::strongest(&self.rule.cuts, class.ports, class.carries_data)
    }

    /// When the last packet of the queue leaves.
    fn last_due(&self, slab: &Slab) -> u64 {
        self.queue.last().map_or(0, |last| slab.waiting(last).due)
    }

    /// Draws a packet's time in flight behind the serialiser; None when the rate's queue is full. Nothing is taken yet: the packet may
    /// still be refused.
    pub(crate) fn times(
        &mut self,
        now: u64,
        load: Tally,
        jumps: bool,
        slab: &Slab,
    ) -> Option<Times> {
        let sent = self.serialised(now, load)?;
        let held = if jumps { 0 } else { self.impairments.held(&mut self.random) };
        let due = sent + held;
        let due = if self.impairments.overtakes { due } else { due.max(self.last_due(slab)) };
        Some(Times { sent, due })
    }

    /// When the packet will have left the serialiser; None when its queue is full.
    fn serialised(&self, now: u64, load: Tally) -> Option<u64> {
        let Some((bps, queue_bytes)) = self.impairments.rate else { return Some(now) };
        let backlog_ns = self.busy_until.saturating_sub(now);
        let has_room = backlog_ns == 0
            || bytes_in(backlog_ns, bps) + u128::from(load.bytes) <= u128::from(queue_bytes);
        has_room.then(|| self.busy_until.max(now) + transmission_ns(load.bytes, bps))
    }

    /// A packet that passes or waits takes its time in the serialiser, and has met these levers.
    pub(crate) fn commit(
        &mut self,
        now: u64,
        class: Class,
        load: Tally,
        jumps: bool,
        times: Times,
    ) {
        if self.impairments.rate.is_some() {
            if self.busy_until > now {
                self.counters.hit(Lever::Rate, now, class, load);
            }
            self.busy_until = times.sent;
        }
        if jumps {
            return self.counters.hit(Lever::Reorder, now, class, load);
        }
        if self.impairments.delay_ns > 0 {
            self.counters.hit(Lever::Delay, now, class, load);
        }
        if self.impairments.has_jitter() {
            self.counters.hit(Lever::Jitter, now, class, load);
        }
    }

    /// Whether a packet may leave at once: it is due, and would overtake nobody who keeps the order.
    pub(crate) fn may_pass(&self, now: u64, times: Times) -> bool {
        times.due <= now && (self.impairments.overtakes || self.queue.is_empty())
    }

    pub(crate) fn has_room(&self, frame_bytes: usize) -> bool {
        self.waiting_bytes + room_bytes(frame_bytes) <= WAITING_BYTES_MAX
    }

    /// A packet of this link waits from now on, in the wheel or in the queue.
    pub(crate) fn entered(&mut self, waiting: &Waiting, in_wheel: bool) {
        self.waiting_bytes += room_bytes(waiting.frame_bytes());
        self.in_wheel += usize::from(in_wheel);
        self.counters.delayed.add(waiting.load);
        self.counters.waiting.add(waiting.load);
    }

    /// It waits no more.
    pub(crate) fn left(&mut self, waiting: &Waiting, in_wheel: bool) {
        self.waiting_bytes -= room_bytes(waiting.frame_bytes());
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

    pub(crate) fn has_rule(&self, rule: &Rule) -> bool {
        self.rule == *rule
    }

    /// Whether some of its packets wait in the wheel.
    pub(crate) fn is_in_wheel(&self) -> bool {
        self.in_wheel > 0
    }

    /// Puts another rule in force and returns the last counters under the old one. Waiting packets of a cut are dropped; the others
    /// keep their places and never wait longer than the new rule could have made them wait. Those in the wheel are the caller's:
    /// each goes through [`LinkState::keeps`] and [`LinkState::retimed`].
    pub(crate) fn set_rule(
        &mut self,
        now: u64,
        rule: &Rule,
        epoch: Epoch,
        slab: &mut Slab,
    ) -> (LinkCounters, Change) {
        let closed = self.counters;
        self.counters.passed_hits = Hits { since: epoch, ..Hits::default() };
        for lever in levers() {
            if !is_same(&self.rule, rule, lever) {
                self.counters.begin(lever, epoch);
            }
        }
        self.rule.clone_from(rule);
        let mut slots = rule.clocked.iter().flat_map(|clocked| &clocked.track.slots);
        self.has_clocked_rate = slots.any(|slot| slot.quality.rate.is_some());
        let change = Change { was_bps: self.set_impairments(now), shortens: true };
        self.retime_queue(now, change, slab);
        (closed, change)
    }

    fn retime_queue(&mut self, now: u64, change: Change, slab: &mut Slab) {
        let mut old = std::mem::take(&mut self.queue);
        let mut last_due = 0;
        while let Some(stored) = old.pop(slab) {
            if !self.keeps(now, stored, false, slab) {
                continue;
            }
            let times = self.retimed(now, slab.waiting(stored), change);
            last_due = times.due.max(last_due);
            let waiting = slab.waiting_mut(stored);
            (waiting.sent, waiting.due) = (times.sent, last_due);
            self.queue.push(slab, stored);
        }
    }

    /// Whether a packet may go on waiting under the present rule; one that may not is counted and gone.
    pub(crate) fn keeps(
        &mut self,
        now: u64,
        stored: Stored,
        in_wheel: bool,
        slab: &mut Slab,
    ) -> bool {
        let waiting = *slab.waiting(stored);
        let Some(lever) = self.cut_for(waiting.class).map(Cut::lever) else { return true };
        self.left(&waiting, in_wheel);
        self.counters.cut.add(waiting.load);
        self.counters.hit(lever, now, waiting.class, waiting.load);
        slab.give_back(stored);
        false
    }

    /// When a waiting packet leaves under the present impairments.
    pub(crate) fn retimed(&mut self, now: u64, waiting: &Waiting, change: Change) -> Times {
        let held = waiting.due - waiting.sent;
        let held = if change.shortens { held.min(self.impairments.held_max_ns) } else { held };
        let mut sent = waiting.sent;
        if let Some(was_bps) = change.was_bps
            && sent > now
        {
            if let Some((bps, _)) = self.impairments.rate {
                // Of the packet in the serialiser only the rest is left, or one longer than a slot would never get through.
                let rest = u64::try_from(bytes_in(sent - now, was_bps)).unwrap_or(u64::MAX);
                self.busy_until += transmission_ns(rest.min(waiting.load.bytes), bps);
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
        Lever::Cut
        | Lever::CutPorts
        | Lever::Reject
        | Lever::RejectPorts
        | Lever::Jam
        | Lever::JamPorts => {
            let of = |rule: &'_ Rule| {
                rule.cuts.iter().filter(|cut| cut.lever() == lever).cloned().collect::<Vec<_>>()
            };
            of(a) == of(b)
        }
        // No rule says anything of a node or a fleet.
        Lever::Stop
        | Lever::Freeze
        | Lever::Terminate
        | Lever::Crash
        | Lever::PowerLoss
        | Lever::DiskDelay
        | Lever::DiskError
        | Lever::DiskFull
        | Lever::DiskStall
        | Lever::ClockOffset
        | Lever::ClockRate
        | Lever::Disconnect
        | Lever::Silence => true,
    }
}

fn bytes_in(ns: u64, bps: u64) -> u128 {
    u128::from(ns) * u128::from(bps) / 8_000_000_000
}

fn transmission_ns(bytes: u64, bps: u64) -> u64 {
    let ns = (u128::from(bytes) * 8_000_000_000).div_ceil(u128::from(bps));
    u64::try_from(ns).unwrap_or(u64::MAX >> 3)
}

//! One directed link at work: its rule, its serialiser, its delay queue, its counters.
//! Times are nanoseconds on whatever clock the caller keeps, and never run backwards.

use std::collections::VecDeque;
use std::time::Duration;

use model::{CutForm, conditions};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

use crate::counters::{Epoch, Hits, LinkCounters, Tally};
use crate::packet::{Class, Packet};
use crate::policy::{Link, Rule};
use crate::pool::Pool;

/// Bytes of frames that may wait on one link; at 1 Gbit/s this is half a second of delay.
pub(crate) const WAITING_BYTES_MAX: usize = 64 << 20;

pub(crate) struct Flow {
    pub(crate) link: Link,
    pub(crate) counters: LinkCounters,
    rule: Rule,
    survival: f64,
    random: Pcg64Mcg,
    /// When the serialiser will have sent everything that waits for it.
    busy_until: u64,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
}

struct Waiting {
    /// When it has left the serialiser; its arrival where there is no rate.
    sent: u64,
    due: u64,
    class: Class,
    frame: Vec<u8>,
}

/// What becomes of a packet that arrives on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Forward it now.
    Pass,
    /// It waits; `due` is when the *first* packet of the link leaves.
    Waits {
        was_idle: bool,
        due: u64,
    },
    Reject,
    Gone,
}

impl Flow {
    /// `seed` is the fabric's; every link draws from its own generator.
    pub(crate) fn new(link: Link, seed: u64, epoch: Epoch) -> Self {
        let own = (u64::from(link.from.0) << 32) | u64::from(link.to.0);
        let mut flow = Self {
            link,
            counters: LinkCounters::default(),
            rule: Rule::default(),
            survival: 1.0,
            random: Pcg64Mcg::seed_from_u64(seed ^ own),
            busy_until: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        };
        for hits in flow.counters.hits_mut() {
            hits.since = epoch;
        }
        flow
    }

    pub(crate) fn next_due(&self) -> Option<u64> {
        self.waiting.front().map(|first| first.due)
    }

    /// Takes a packet: cuts, then loss, rate, delay.
    pub(crate) fn admit(&mut self, now: u64, packet: &Packet, frame: &[u8], is_super: bool, pool: &mut Pool) -> Fate {
        let class = packet.class;
        self.counters.arrived.add(class.bytes);
        if let Some(cut) = conditions::strongest(&self.rule.cuts, class.ports, true) {
            self.counters.cut_hits.add(now, class);
            return match cut.form {
                CutForm::Drop | CutForm::Jam => {
                    self.counters.cut.add(class.bytes);
                    Fate::Gone
                }
                CutForm::Reject => {
                    self.counters.rejected.add(class.bytes);
                    Fate::Reject
                }
            };
        }
        if is_super && self.survival < 1.0 {
            self.counters.super_packets_on_lossy_link += 1;
        }
        if self.survival < 1.0 && self.uniform() >= self.survival {
            self.counters.lost.add(class.bytes);
            self.counters.loss_hits.add(now, class);
            return Fate::Gone;
        }
        let Some(sent) = self.serialise(now, class) else {
            self.counters.overflow.add(class.bytes);
            return Fate::Gone;
        };
        let held = self.held();
        if held > 0 {
            self.counters.delay_hits.add(now, class);
        }
        let due = (sent + held).max(self.waiting.back().map_or(0, |last| last.due));
        if due <= now && self.waiting.is_empty() {
            return Fate::Pass;
        }
        if self.waiting_bytes + frame.len() > WAITING_BYTES_MAX {
            self.counters.overflow.add(class.bytes);
            self.counters.bound_overflow += 1;
            return Fate::Gone;
        }
        self.counters.delayed.add(class.bytes);
        self.counters.waiting.add(class.bytes);
        self.waiting_bytes += frame.len();
        let was_idle = self.waiting.is_empty();
        self.waiting.push_back(Waiting { sent, due, class, frame: pool.copy_of(frame) });
        Fate::Waits { was_idle, due }
    }

    /// When the packet will have left the serialiser; None when its queue is full.
    fn serialise(&mut self, now: u64, class: Class) -> Option<u64> {
        let Some((bps, queue)) = self.rule.quality.rate.zip(self.rule.quality.queue_bytes()) else { return Some(now) };
        let bps = bps.0;
        let backlog_ns = self.busy_until.saturating_sub(now);
        if backlog_ns > 0 {
            self.counters.rate_hits.add(now, class);
            let backlog_bytes = u128::from(backlog_ns) * u128::from(bps) / 8_000_000_000;
            if backlog_bytes + class.bytes as u128 > u128::from(queue) {
                return None;
            }
        }
        self.busy_until = self.busy_until.max(now) + transmission_ns(class.bytes, bps);
        Some(self.busy_until)
    }

    /// Nanoseconds in flight: uniform in `delay - jitter ..= delay + jitter`, never below zero.
    fn held(&mut self) -> u64 {
        let delay = nanos(self.rule.quality.delay);
        let jitter = jitter_ns(&self.rule);
        if jitter == 0 {
            return delay;
        }
        let spread = (self.uniform() * 2.0 * jitter as f64) as u64;
        (delay + spread).saturating_sub(jitter)
    }

    /// Uniform in `[0, 1)`, 53 bits.
    fn uniform(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The first waiting packet if it is due: its frame, its class, and when it was due.
    pub(crate) fn take_due(&mut self, now: u64) -> Option<(Vec<u8>, Class, u64)> {
        self.next_due().filter(|due| *due <= now)?;
        let first = self.waiting.pop_front()?;
        self.leave(first.class, first.frame.len());
        Some((first.frame, first.class, first.due))
    }

    fn leave(&mut self, class: Class, frame_bytes: usize) {
        self.waiting_bytes -= frame_bytes;
        self.counters.waiting.packets -= 1;
        self.counters.waiting.bytes -= class.bytes as u64;
    }

    /// Books a packet that was handed to the far port, or that the port did not take.
    pub(crate) fn book(&mut self, now: u64, class: Class, delivered: bool) {
        if delivered {
            self.counters.passed.add(class.bytes);
            self.counters.passed_hits.add(now, class);
        } else {
            self.counters.undelivered.add(class.bytes);
        }
    }

    /// Puts another rule in force and returns the last counters under the old one, or None where
    /// nothing changed. Waiting packets of a cut are dropped; the others keep their places and never
    /// wait longer than the new rule could have made them wait.
    pub(crate) fn set_rule(&mut self, now: u64, rule: &Rule, epoch: Epoch, pool: &mut Pool) -> Option<LinkCounters> {
        if self.rule == *rule {
            return None;
        }
        let closed = self.counters;
        let begin = || Hits { since: epoch, ..Hits::default() };
        self.counters.passed_hits = begin();
        if self.rule.cuts != rule.cuts {
            self.counters.cut_hits = begin();
        }
        if self.rule.quality.loss != rule.quality.loss {
            self.counters.loss_hits = begin();
        }
        if self.rule.quality.rate != rule.quality.rate {
            self.counters.rate_hits = begin();
        }
        if (self.rule.quality.delay, &self.rule.quality.jitter) != (rule.quality.delay, &rule.quality.jitter) {
            self.counters.delay_hits = begin();
        }
        let has_new_rate = self.rule.quality.rate != rule.quality.rate;
        self.rule.clone_from(rule);
        self.survival = rule.quality.survival();
        self.drop_cut(now, pool);
        self.retime(now, has_new_rate);
        Some(closed)
    }

    fn drop_cut(&mut self, now: u64, pool: &mut Pool) {
        if self.rule.cuts.is_empty() {
            return;
        }
        for packet in std::mem::take(&mut self.waiting) {
            if conditions::strongest(&self.rule.cuts, packet.class.ports, true).is_some() {
                self.leave(packet.class, packet.frame.len());
                self.counters.cut.add(packet.class.bytes);
                self.counters.cut_hits.add(now, packet.class);
                pool.give_back(packet.frame);
            } else {
                self.waiting.push_back(packet);
            }
        }
    }

    fn retime(&mut self, now: u64, has_new_rate: bool) {
        let held_max = nanos(self.rule.quality.delay) + jitter_ns(&self.rule);
        if has_new_rate {
            self.busy_until = now;
        }
        let mut last_due = 0;
        for packet in &mut self.waiting {
            let held = (packet.due - packet.sent).min(held_max);
            if has_new_rate && packet.sent > now {
                if let Some(rate) = self.rule.quality.rate {
                    self.busy_until += transmission_ns(packet.class.bytes, rate.0);
                }
                packet.sent = self.busy_until;
            }
            // What was not due yet becomes due now at the earliest: it is released, not late.
            packet.due = (packet.sent + held).max(packet.due.min(now)).max(last_due);
            last_due = packet.due;
        }
    }
}

impl Hits {
    fn add(&mut self, now: u64, class: Class) {
        if class.is_canary {
            self.canaries += 1;
            return;
        }
        self.packets += 1;
        self.bytes += class.bytes as u64;
        self.first_ns.get_or_insert(now);
        if class.is_established {
            self.established += 1;
            self.first_established_ns.get_or_insert(now);
        }
    }
}

impl LinkCounters {
    fn hits_mut(&mut self) -> [&mut Hits; 5] {
        [&mut self.cut_hits, &mut self.loss_hits, &mut self.delay_hits, &mut self.rate_hits, &mut self.passed_hits]
    }
}

impl Tally {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

fn jitter_ns(rule: &Rule) -> u64 {
    rule.quality.jitter.iter().map(|jitter| nanos(jitter.width)).sum()
}

fn transmission_ns(bytes: usize, bps: u64) -> u64 {
    let ns = (bytes as u128 * 8_000_000_000).div_ceil(u128::from(bps));
    u64::try_from(ns).unwrap_or(u64::MAX >> 1)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).min(u64::MAX >> 2)
}

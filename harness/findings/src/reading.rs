//! One reading, and the rules of section 1 that look at nothing else: live, undecided, latency, good.

use model::Identity;
use model::ledger::Fate;

use crate::facts::{Facts, NEVER, Phase, Us};

/// One generated reading, sent or not.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Index into `Facts::assets`.
    pub asset: u32,
    /// Index into `Facts::streams`.
    pub stream: u16,
    /// Attempts to send it, 0 when it never left.
    pub attempts: u16,
    pub boot: u16,
    /// What became of it on the side of its asset.
    pub fate: Fate,
    pub seq: u64,
    /// Intended generation, from the schedule.
    pub t_gen: Us,
    /// First moment the model allows sending, at least `t_gen`.
    pub t_ready: Us,
    /// Start of the first attempt, `NEVER` without one.
    pub sent_first: Us,
    /// Start of the last attempt, `NEVER` without one.
    pub sent_last: Us,
    /// First positive ack, `NEVER` without one.
    pub t_acked: Us,
    /// Position that the ack named, -1 without one.
    pub ack_pos: i64,
    /// Index of the node that acked into the plan's nodes, `u16::MAX` where the driver cannot say.
    pub acked_by: u16,
}

impl Reading {
    /// Recorded outside planned silence, whatever mark its replay carries.
    #[must_use]
    pub fn live(&self) -> bool {
        self.t_ready == self.t_gen
    }

    /// `t_acked - t_ready`, `NEVER` when never acked.
    #[must_use]
    pub fn ack_latency(&self) -> Us {
        if self.fate == Fate::Acked { self.t_acked - self.t_ready } else { NEVER }
    }
}

impl Facts {
    /// Acked within theta of `t_ready`.
    #[must_use]
    pub fn good(&self, r: &Reading) -> bool {
        r.ack_latency() <= self.theta
    }

    /// Its stream asks for an ack.
    #[must_use]
    pub fn required(&self, r: &Reading) -> bool {
        self.streams[usize::from(r.stream)].required
    }

    /// Less than theta of the run, or of the contact, is left after `t_ready`, or the harness stood still before theta was over.
    #[must_use]
    pub fn undecided(&self, r: &Reading) -> bool {
        let due = r.t_ready + self.theta;
        let fits = |a: Us, b: Us| a <= r.t_ready && due <= b;
        let spans = &self.assets[r.asset as usize].contact;
        let in_contact = if spans.is_empty() {
            fits(self.start, self.end)
        } else {
            spans.iter().any(|(a, b)| fits(*a, *b))
        };
        due > self.end || !in_contact || self.hidden(r)
    }

    /// The harness stood still at a moment between `t_ready` and theta after it: what it sent and read late says nothing of the stack,
    /// and what it happened to do in time must not count alone.
    pub(crate) fn hidden(&self, r: &Reading) -> bool {
        let standstills = &self.happened.standstills;
        let next = standstills.partition_point(|(_, to)| *to < r.t_ready);
        standstills.get(next).is_some_and(|(from, _)| *from <= r.t_ready + self.theta)
    }

    /// Whether a reading of this moment belongs to the phase: a steady window leaves out the last theta before a fault, because
    /// those readings may hang in flight when it strikes.
    #[must_use]
    pub fn falls_in(&self, phase: &Phase, t_ready: Us) -> bool {
        let inside = phase.start <= t_ready && t_ready < phase.end;
        inside
            && !(phase.steady && self.strikes().any(|f| f - self.theta <= t_ready && t_ready < f))
    }

    /// Moments at which a fault is asked or takes effect.
    fn strikes(&self) -> impl Iterator<Item = Us> + '_ {
        let asked =
            self.changes.iter().filter(|c| c.kind == crate::facts::ChangeKind::Fault).map(|c| c.t);
        asked.chain(self.episodes.iter().map(|e| e.t_effect))
    }

    /// Decided readings with `ack: required` that belong to the phase. Probes judge `rto.service` only and are left out.
    pub fn in_phase<'a>(&'a self, phase: &'a Phase) -> impl Iterator<Item = &'a Reading> + 'a {
        self.readings.iter().filter(move |r| {
            self.falls_in(phase, r.t_ready)
                && self.required(r)
                && !self.undecided(r)
                && !self.is_probe(r)
        })
    }

    /// The readings of assets: those of probes judge `rto.service`, and count for nothing else.
    pub(crate) fn of_assets(&self) -> impl Iterator<Item = &Reading> {
        self.readings.iter().filter(|r| !self.is_probe(r))
    }

    /// Whether a probe sent the reading.
    pub(crate) fn is_probe(&self, r: &Reading) -> bool {
        self.assets[r.asset as usize].probe
    }

    /// The identity of a reading.
    #[must_use]
    pub fn identity(&self, r: &Reading) -> Identity {
        let (asset, stream) =
            (self.assets[r.asset as usize].id, self.streams[usize::from(r.stream)].number);
        Identity { asset, stream, boot: r.boot, seq: r.seq }
    }
}

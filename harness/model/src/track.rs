//! A way that changes by the clock: the slots of a satellite link, the passes of a contact plan, a recorded trace. All ends behind one
//! link change together, which draws per packet could not show.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Lever, LinkQuality};

/// Slots in order of their beginnings, the first at zero; the last one stays. Without any the way never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Track {
    pub slots: Vec<Slot>,
}

/// What holds from one moment on, on top of the way's steady quality.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Since the origin of the run.
    pub from: Duration,
    pub quality: LinkQuality,
    /// Whether packets pass at all: down is loss of signal, silence in both directions.
    #[serde(default = "up", skip_serializing_if = "is_up")]
    pub up: bool,
}

fn up() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_up(up: &bool) -> bool {
    *up
}

impl Track {
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The slot that holds at a moment of the run. None: the way never changes.
    pub fn at(&self, moment: Duration) -> Option<&Slot> {
        let after = self.slots.partition_point(|slot| slot.from <= moment);
        self.slots.get(after.saturating_sub(1))
    }

    /// What a lab must be able to do for this track, in any of its slots: where no packet passes, the link is cut.
    pub fn levers(&self) -> BTreeSet<Lever> {
        let of_slot = |slot: &Slot| {
            let down = (!slot.up).then_some(Lever::Cut);
            slot.quality.levers().into_iter().chain(down)
        };
        self.slots.iter().flat_map(of_slot).collect()
    }

    /// Two ways one behind the other: every edge of both, each slot the sum of the two that hold then.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        if self.is_empty() || next.is_empty() {
            return if self.is_empty() { next.clone() } else { self.clone() };
        }
        let mut edges: Vec<Duration> =
            self.slots.iter().chain(&next.slots).map(|slot| slot.from).collect();
        edges.sort_unstable();
        edges.dedup();
        let both = |from: Duration| {
            let (one, other) = (self.at(from)?, next.at(from)?);
            Some(Slot { from, quality: one.quality.then(&other.quality), up: one.up && other.up })
        };
        Self { slots: edges.into_iter().filter_map(both).collect() }
    }

    /// Spans in which packets pass, up to `end`.
    pub fn contacts(&self, end: Duration) -> Vec<(Duration, Duration)> {
        if self.is_empty() {
            return vec![(Duration::ZERO, end)];
        }
        let ends = self.slots.iter().skip(1).map(|slot| slot.from).chain([end]);
        let mut spans: Vec<(Duration, Duration)> = vec![];
        for (slot, until) in self.slots.iter().zip(ends) {
            let until = until.min(end);
            if !slot.up || slot.from >= until {
                continue;
            }
            match spans.last_mut() {
                Some(last) if last.1 == slot.from => last.1 = until,
                _ => spans.push((slot.from, until)),
            }
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(from_s: u64, delay_ms: u64, up: bool) -> Slot {
        let quality =
            LinkQuality { delay: Duration::from_millis(delay_ms), ..LinkQuality::default() };
        Slot { from: Duration::from_secs(from_s), quality, up }
    }

    #[test]
    fn the_slot_that_has_begun_last_holds() {
        let track = Track { slots: vec![slot(0, 1, true), slot(15, 2, true), slot(30, 3, true)] };
        let delay = |s: f64| {
            track.at(Duration::from_secs_f64(s)).map(|slot| slot.quality.delay.as_millis())
        };
        assert_eq!([0.0, 14.9, 15.0, 29.9, 30.0, 900.0].map(delay), [1, 1, 2, 2, 3, 3].map(Some));
        assert_eq!(Track::default().at(Duration::ZERO), None);
    }

    #[test]
    fn two_tracks_meet_at_every_edge() {
        let one = Track { slots: vec![slot(0, 1, true), slot(10, 2, false)] };
        let other = Track { slots: vec![slot(0, 10, true), slot(5, 20, true)] };
        let both = Track { slots: vec![slot(0, 11, true), slot(5, 21, true), slot(10, 22, false)] };
        assert_eq!(one.then(&other), both);
        assert_eq!(other.then(&one), both);
        assert_eq!(one.then(&Track::default()), one);
    }

    #[test]
    fn contacts_are_the_spans_that_are_up() {
        let track = Track {
            slots: vec![
                slot(0, 0, false),
                slot(5, 0, true),
                slot(7, 9, true),
                slot(10, 0, false),
                slot(20, 0, true),
            ],
        };
        let seconds = |end| {
            track
                .contacts(Duration::from_secs(end))
                .into_iter()
                .map(|(a, b)| (a.as_secs(), b.as_secs()))
                .collect::<Vec<_>>()
        };
        assert_eq!(seconds(30), [(5, 10), (20, 30)]);
        assert_eq!(seconds(15), [(5, 10)]);
        assert_eq!(seconds(6), [(5, 6)]);
        assert_eq!(
            Track::default().contacts(Duration::from_secs(9)),
            [(Duration::ZERO, Duration::from_secs(9))]
        );
    }
}

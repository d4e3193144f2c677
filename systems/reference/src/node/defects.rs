//! Planted defects: the node as a measuring object. Which readings are hit is a pure function of their identity and the seed, so every
//! attempt of a reading, at every node, is treated alike and a run can be repeated.
//! Absent for now: reordering, and a leader that never steps down.

use std::{
    collections::BTreeSet,
    io,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use document::{
    units::Time,
    within::{DAY, HOUR, MS, Within},
};
use model::Identity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::journal::{Defect, Journal, Line};

/// Defects to plant. None of them: an honest service. Readings are drawn by identity, for the service as a whole: every node treats every
/// attempt of a reading alike. What goes by time goes by the clock of each node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Planted {
    /// Acknowledge a reading and forget it. Per service: the reading is forgotten whichever node is asked.
    pub lost_ack: Option<Chance>,
    /// Append a reading twice. Per service: whichever node leads, and every copy holds both.
    pub duplicate: Option<Chance>,
    /// Show the value before it once more after a reading was shown as the current value. Which readings is drawn per service; each node
    /// that is asked goes back by itself.
    pub time_travel: Option<Chance>,
    /// One shard stops answering writes for good. Reads go on, so that what it acknowledged before can be judged. Per node: each one stops
    /// by its own clock, and stays so after a restart.
    pub dead_shard: Option<DeadShard>,
    /// Requests are held now and then. Per node: stalls of two nodes begin at different moments unless the nodes started together.
    pub stall: Option<Stall>,
}

/// Which readings are hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chance {
    /// One reading in this many, by a hash of its identity.
    pub one_in: Within<u64, 1, { 1 << 32 }>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadShard {
    /// Number of the shard, from 0.
    pub shard: u16,
    /// Counted from the first start of each node.
    pub after: Within<Time, 0, DAY>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// How long requests are held.
    #[serde(rename = "for")]
    pub held: Within<Time, MS, HOUR>,
    /// From the beginning of one stall to the next; the first begins this long after the start of the node.
    pub every: Within<Time, MS, DAY>,
}

/// The planted defects of a running node, with their journal.
#[derive(Debug)]
pub(crate) struct Defects {
    planted: Planted,
    seed: u64,
    node: String,
    journal: Journal,
    started: Instant,
    dead: AtomicBool,
    /// Duplicates of this node that stand in the journal, so that a restart does not write them again.
    duplicated: Mutex<BTreeSet<(Identity, u64)>>,
}

impl Defects {
    pub(crate) fn open(planted: Planted, seed: u64, node: &str, path: &Path) -> io::Result<Self> {
        let earlier = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let earlier: Vec<Line> =
            earlier.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let duplicates = earlier.iter().filter(|line| line.defect == Defect::Duplicate);
        Ok(Self {
            seed,
            node: node.into(),
            journal: Journal::open(path)?,
            started: Instant::now(),
            dead: AtomicBool::new(earlier.iter().any(|line| line.defect == Defect::DeadShard)),
            duplicated: Mutex::new(
                duplicates.filter_map(|line| Some((line.identity?, line.position?))).collect(),
            ),
            planted,
        })
    }

    /// Whether this reading is to be acknowledged and forgotten. If so it stands in the journal now.
    pub(crate) fn loses(&self, identity: Identity, shard: u16) -> bool {
        let hit = self.drawn(self.planted.lost_ack, Defect::LostAck, identity);
        if hit {
            self.journal.write(&Line {
                identity: Some(identity),
                shard: Some(shard),
                ..self.line(Defect::LostAck)
            });
        }
        hit
    }

    /// How often this reading is to be appended. The journal follows when it is committed: see [`Self::duplicated`].
    pub(crate) fn copies(&self, identity: Identity) -> u8 {
        1 + u8::from(self.drawn(self.planted.duplicate, Defect::Duplicate, identity))
    }

    /// A doubled reading is about to become visible on this node.
    pub(crate) fn duplicated(&self, identity: Identity, shard: u16, position: u64) {
        if self.duplicated.lock().expect("no holder panics").insert((identity, position)) {
            let at = Line {
                identity: Some(identity),
                shard: Some(shard),
                position: Some(position),
                ..self.line(Defect::Duplicate)
            };
            self.journal.write(&at);
        }
    }

    /// Whether the value before this reading is to be shown again after it.
    pub(crate) fn goes_back(&self, newer: Identity) -> bool {
        self.drawn(self.planted.time_travel, Defect::TimeTravel, newer)
    }

    /// The older value is about to be shown, or was after all not.
    pub(crate) fn went_back(&self, trip: &Trip, shard: u16, observer: &str, undone: bool) {
        self.journal.write(&Line {
            identity: Some(trip.older),
            newer: Some(trip.newer),
            shard: Some(shard),
            observer: Some(observer.into()),
            undone,
            ..self.line(Defect::TimeTravel)
        });
    }

    /// Returns at once, or never if the shard is dead.
    pub(crate) async fn unless_dead(&self, shard: u16) {
        let Some(dead) = self.planted.dead_shard.filter(|dead| dead.shard == shard) else { return };
        let known = self.dead.load(Ordering::Relaxed);
        if !known && self.started.elapsed() < dead.after.0 {
            return;
        }
        if !self.dead.swap(true, Ordering::Relaxed) {
            self.journal.write(&Line { shard: Some(shard), ..self.line(Defect::DeadShard) });
        }
        std::future::pending().await
    }

    /// Returns when no stall is under way.
    pub(crate) async fn unless_stalled(&self, identity: Option<Identity>) {
        let now = Instant::now();
        let Some(left) = self.planted.stall.and_then(|stall| stall.left(now - self.started)) else {
            return;
        };
        let held_us = u64::try_from(left.as_micros()).ok();
        self.journal.write(&Line { identity, held_us, ..self.line(Defect::Stall) });
        sleep_until(now + left).await;
    }

    fn line(&self, defect: Defect) -> Line {
        Line::new(defect, &self.node)
    }

    fn drawn(&self, chance: Option<Chance>, defect: Defect, identity: Identity) -> bool {
        chance
            .is_some_and(|chance| draw(self.seed, defect, identity).is_multiple_of(*chance.one_in))
    }
}

/// A value that is shown again, and the one that was shown before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trip {
    pub(crate) older: Identity,
    pub(crate) newer: Identity,
}

impl Stall {
    /// What is left of the stall that is under way this long after the start.
    fn left(self, elapsed: Duration) -> Option<Duration> {
        let every = self.every.0.as_nanos().max(1);
        let into = Duration::from_nanos(u64::try_from(elapsed.as_nanos() % every).ok()?);
        (elapsed.as_nanos() >= every)
            .then(|| self.held.0.checked_sub(into))
            .flatten()
            .filter(|left| !left.is_zero())
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014) over the parts of the key.
fn draw(seed: u64, defect: Defect, identity: Identity) -> u64 {
    let narrow = u64::from(identity.asset) << 32
        | u64::from(identity.stream) << 16
        | u64::from(identity.boot);
    [defect as u64 + 1, narrow, identity.seq].iter().fold(seed, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_hit_about_their_share_and_differ_between_defects() {
        let hits = |defect| {
            let identities = (0..40_000u64).map(|seq| Identity {
                asset: (seq % 97) as u32,
                stream: 0,
                boot: 1,
                seq,
            });
            identities
                .filter(|identity| draw(9, defect, *identity).is_multiple_of(50))
                .map(|identity| identity.seq)
                .collect::<BTreeSet<_>>()
        };
        let (lost, doubled) = (hits(Defect::LostAck), hits(Defect::Duplicate));
        // 800 expected, standard deviation 28.
        assert!((650..950).contains(&lost.len()), "{}", lost.len());
        assert!(lost.intersection(&doubled).count() < 60);
        assert_eq!(lost, hits(Defect::LostAck));
    }

    #[test]
    fn a_stall_holds_until_its_end_and_only_then() {
        let stall = Stall {
            held: Within::given(Time(Duration::from_millis(500))),
            every: Within::given(Time(Duration::from_secs(5))),
        };
        let left = |ms| stall.left(Duration::from_millis(ms)).map(|left| left.as_millis());
        assert_eq!(
            [left(0), left(4_999), left(5_000), left(5_499), left(5_500), left(10_100)],
            [None, None, Some(500), Some(1), None, Some(400)]
        );
    }
}

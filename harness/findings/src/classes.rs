//! Sections 1 and 4: exactly one class per observer and reading that reaches its service. `lost` may be said only when the observer
//! passed the reading.

use std::collections::BTreeMap;

use model::ledger::Fate;
use serde::{Deserialize, Serialize};

use crate::facts::{Facts, Observer, SECOND, Shard, Us};
use crate::reading::Reading;

/// What became of a reading; the first that holds, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Observed,
    /// Acked, and absent although the observer got past its place.
    AckedLost,
    /// Acked and not seen, by an observer that may only be slow.
    Unseen,
    DroppedAtAsset,
    Rejected,
    /// The asset gave up on it.
    UnackedLost,
    /// No final outcome at the end.
    Pending,
}

/// A quiet observer has shown everything: no new observation for max(10 s, 3 x poll).
const QUIET: Us = 10 * SECOND;

/// The class of each reading, by index; `None` for those that never reach the service that the observer looks at, and for those of
/// probes, which are no assets.
pub(crate) fn classes(facts: &Facts, o: &Observer) -> Vec<Option<Class>> {
    let newest = o.sightings.all().iter().map(|s| s.t).max().unwrap_or(facts.start);
    let silent = facts.end - newest >= QUIET.max(3 * o.poll);
    let mut classes = Vec::with_capacity(facts.readings.len());
    for (first, mine) in facts.groups() {
        let (asset, stream) = (mine[0].asset as usize, usize::from(mine[0].stream));
        let shard = facts.shard_in(o.service, asset, stream);
        let seen = mine.iter().enumerate().filter(|(i, _)| o.sees(first + i)).map(|(_, r)| r);
        let source = if facts.sends_to(&facts.assets[asset]) == o.service {
            Source::Acks
        } else {
            Source::PassedOn(Newest::of(seen))
        };
        let judge = Judge { o, silent, shard, source };
        let class = |(i, r): (usize, &Reading)| match r.fate {
            _ if !facts.takes(o, r) || facts.is_probe(r) => None,
            _ if o.sees(first + i) => Some(Class::Observed),
            Fate::Acked if judge.may_say_lost(r) => Some(Class::AckedLost),
            Fate::Acked => Some(Class::Unseen),
            Fate::Dropped => Some(Class::DroppedAtAsset),
            Fate::Refused => Some(Class::Rejected),
            Fate::Unknown => Some(Class::UnackedLost),
            Fate::Pending => Some(Class::Pending),
        };
        classes.extend(mine.iter().enumerate().map(class));
    }
    classes
}

/// What decides whether an acked reading of one (asset, stream) that an observer did not see is lost.
struct Judge<'a> {
    o: &'a Observer,
    /// Nothing new was seen for long enough.
    silent: bool,
    /// In the observed service.
    shard: Option<Shard>,
    source: Source,
}

/// How these readings come to the observed service.
enum Source {
    /// It acks them: the positions of the acks are positions of its shards.
    Acks,
    /// Another service acks them and passes them on; with the newest ones that arrived.
    PassedOn(Newest),
}

impl Judge<'_> {
    /// Where the observed service acked the reading: the observer passed the ack's own position, or the end that the service names, which
    /// was asked for after the last ack. Where readings come from another service: it passed that end, and the reading is not merely
    /// under way, since one that was acked after it has arrived, or nothing arrives any more. Without positions: it fell silent.
    fn may_say_lost(&self, r: &Reading) -> bool {
        let Some(passed) = &self.o.passed else { return self.silent };
        let Some(shard) = self.shard else { return false };
        let at = |of: &[i64]| of.get(shard.shard).copied().unwrap_or(-1);
        let (last, head) = (at(passed), at(&self.o.head));
        match &self.source {
            Source::Acks => last >= head || (r.ack_pos >= 0 && last >= r.ack_pos),
            Source::PassedOn(newest) => last >= head && (self.silent || newest.is_after(r)),
        }
    }
}

/// The newest acks of one series. One series has one shard in the service that acks it, so its positions can be compared.
#[derive(Default)]
struct Newest {
    position: Option<i64>,
    acked: Option<Us>,
}

impl Newest {
    fn of<'a>(readings: impl Iterator<Item = &'a Reading>) -> Self {
        readings.filter(|r| r.fate == Fate::Acked).fold(Self::default(), |newest, r| Self {
            position: newest.position.max((r.ack_pos >= 0).then_some(r.ack_pos)),
            acked: newest.acked.max(Some(r.t_acked)),
        })
    }

    /// By position where the ack has one, else by time.
    fn is_after(&self, r: &Reading) -> bool {
        match r.ack_pos {
            0.. => self.position > Some(r.ack_pos),
            _ => self.acked > Some(r.t_acked),
        }
    }
}

/// How many readings each class has; classes without one are left out.
pub(crate) fn counts(classes: &[Option<Class>]) -> BTreeMap<Class, u64> {
    let mut counts = BTreeMap::new();
    for class in classes.iter().flatten() {
        *counts.entry(*class).or_default() += 1;
    }
    counts
}

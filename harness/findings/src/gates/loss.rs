//! What was promised and is gone, or came back as something else.

use seams::gate::Rests;

use super::copies::blind_observer;
use super::params::at_most;
use super::{Evidence, Gate, Judgement};
use crate::format;
use crate::verdict::Verdict;

at_most! {
    /// Acked readings that are nowhere after heal and read back.
    AckedLost, u64
}
at_most! {
    /// The same, of those acked after the first fault took effect.
    AckedLostAfterEffect, u64
}
at_most! {
    /// Observations whose payload did not hold its own checksum.
    Corrupt, u64
}

impl Gate for AckedLost {
    fn rests(&self) -> Rests {
        Rests::Count
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let loss = &run.found.loss;
        lost(run, self.max, loss.count, loss.acked, loss.verdict)
    }
}

impl Gate for AckedLostAfterEffect {
    fn rests(&self) -> Rests {
        Rests::Count
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let loss = &run.found.loss;
        lost(
            run,
            self.max,
            loss.after_effect.len() as u64,
            loss.acked_after_effect,
            loss.verdict_after_effect,
        )
    }
}

/// A loss is certain as soon as it is above the maximum; that there is none is certain only when nothing is merely unseen.
fn lost(run: &Evidence<'_>, max: u64, count: u64, acked: u64, said: Verdict) -> Judgement {
    let loss = &run.found.loss;
    if loss.judges.is_empty() {
        return Judgement::no_data(super::at_most(max), "no observer keeps every reading");
    }
    let evidence = format!("{acked} acked, read by {}", loss.judges.join(", "));
    let unseen = loss.unseen.len() as u64;
    let mut judged = Judgement::count(count, max, evidence, || {
        format!(
            "acked and then nowhere, {} hit; the oldest ack {} before the effect",
            format::count(loss.assets, "asset", "assets"),
            format::duration(loss.reach)
        )
    });
    let open = said == Verdict::Inconclusive
        || (said == Verdict::Fail && (unseen > 0 || loss.unwatched > 0));
    if judged.verdict == Verdict::Pass && open {
        judged.verdict = Verdict::Inconclusive;
        judged.why = Some(match (unseen, loss.unwatched) {
            (0, 0) => "nothing was acked in its scope".to_owned(),
            (0, n) => format!(
                "{} of fleets that no observer looks for",
                format::count(n, "acked reading is", "acked readings are")
            ),
            (n, _) => format!(
                "{} not seen by an observer that may only be slow",
                format::count(n, "acked reading was", "acked readings were")
            ),
        });
    }
    judged
}

impl Gate for Corrupt {
    fn rests(&self) -> Rests {
        Rests::Count
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        if run.facts.observers.iter().all(|o| o.sightings.all().is_empty()) {
            return Judgement::no_data(super::at_most(self.max), "no observer saw anything");
        }
        let count = run.found.corrupt.values().map(|ids| ids.len() as u64).sum();
        let seen: usize = run.facts.observers.iter().map(|o| o.sightings.all().len()).sum();
        let judged = Judgement::count(count, self.max, format!("{seen} observations"), || {
            "the payload did not hold its own checksum".to_owned()
        });
        judged.unless_unseen(blind_observer(run, |_| true))
    }
}

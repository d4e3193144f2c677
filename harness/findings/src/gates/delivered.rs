//! What never arrived, whether or not anybody promised it.

use document::units::Share;
use document::within::Within;
use schemars::JsonSchema;
use seams::gate::Rests;
use serde::{Deserialize, Serialize};

use super::{Evidence, Gate, Judgement};
use crate::facts::Us;
use crate::verdict::Verdict;

/// Live readings that are visible at the end, of those generated in contact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliveredMin {
    /// At least this share of them.
    pub min: Within<Share, 100, 1_000_000>,
}

impl Gate for DeliveredMin {
    fn rests(&self) -> Rests {
        Rests::Count
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let d = &run.found.delivered;
        let limit = format!("at least {}%", self.min.as_f64() * 100.0);
        if d.due == 0 {
            return Judgement::no_data(limit, "no observer that keeps every reading looks for any");
        }
        let share = |n: u64| n as f64 / d.due as f64;
        let (low, high) = (share(d.visible), share(d.visible + d.unseen));
        let (verdict, why) = match () {
            () if high < self.min.as_f64() => {
                (Verdict::Fail, Some(format!("{} of {} never arrived", d.missing(), d.due)))
            }
            () if low < self.min.as_f64() => (
                Verdict::Inconclusive,
                Some(format!("{} were not seen by an observer that may only be slow", d.unseen)),
            ),
            () if d.unwatched > 0 => (
                Verdict::Inconclusive,
                Some(format!("{} more are of fleets that no observer looks for", d.unwatched)),
            ),
            () => (Verdict::Pass, None),
        };
        let observed = format!("{:.3}%", 100.0 * low);
        let evidence = format!("{} of {} readings are visible at the end", d.visible, d.due);
        Judgement::new(verdict, limit, observed, evidence, why)
    }

    fn needs_sockets(&self, _theta: Us) -> bool {
        true
    }
}

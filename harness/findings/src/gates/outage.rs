//! How long assets were out.

use document::units::Time;
use seams::gate::Rests;

use super::params::at_most;
use super::{Evidence, Gate, Judgement};
use crate::facts::Us;
use crate::format;
use crate::verdict::Verdict;

at_most! {
    /// The longest outage of any asset, in contact time.
    OutageLongest, Time
}
at_most! {
    /// Integral of the assets in outage over time, in seconds.
    AssetSecondsLost, f64
}
at_most! {
    /// Assets still out at the end of the run.
    StuckAssets, u64
}

const NOTHING_DUE: &str = "no live reading with `ack: required` was decided";

/// No reading of an asset can tell of an outage; probes are no assets.
fn nothing_due(run: &Evidence<'_>) -> bool {
    run.series.iter().all(|s| run.facts.assets[s.asset].probe)
}

pub(super) fn micros(time: Time) -> Us {
    model::Micros::after(time.0).0
}

impl Gate for OutageLongest {
    fn rests(&self) -> Rests {
        Rests::Outage { max: Some(self.max.0) }
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let (max, longest) = (micros(self.max), &run.found.longest_outage.all);
        let limit = super::at_most(format::duration(max));
        if nothing_due(run) {
            return Judgement::no_data(limit, NOTHING_DUE);
        }
        let evidence = format!(
            "{} of {} assets hit, half of all within {}; period {}",
            longest.hit,
            longest.assets,
            format::duration(longest.p50),
            format::duration(run.facts.slowest_gated())
        );
        let (verdict, why) = match longest.censored {
            0 if longest.max <= max => (Verdict::Pass, None),
            0 => (Verdict::Fail, Some("an asset was out for longer".to_owned())),
            n => (
                Verdict::Fail,
                Some(format!("{} never recovered", format::count(n, "asset", "assets"))),
            ),
        };
        let least = if longest.censored > 0 { ">= " } else { "" };
        let observed = format!("{least}{}", format::duration(longest.max));
        Judgement::new(verdict, limit, observed, evidence, why)
            .unless_unseen(run.found.unasked.as_ref())
    }

    fn time_limit(&self, theta: Us) -> Option<Us> {
        Some(micros(self.max).min(theta))
    }
}

impl Gate for AssetSecondsLost {
    fn rests(&self) -> Rests {
        Rests::Outage { max: None }
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let (limit, lost) = (super::at_most(self.max), run.found.asset_us_lost as f64 / 1e6);
        if nothing_due(run) {
            return Judgement::no_data(limit, NOTHING_DUE);
        }
        let fails = lost > self.max;
        let verdict = if fails { Verdict::Fail } else { Verdict::Pass };
        let why = fails.then(|| "more time was lost".to_owned());
        let evidence = format!(
            "{} of {} assets hit",
            run.found.longest_outage.all.hit, run.found.longest_outage.all.assets
        );
        Judgement::new(verdict, limit, format!("{lost:.1}"), evidence, why)
            .unless_unseen(run.found.unasked.as_ref())
    }

    fn time_limit(&self, theta: Us) -> Option<Us> {
        Some(theta)
    }
}

impl Gate for StuckAssets {
    fn rests(&self) -> Rests {
        Rests::Return
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        if nothing_due(run) {
            return Judgement::no_data(super::at_most(self.max), NOTHING_DUE);
        }
        let stuck = &run.found.stuck_assets;
        let judged = Judgement::count(
            stuck.len() as u64,
            self.max,
            format!("of {} assets", run.found.longest_outage.all.assets),
            || {
                let some: Vec<String> = stuck.iter().take(5).map(u32::to_string).collect();
                format!("still out at the end, such as {}", some.join(", "))
            },
        );
        judged.unless_unseen(run.found.unasked_at_the_end.as_ref())
    }

    fn time_limit(&self, theta: Us) -> Option<Us> {
        Some(theta)
    }
}

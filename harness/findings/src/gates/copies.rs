//! What was shown more than once, or in the wrong order.

use seams::gate::Rests;

use super::params::at_most;
use super::{Evidence, Gate, Judgement};
use crate::facts::Observer;
use crate::format;

at_most! {
    /// Copies of readings beyond what retries explain, at the observer that shows most of them.
    UnexplainedDuplicates, u64
}
at_most! {
    /// Observations of an older value after a newer one, at the observer that shows most of them.
    TimeTravelMax, u64
}

/// One of those observers that should have seen readings and saw none: what it would have shown is not known.
pub(super) fn blind_observer(
    run: &Evidence<'_>,
    is_asked: impl Fn(&Observer) -> bool,
) -> Option<String> {
    let mut asked = run.facts.observers.iter().filter(|o| is_asked(o) && o.takes.contains(&true));
    let blind = asked.find(|o| o.sightings.all().is_empty())?;
    Some(format!("{} saw nothing", blind.name))
}

impl Gate for UnexplainedDuplicates {
    fn rests(&self) -> Rests {
        Rests::Count
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let worst = run.found.duplicates.iter().max_by_key(|(_, d)| d.unexplained);
        let seen = run
            .facts
            .observers
            .iter()
            .any(|o| o.kind.keeps_everything() && !o.sightings.all().is_empty());
        let Some((observer, d)) = worst.filter(|_| seen) else {
            return Judgement::no_data(
                super::at_most(self.max),
                "no observer that keeps every reading saw anything",
            );
        };
        let evidence = format!("at {observer}; {} explained by retries", d.explained);
        let judged = Judgement::count(d.unexplained, self.max, evidence, || {
            format!(
                "{} at more than one position",
                format::count(d.unexplained_of.len() as u64, "reading stands", "readings stand")
            )
        });
        judged.unless_unseen(blind_observer(run, |o| o.kind.keeps_everything()))
    }
}

impl Gate for TimeTravelMax {
    fn rests(&self) -> Rests {
        Rests::Count
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let seen = |name: &str| {
            run.facts.observers.iter().any(|o| o.name == *name && !o.sightings.all().is_empty())
        };
        let worst = run
            .found
            .time_travel
            .iter()
            .filter(|(name, _)| seen(name))
            .max_by_key(|(_, t)| t.count);
        let Some((observer, travel)) = worst else {
            return Judgement::no_data(
                super::at_most(self.max),
                "no observer showed a current value",
            );
        };
        let judged = Judgement::count(travel.count, self.max, format!("at {observer}"), || {
            format!("{} went back in time", format::count(travel.assets, "asset", "assets"))
        });
        judged.unless_unseen(blind_observer(run, |o| !o.kind.keeps_everything()))
    }
}

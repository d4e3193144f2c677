//! From what a run leaves behind to verdicts.

mod baseline;
mod cohorts;
mod folder;
mod services;
mod standstill;
mod stored;
mod verdicts;
mod windows;

use kit::recorded::{Drill, STOP};
use model::Micros;
use model::schedule::Schedule;
use wetdress_findings::read_run::Recorded;
use wetdress_findings::{Findings, Verdict, Verdicts, find, judge};

/// From memory, without a folder.
trait Judged {
    fn judge(&self) -> (Findings, Verdicts);
}

impl Judged for Drill {
    fn judge(&self) -> (Findings, Verdicts) {
        let recorded = Recorded {
            plan: &self.plan,
            events: &self.events,
            assets: &self.assets,
            shards: &self.shards,
            rows: &self.rows,
            until: Micros(STOP),
            sightings: self.sightings.clone(),
        };
        let facts = recorded.facts(&Schedule::new(&self.plan));
        let found = find(&facts);
        let verdicts = judge(&facts, &found, &self.plan).expect("the gates of the drill are known");
        (found, verdicts)
    }
}

fn of(verdicts: &Verdicts, gate: &str) -> Verdict {
    let found = verdicts.gates.iter().find(|g| g.name == gate);
    found.unwrap_or_else(|| panic!("no gate `{gate}`")).verdict
}

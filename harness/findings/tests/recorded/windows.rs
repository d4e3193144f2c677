//! Windows that hide each other, and marks that contradict each other.

use kit::recorded::{Drill, SECOND};
use model::{Event, Micros, Record};
use wetdress_findings::facts::Proof;
use wetdress_findings::{Reason, Verdict};

use crate::Judged;

/// Two windows that overlap are one episode, whose end is the last heal; one that repeats the other is masked.
#[test]
fn overlapping_windows_are_one_episode() {
    let mut drill = Drill::clean();
    let mut second = drill.plan.windows[0].clone();
    second.id = "again".into();
    drill.plan.windows.push(second);
    let mut more = Vec::new();
    for r in &drill.events {
        let mut r = r.clone();
        match &mut r.event {
            Event::FaultAsked { window, .. } | Event::FaultClosed { window, .. } => {
                *window = "again".into()
            }
            _ => continue,
        }
        r.at = Micros(r.at.0 + SECOND);
        more.push(r);
    }
    drill.events.extend(more);
    let proofs = |drill: &Drill| -> Vec<Proof> {
        drill.judge().0.happened.windows.iter().map(|w| w.proof).collect()
    };
    assert_eq!(proofs(&drill), [Proof::Proven, Proof::Unproven], "nobody says that it is hidden");
    let hidden = |at, by: &[&str]| Record {
        number: 0,
        at: Micros(at),
        event: Event::FaultHidden {
            window: "again".into(),
            by: by.iter().map(|id| (*id).into()).collect(),
        },
    };
    let end = drill.events.len();
    drill.events.push(hidden(71 * SECOND, &["lose-west"]));
    drill.events.push(hidden(80 * SECOND, &[]));
    assert_eq!(proofs(&drill), [Proof::Proven, Proof::Unproven], "11 s of it are left to be shown");
    drill.events.truncate(end);
    drill.events.push(hidden(71 * SECOND, &["lose-west"]));
    drill.events.push(hidden(90 * SECOND, &[]));
    assert_eq!(proofs(&drill), [Proof::Proven, Proof::Masked], "theta of it is left");
    let (found, verdicts) = drill.judge();
    assert_eq!((found.episodes.len(), found.episodes[0].t_heal), (1, Some(91 * SECOND)));
    assert_eq!(found.episodes[0].windows, ["lose-west", "again"]);
    assert_eq!(verdicts.voids, []);
}

/// The new leader was first seen 4 s after the effect, and every reading was acked at once: one of the two is not so.
#[test]
fn a_shard_without_a_leader_and_without_a_late_reading_voids_the_run() {
    let mut drill = Drill::clean();
    for row in &mut drill.rows {
        row.acked = Some(Micros(row.ready.0 + 5_100));
        row.fate = model::ledger::Fate::Acked;
    }
    let (found, verdicts) = drill.judge();
    assert_eq!(found.longest_outage.all.hit, 0);
    let reasons: Vec<Reason> = verdicts.voids.iter().map(|v| v.reason).collect();
    assert_eq!((verdicts.verdict, reasons), (Verdict::Inconclusive, vec![Reason::Contradiction]));
}

//! Runs with more than one service: shards and positions belong to the service that is observed, and what is said of one service does
//! not depend on the others.

use std::collections::BTreeMap;

use kit::recorded::{Drill, SECOND};
use model::{Event, Identity, Micros};
use proptest::prelude::*;
use serde_json::{Value, json};
use wetdress_findings::{Class, Findings, MayStayOut, Reason, Verdict};

use crate::{Judged, of};

/// A reading of a west asset that was acked before the fault.
const EARLY: Identity = Identity { asset: 2, stream: 0, boot: 1, seq: 40 };
const LOG: [&str; 2] = ["log", "log.read_back"];
const LEDGER: [&str; 2] = ["ledger", "ledger.read_back"];
const SINK: [&str; 2] = ["sink", "sink.read_back"];

/// A reading that the store has and the sink behind it lost: the sink's own positions and shards say so, and the store is no excuse.
#[test]
fn what_is_lost_behind_the_store_is_lost() {
    let mut drill = Drill::clean();
    drill.add_sink();
    assert_eq!(drill.judge().1.verdict, Verdict::Pass, "{}", drill.judge().1.exit_reason);
    drill.seen(&SINK, |seen| seen.retain(|s| s.identity != EARLY));
    let (found, verdicts) = drill.judge();
    assert_eq!(found.classes["sink"][&Class::AckedLost], 1);
    assert_eq!(found.classes["log"].keys().collect::<Vec<_>>(), [&Class::Observed]);
    assert_eq!(
        (found.loss.lost.as_slice(), of(&verdicts, "acked_lost")),
        (&[EARLY][..], Verdict::Fail)
    );
}

/// The ack's position is one of the store's: an observer of the sink that stands at a larger number has not passed the reading.
#[test]
fn positions_of_two_services_are_not_compared() {
    let mut drill = Drill::clean();
    drill.add_sink();
    drill.seen(&SINK, |seen| seen.retain(|s| s.identity != EARLY));
    // Assets with an even number lie in the sink's `s-east`, whatever their home.
    drill.passed(&SINK, |last| *last.get_mut("s-east").expect("it has this shard") -= 1);
    let (found, verdicts) = drill.judge();
    assert_eq!(found.classes["sink"][&Class::Unseen], 1);
    assert_eq!((found.loss.count, found.loss.unseen.as_slice()), (0, &[EARLY][..]));
    assert_eq!(of(&verdicts, "acked_lost"), Verdict::Inconclusive);
    let mut other = Drill::clean();
    other.add_sink();
    other.seen(&SINK, |seen| seen.retain(|s| s.identity != EARLY));
    other.passed(&SINK, |last| *last.get_mut("s-west").expect("it has this shard") -= 1);
    assert_eq!(other.judge().0.loss.lost, [EARLY], "the shard of its home is another one's there");
}

/// The end that a sink names is where it stands, not where it will: what was acked last may still be under way to it.
#[test]
fn what_is_under_way_to_the_sink_is_not_lost() {
    let mut drill = Drill::clean();
    drill.add_sink();
    let last =
        drill.rows.iter().filter(|row| row.identity.asset == 2).map(|row| row.identity).max();
    let last = last.expect("it has readings");
    drill.seen(&SINK, |seen| seen.retain(|s| s.identity != last));
    let (found, verdicts) = drill.judge();
    assert_eq!((found.loss.count, found.loss.unseen.as_slice()), (0, &[last][..]));
    assert_eq!(of(&verdicts, "acked_lost"), Verdict::Inconclusive);
}

/// An observer of one service has nothing to say of readings that go to another one.
#[test]
fn what_nobody_looks_for_is_neither_lost_nor_safe() {
    let mut drill = Drill::clean();
    drill.add_ledger();
    assert_eq!(drill.judge().1.verdict, Verdict::Pass, "{}", drill.judge().1.exit_reason);
    drill.plan.observers.remove("ledger");
    let (found, verdicts) = drill.judge();
    assert_eq!((found.loss.count, found.loss.unseen.len()), (0, 0));
    assert_eq!(
        found.loss.unwatched,
        found.loss.acked * 2 / 3,
        "two streams of theirs, one of the terminals"
    );
    let gate =
        verdicts.gates.iter().find(|gate| gate.name == "acked_lost").expect("a default gate");
    assert_eq!(gate.verdict, Verdict::Inconclusive);
    assert_eq!(
        gate.why.as_deref(),
        Some("2880 acked readings are of fleets that no observer looks for")
    );
    assert_eq!(
        found.freshness["log"].longest_stale_us,
        Drill::clean().judge().0.freshness["log"].longest_stale_us
    );
}

/// West of the ledger is not west of the store.
#[test]
fn a_fault_hits_the_assets_of_its_service() {
    let mut drill = Drill::clean();
    drill.add_ledger();
    drill.hit_instead(&"ledger".into());
    let affected = &drill.judge().0.episodes[0].affected;
    assert_eq!(
        (affected.declared, affected.assets.as_slice()),
        (true, &(12..24).collect::<Vec<_>>()[..]),
        "those at home in the west, and those whose balance lies in `s-west`"
    );
}

/// A shard of the sink is lost for those whose readings lie in it, wherever they live and wherever they are acked.
#[test]
fn a_lost_shard_behind_the_store_is_lost_for_those_in_it() {
    let mut drill = Drill::clean();
    drill.add_sink();
    drill.hit_instead(&"sink".into());
    let affected = &drill.judge().0.episodes[0].affected;
    assert_eq!(affected.assets, [1, 3, 5, 7, 9, 11], "`s-west` of the sink, and no region of it");
}

/// A stream that lies in a shard of its own does not take the asset's other shard down with it.
#[test]
fn a_dead_shard_is_seen_by_the_streams_that_lie_in_it() {
    let mut drill = Drill::clean();
    drill.add_ledger();
    let late = |row: &&mut model::Row| {
        let id = row.identity;
        (12..18).contains(&id.asset)
            && id.stream == 1
            && (50 * SECOND..60 * SECOND).contains(&row.ready.0)
    };
    drill
        .rows
        .iter_mut()
        .filter(late)
        .for_each(|row| row.acked = row.acked.map(|t| Micros(t.0 + 12 * SECOND)));
    let (found, _) = drill.judge();
    let hit = |shard: &str| {
        (found.longest_outage.by_shard[shard].assets, found.longest_outage.by_shard[shard].hit)
    };
    assert_eq!(
        hit("ledger/s-east"),
        (12, 6),
        "the balances of those at home in the west lie in the east"
    );
    assert_eq!(hit("ledger/s-west"), (12, 0));
    assert_eq!(hit("store/s-west"), (6, 6), "the fault");
    let dark = |shard: &str| found.charts.u_by_shard[shard].iter().any(|step| step.out > 0);
    assert!(dark("ledger/s-east") && !dark("ledger/s-west"));
}

/// Two services with one system of record each: the word of one is no evidence for the other.
#[test]
fn each_service_must_show_something_in_the_baseline() {
    let mut drill = Drill::clean();
    drill.add_ledger();
    drill.seen(&LEDGER, Vec::clear);
    let (_, verdicts) = drill.judge();
    let said: Vec<_> = verdicts.voids.iter().map(|v| (v.reason, v.sentence.as_str())).collect();
    assert_eq!(
        said,
        [(Reason::NothingVisible, "Nothing of `ledger` became visible in `baseline`.")]
    );
}

/// A read-back of one service decides nothing for another one, which was not read back.
#[test]
fn where_one_service_was_read_back_the_tail_of_the_other_decides() {
    let mut drill = Drill::clean();
    drill.add_ledger();
    let theirs = Identity { asset: 14, ..EARLY };
    drill.seen(&["ledger"], |seen| seen.retain(|s| s.identity != theirs));
    assert_eq!(drill.judge().0.loss.count, 0, "it was read back");
    drill.sightings.remove("ledger.read_back");
    drill.events.retain(|r| {
        !matches!(&r.event, Event::ObserverPassed { observer, .. } if observer.as_str() == "ledger.read_back")
    });
    let (found, _) = drill.judge();
    assert_eq!(found.loss.judges, ["ledger", "log.read_back"]);
    assert_eq!(found.loss.lost, [theirs]);
}

/// With two systems of record, that one is asked whose assets were hit, whatever the order of their names.
#[test]
fn what_is_fresh_again_is_told_by_the_service_that_was_hit() {
    let fresh = |drill: &mut Drill| {
        drill.gate("rto.fresh", json!({"max": "12s"}));
        let (_, verdicts) = drill.judge();
        verdicts.gates.into_iter().find(|gate| gate.name == "rto.fresh").expect("it was asked for")
    };
    let alone = fresh(&mut Drill::clean());
    let mut drill = Drill::clean();
    drill.add_ledger();
    let both = fresh(&mut drill);
    assert!(both.evidence.contains("at log"), "{both:?}");
    assert_eq!((both.verdict, &both.observed), (alone.verdict, &alone.observed));
    let mut other = Drill::clean();
    other.add_ledger();
    other.hit_instead(&"ledger".into());
    let other = fresh(&mut other);
    assert!(other.evidence.contains("at ledger"), "{other:?}");
    assert_eq!(other.observed, "no outage above the share", "the ledger never noticed");
}

/// A return holds for two of the slowest gated periods of the run, whosever it is: one width for all cohorts of a run.
#[test]
fn a_return_holds_for_the_slowest_period_of_the_run() {
    let first_recovery =
        |drill: &Drill| drill.judge().0.episodes[0].rto[&MayStayOut::Nobody].first_recovery;
    let alone = first_recovery(&Drill::clean());
    assert!(alone.is_some(), "it held for ten seconds");
    let mut drill = Drill::clean();
    drill.add_ledger();
    let tellers = drill.plan.fleets.get_mut("tellers").expect("the ledger's fleet");
    tellers.streams[1].every = std::time::Duration::from_secs(30);
    assert_eq!(first_recovery(&drill), None, "the run is too short to hold for a minute");
}

/// Everything that the findings say of the first service alone.
fn of_the_store(found: &Findings) -> Value {
    fn named<T: Clone>(map: &BTreeMap<String, T>) -> BTreeMap<String, T> {
        let mine = |name: &str| {
            name.starts_with("store/") || ["log", "log.read_back", "now"].contains(&name)
        };
        map.iter()
            .filter(|(name, _)| mine(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
    let ours =
        |ids: &[Identity]| ids.iter().filter(|id| id.asset < 12).copied().collect::<Vec<_>>();
    let e = &found.episodes[0];
    let leaders: Vec<_> =
        e.timeline.leaders.iter().filter(|l| l.shard.starts_with("store/")).collect();
    json!({
        "classes": named(&found.classes),
        "platform": named(&found.platform_latency),
        "freshness": named(&found.freshness),
        "time_travel": named(&found.time_travel),
        "duplicates": named(&found.duplicates),
        "order": named(&found.order),
        "corrupt": named(&found.corrupt),
        "longest": named(&found.longest_outage.by_shard),
        "u": named(&found.charts.u_by_shard),
        "outages": found.outages.iter().filter(|o| o.asset < 12).collect::<Vec<_>>(),
        "lost": [ours(&found.loss.lost), ours(&found.loss.unseen), ours(&found.loss.after_effect)],
        "affected": e.affected,
        "rto": e.rto,
        "rto_service": named(&e.rto_service),
        "back_to_baseline": e.back_to_baseline,
        "goodput_affected": e.goodput_affected,
        "marks": [e.timeline.t0, e.timeline.t2.unwrap_or(-1), e.timeline.t3.unwrap_or(-1), e.timeline.t5.unwrap_or(-1)],
        "leaders": leaders,
    })
}

/// What goes wrong with one reading, whoever has it.
#[derive(Clone, Copy, Debug)]
enum Spoil {
    /// Not seen by anybody.
    Missing,
    /// Seen by the tail, and not read back.
    Gone,
    /// Seen again elsewhere.
    Twice,
    /// Seen three seconds late.
    Late,
    /// Acked after two seconds.
    Slow,
    /// Never acked.
    Pending,
}

fn spoil(drill: &mut Drill, asset: u32, seq: u64, how: Spoil) {
    let which = |id: &Identity| (id.asset, id.stream, id.seq) == (asset, 0, seq);
    let [tail, back] = if asset < 12 { LOG } else { LEDGER };
    let row = drill.rows.iter_mut().find(|row| which(&row.identity));
    let Some(row) = row else { return };
    match how {
        Spoil::Missing => drill.seen(&[tail, back], |seen| seen.retain(|s| !which(&s.identity))),
        Spoil::Gone => drill.seen(&[back], |seen| seen.retain(|s| !which(&s.identity))),
        Spoil::Twice => drill.seen(&[tail, back], |seen| {
            let again = seen.iter().find(|s| which(&s.identity)).copied();
            seen.extend(again.map(|s| model::Sighting { position: Some(77_777), ..s }));
        }),
        Spoil::Late => drill.seen(&[tail], |seen| {
            let mine = seen.iter_mut().filter(|s| which(&s.identity));
            mine.for_each(|s| s.at = Micros(s.at.0 + 3 * SECOND));
        }),
        Spoil::Slow => row.acked = row.acked.map(|t| Micros(t.0 + 2 * SECOND)),
        Spoil::Pending => {
            (row.acked, row.fate, row.position) = (None, model::ledger::Fate::Pending, None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What is said of a service does not depend on which others were in the run, whatever goes wrong with either of them.
    #[test]
    fn a_second_service_changes_nothing_for_the_first(
        spoils in prop::collection::vec((0u32..24, 0u64..120, prop::sample::select(vec![
            Spoil::Missing, Spoil::Gone, Spoil::Twice, Spoil::Late, Spoil::Slow, Spoil::Pending,
        ])), 0..40),
        (behind, ledger_behind) in (0u64..200, 0u64..200),
        told: bool,
    ) {
        let mut alone = Drill::clean();
        let mut both = Drill::clean();
        both.add_ledger();
        for (asset, seq, how) in spoils {
            for drill in [&mut alone, &mut both] {
                spoil(drill, asset, seq, how);
            }
        }
        for drill in [&mut alone, &mut both] {
            drill.passed(&LOG, |last| last.values_mut().for_each(|position| *position -= behind));
        }
        both.passed(&LEDGER, |last| {
            last.values_mut().for_each(|position| *position -= ledger_behind);
        });
        if !told {
            both.events.retain(|r| !matches!(&r.event, Event::ObserverPassed { observer, .. } if observer.as_str() == "ledger"));
        }
        prop_assert_eq!(of_the_store(&alone.judge().0), of_the_store(&both.judge().0));
    }
}

//! The findings in the oracle's own shape.

use kit::oracle::{back, latency, longest, outage, rto, service};
use model::Identity;
use serde_json::{Map, Value, json};
use wetdress_findings::statistics::{LimitGate, LimitTest, holm, limit_gates, trials};
use wetdress_findings::{EpisodeFindings, Facts, Findings, Step, Verdict, find};

use crate::read::{self, Names, Plan};

pub(crate) fn document(plan: &Plan, ledger: &[read::Row]) -> Value {
    let (facts, names) = read::facts(plan, ledger);
    let f = find(&facts);
    let mut doc = whole(&f, &names);
    doc.insert("gates".into(), gates(plan, &facts));
    let trials = trials(&plan.trials).map_or(Value::Null, |t| {
        json!({"n": t.n, "max": t.max, "at_least_within_max": t.at_least_within_max, "bad_share_allowed": t.bad_share_allowed,
               "confidence": t.confidence})
    });
    doc.insert("trials".into(), trials);
    if let Some(e) = f.episodes.first() {
        episode(e, &names, &mut doc);
    }
    Value::Object(doc)
}

fn whole(f: &Findings, names: &Names) -> Map<String, Value> {
    let asset = |a: &u32| names.assets[*a as usize].clone();
    let identity = |i: &Identity| {
        json!([asset(&i.asset), names.streams[usize::from(i.stream)], i.boot, i.seq])
    };
    let identities = |is: &[Identity]| is.iter().map(identity).collect::<Vec<_>>();
    let stream_outage = |o: &wetdress_findings::StreamOutage| {
        let mut shown = outage(&o.outage);
        shown["asset"] = json!(asset(&o.asset));
        shown["stream"] = json!(o.stream);
        shown
    };
    let order_by = |(key, n): (&String, &u64)| {
        let parts: Vec<usize> =
            key.split('/').map(|p| p.parse().expect("numbers between the slashes")).collect();
        (format!("{}/{}/{}", names.assets[parts[0]], names.streams[parts[1]], parts[2]), json!(n))
    };
    let value = json!({
        "classes": f.classes, "undecided": f.undecided, "baseline_fits": f.baseline_fits,
        "ack_latency": each(&f.ack_latency, latency), "goodput": {"all": f.goodput},
        "outages": f.outages.iter().map(stream_outage).collect::<Vec<_>>(),
        "asset_outages": f.asset_outages.iter().map(|(a, os)| (asset(a), os.iter().map(outage).collect())).collect::<Map<_, Value>>(),
        "u": f.u.iter().map(|Step { t, out, here }| json!([t, out, here])).collect::<Vec<_>>(),
        "windows": each(&f.windows, |xs| xs.iter().map(|x| json!([x.start, x.end])).collect()),
        "asset_us_lost": f.asset_us_lost, "stuck_assets": f.stuck_assets.iter().map(asset).collect::<Vec<_>>(),
        "worst_uptime": f.worst_uptime,
        "longest_outage": {"all": longest(&f.longest_outage.all), "by_home": each(&f.longest_outage.by_home, longest),
                           "by_shard": each(&f.longest_outage.by_shard, longest)},
        "freshness": each(&f.freshness, |x| json!({"stale_asset_us": x.stale_asset_us, "contact_asset_us": x.contact_asset_us,
            "availability": x.availability, "excess_age_us2": x.excess_age_us2})),
        "time_travel": each(&f.time_travel, |x| {
            assert_eq!(x.count as usize, x.gone_back.len(), "time travel is listed");
            json!({"count": x.count, "assets": x.assets})
        }),
        "rpo": {"count": f.loss.count, "assets": f.loss.assets, "lost": identities(&f.loss.lost), "reach": f.loss.reach,
            "after_effect": identities(&f.loss.after_effect), "unseen": identities(&f.loss.unseen),
            "verdict": verdict(f.loss.verdict), "verdict_after_effect": verdict(f.loss.verdict_after_effect)},
        "duplicates": each(&f.duplicates, |x| json!({"explained": x.explained, "unexplained": x.unexplained})),
        "order": each(&f.order, |x| json!({"reordered": x.reordered, "gaps_closed_late": x.gaps_closed_late,
            "gaps_never_closed": x.gaps_never_closed, "missing": x.missing, "by": x.by.iter().map(order_by).collect::<Map<_, _>>()})),
    });
    let Value::Object(map) = value else { unreachable!("an object was written") };
    map
}

fn episode(e: &EpisodeFindings, names: &Names, doc: &mut Map<String, Value>) {
    let hit: Vec<&String> = e.affected.assets.iter().map(|a| &names.assets[*a as usize]).collect();
    let rule = if e.affected.declared { "declared" } else { "missed theta" };
    doc["goodput"]["affected"] = json!(e.goodput_affected);
    doc["goodput"]["control"] = json!(e.goodput_control);
    doc.insert(
        "affected".into(),
        json!({"rule": rule, "assets": hit, "with_path": e.affected.with_path}),
    );
    doc.insert("back_to_baseline".into(), back(&e.back_to_baseline));
    doc.insert("rto".into(), each(&e.rto, rto));
    doc.insert("rto_service".into(), each(&e.rto_service, service));
}

/// Shards lose the name of their service, which the oracle does not write.
fn each<K: serde::Serialize, T>(
    map: &std::collections::BTreeMap<K, T>,
    of: impl Fn(&T) -> Value,
) -> Value {
    let name = |key: &K| match serde_json::to_value(key) {
        Ok(Value::String(name)) => name,
        other => panic!("{other:?} is no name"),
    };
    let bare = |name: String| {
        let shard = name.strip_prefix(read::SERVICE).and_then(|rest| rest.strip_prefix('/'));
        shard.unwrap_or(&name).to_owned()
    };
    map.iter().map(|(key, item)| (bare(name(key)), of(item))).collect::<Map<_, _>>().into()
}

fn verdict(v: Verdict) -> &'static str {
    match v {
        Verdict::NotApplicable => panic!("the oracle knows no such verdict"),
        Verdict::Pass => "pass",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Fail => "fail",
    }
}

fn gates(plan: &Plan, facts: &Facts) -> Value {
    let phase = |name: &str| {
        facts.phases.iter().find(|p| p.name == name).expect("gates name phases of the plan")
    };
    let judge = |g: &read::Gate| {
        let clock = g.clock.unwrap_or(15_000_000);
        limit_gates(
            facts,
            &LimitGate { phase: phase(&g.phase), limit: g.limit, q: g.q, by: g.group(), clock },
        )
    };
    let mut groups: Vec<_> = plan.gates.iter().map(judge).collect();
    holm(groups.iter_mut().flat_map(|g| g.values_mut()).collect());
    let shown = |(g, tests): (&read::Gate, &std::collections::BTreeMap<String, LimitTest>)| {
        let worst = tests.values().map(|t| t.verdict).max().unwrap_or(Verdict::Inconclusive);
        let mut value = json!({"phase": g.phase, "limit": g.limit, "q": g.q, "by": g.by, "groups": each(tests, test), "verdict": verdict(worst)});
        if let Some(clock) = g.clock {
            value["clock"] = json!(clock);
        }
        value
    };
    plan.gates.iter().zip(&groups).map(shown).collect()
}

fn test(t: &LimitTest) -> Value {
    let mut value = t
        .sample
        .as_ref()
        .map_or(json!({}), |s| serde_json::to_value(s).expect("a sample is plain data"));
    value["verdict"] = json!(verdict(t.verdict));
    if let Some(why) = &t.why {
        value["why"] = json!(why);
    }
    value
}

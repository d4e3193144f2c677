//! The findings of the product, in the words of the reference.

use std::collections::BTreeMap;

use findings::{EpisodeFindings, Findings, Step, Verdict};
use kit::oracle::{back, latency, longest, outage, rto, service};
use model::Identity;
use run::Loaded;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::input::asset;

pub(crate) fn figures(loaded: &Loaded, f: &Findings) -> Value {
    let stream = |id: u32, stream: &dyn Fn(&model::plan::Stream, usize) -> bool| {
        let row = loaded.assets.iter().find(|row| row.asset == id).expect("a listed asset");
        let mut streams = loaded.plan.fleets[&row.fleet].streams.iter().enumerate();
        let found = streams.find(|(number, it)| stream(it, *number)).expect("a stream of its");
        format!("{}/{}", row.fleet, found.1.name)
    };
    let numbered = |id: u32, number: u16| stream(id, &|_, at| at == usize::from(number));
    let identities = |all: &[Identity]| {
        let one =
            |i: &Identity| json!([asset(i.asset), numbered(i.asset, i.stream), i.boot, i.seq]);
        let mut all: Vec<Value> = all.iter().map(one).collect();
        all.sort_by_key(Value::to_string);
        all
    };
    let mut outages = BTreeMap::<String, Vec<Value>>::new();
    for o in &f.outages {
        let name = stream(o.asset, &|it, _| it.name.as_str() == o.stream);
        outages.entry(format!("{}/{name}", asset(o.asset))).or_default().push(outage(&o.outage));
    }
    // An order is written under the number of its stream.
    let order_by = |(key, n): (&String, &u64)| {
        let part = |at: usize| key.split('/').nth(at).and_then(|p| p.parse::<u32>().ok());
        let (id, number) = (part(0).unwrap_or(0), part(1).unwrap_or(0));
        let boot = part(2).unwrap_or(0);
        (format!("{}/{}/{boot}", asset(id), numbered(id, number as u16)), json!(n))
    };
    json!({
        "classes": f.classes, "undecided": f.undecided, "baseline_fits": f.baseline_fits,
        "ack_latency": each(&f.ack_latency, latency), "goodput": {"all": f.goodput}, "outages": outages,
        "asset_outages": f.asset_outages.iter()
            .map(|(a, all)| (asset(*a), all.iter().map(outage).collect())).collect::<Map<_, Value>>(),
        "u": f.u.iter().map(|Step { t, out, here }| json!([t, out, here])).collect::<Vec<_>>(),
        "windows": each(&f.windows, |all| all.iter().map(|x| json!([x.start, x.end])).collect()),
        "asset_us_lost": f.asset_us_lost, "worst_uptime": f.worst_uptime,
        "stuck_assets": f.stuck_assets.iter().map(|a| asset(*a)).collect::<Vec<_>>(),
        "longest_outage": {
            "all": longest(&f.longest_outage.all), "by_home": each(&f.longest_outage.by_home, longest),
            "by_shard": each(&f.longest_outage.by_shard, longest),
        },
        "delivered": f.delivered,
        "freshness": each(&f.freshness, |x| json!({
            "stale_asset_us": x.stale_asset_us, "contact_asset_us": x.contact_asset_us,
            "availability": x.availability, "excess_age_us2": x.excess_age_us2,
        })),
        "time_travel": each(&f.time_travel, |x| json!({"count": x.count, "assets": x.assets})),
        "rpo": {
            "count": f.loss.count, "assets": f.loss.assets, "lost": identities(&f.loss.lost),
            "reach": f.loss.reach, "after_effect": identities(&f.loss.after_effect),
            "unseen": identities(&f.loss.unseen), "acked": f.loss.acked,
            "verdict": verdict(f.loss.verdict), "verdict_after_effect": verdict(f.loss.verdict_after_effect),
        },
        "duplicates": each(&f.duplicates, |x| json!({"explained": x.explained, "unexplained": x.unexplained})),
        "order": each(&f.order, |x| json!({
            "reordered": x.reordered, "gaps_closed_late": x.gaps_closed_late,
            "gaps_never_closed": x.gaps_never_closed, "missing": x.missing,
            "by": x.by.iter().map(order_by).collect::<Map<_, _>>(),
        })),
        "episodes": f.episodes.iter().map(episode).collect::<Vec<_>>(),
    })
}

fn episode(e: &EpisodeFindings) -> Value {
    json!({
        "affected": {
            "rule": if e.affected.declared { "declared" } else { "missed theta" },
            "assets": e.affected.assets.iter().map(|a| asset(*a)).collect::<Vec<_>>(),
            "with_path": e.affected.with_path,
            "longest_without_path": e.affected.longest_without_path,
        },
        "goodput": {"affected": e.goodput_affected, "control": e.goodput_control},
        "t5": e.timeline.t5,
        "back_to_baseline": back(&e.back_to_baseline),
        "rto": each(&e.rto, rto),
        "rto_service": each(&e.rto_service, service),
    })
}

fn each<K: Serialize, T>(map: &BTreeMap<K, T>, of: impl Fn(&T) -> Value) -> Value {
    let name = |key: &K| match serde_json::to_value(key) {
        Ok(Value::String(name)) => name,
        other => panic!("{other:?} is no name"),
    };
    map.iter().map(|(key, item)| (name(key), of(item))).collect::<Map<_, _>>().into()
}

pub(crate) fn verdict(v: Verdict) -> &'static str {
    match v {
        Verdict::NotApplicable => "not applicable",
        Verdict::Pass => "pass",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Fail => "fail",
    }
}

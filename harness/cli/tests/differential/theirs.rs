//! The answers of the reference, put together from the calls of one drill.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Figures of the whole drill: those of its groups of fleets are added up.
pub(crate) fn figures(answer: &Value) -> Value {
    let mut figures = answer["run"].as_object().expect("the run has figures").clone();
    let groups = answer["groups"].as_array().expect("a list of groups");
    for name in ["classes", "time_travel", "duplicates", "order", "freshness", "delivered"] {
        let of_groups = groups.iter().map(|group| &group[name]);
        figures.insert(name.to_owned(), of_groups.fold(json!({}), add));
    }
    let observers = figures["freshness"].as_object_mut().expect("by observer");
    for one in observers.values_mut() {
        let number = |key: &str| one[key].as_f64().unwrap_or(0.0);
        let (stale, here) = (number("stale_asset_us"), number("contact_asset_us"));
        one["availability"] = if here > 0.0 { json!(1.0 - stale / here) } else { Value::Null };
    }
    figures.insert("rpo".to_owned(), loss(groups));
    by_series(&mut figures);
    let mut episodes = answer["episodes"].clone();
    for episode in episodes.as_array_mut().expect("a list of episodes") {
        let figures = episode.as_object_mut().expect("an episode has figures");
        let good = figures.remove("last_good").expect("it has this one");
        figures.insert("t5".to_owned(), good.get("value").cloned().unwrap_or_default());
        // Shares that gates ask for beyond those that are printed.
        let printed = |phi: &str| ["0", "1%", "10%", "50%"].contains(&phi);
        figures["rto"].as_object_mut().expect("by share").retain(|phi, _| printed(phi));
    }
    figures.insert("episodes".to_owned(), episodes);
    figures.into()
}

/// Sums of numbers that have one name.
fn add(sum: Value, more: &Value) -> Value {
    match (sum, more) {
        (Value::Object(mut sum), Value::Object(more)) => {
            for (key, value) in more {
                let before = sum.remove(key).unwrap_or(Value::Null);
                sum.insert(key.clone(), add(before, value));
            }
            sum.into()
        }
        (Value::Number(a), Value::Number(b)) if a.is_i64() && b.is_i64() => {
            (a.as_i64().unwrap_or(0) + b.as_i64().unwrap_or(0)).into()
        }
        (Value::Number(a), Value::Number(b)) => {
            (a.as_f64().unwrap_or(0.0) + b.as_f64().unwrap_or(0.0)).into()
        }
        (_, more) => more.clone(),
    }
}

/// Acked readings that nobody looks for are no proof that nothing was lost.
fn loss(groups: &[Value]) -> Value {
    let all = |key: &str| {
        let lists = groups.iter().filter_map(|group| group["rpo"][key].as_array());
        let mut all: Vec<Value> = lists.flatten().cloned().collect();
        all.sort_by_key(Value::to_string);
        all
    };
    let sum = |key: &str| groups.iter().filter_map(|g| g["rpo"][key].as_i64()).sum::<i64>();
    let reach = groups.iter().filter_map(|group| group["rpo"]["reach"].as_i64()).max();
    let verdict = |acked: &str, verdict: &str| {
        let mine = || groups.iter().map(|group| &group["rpo"]).filter(|rpo| rpo[acked] != 0);
        let says = |word: &str| mine().any(|rpo| rpo[verdict] == word);
        match () {
            () if says("fail") => "fail",
            () if says("inconclusive") || mine().any(|rpo| rpo["watched"] == false) => {
                "inconclusive"
            }
            () if mine().next().is_none() => "inconclusive",
            () => "pass",
        }
    };
    json!({
        "count": sum("count"), "assets": sum("assets"), "lost": all("lost"), "reach": reach.unwrap_or(0),
        "after_effect": all("after_effect"), "unseen": all("unseen"), "acked": sum("acked"),
        "verdict": verdict("acked", "verdict"),
        "verdict_after_effect": verdict("acked_after", "verdict_after_effect"),
    })
}

/// Outages by asset and stream instead of in one list.
fn by_series(figures: &mut Map<String, Value>) {
    let mut by = BTreeMap::<String, Vec<Value>>::new();
    for outage in figures["outages"].as_array().expect("a list of outages") {
        let mut shown = outage.clone();
        let fields = shown.as_object_mut().expect("an outage has fields");
        let mut part = |key: &str| {
            let part = fields.remove(key).expect("it says whose it is");
            part.as_str().unwrap_or_default().to_owned()
        };
        let series = format!("{}/{}", part("asset"), part("stream"));
        by.entry(series).or_default().push(shown);
    }
    figures.insert("outages".to_owned(), json!(by));
}

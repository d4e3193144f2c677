//! Changed scenarios through the whole program: each is read, and those that are accepted are played in the lab in memory. None may panic,
//! hang, or take much time or memory.
//!
//! `cargo xtask fuzz --scenarios 20000` tries many; `WETDRESS_FUZZ_SEED` repeats a round. A plain test run tries a short fixed round.
//!
//! * `change`: what is done to a scenario
//! * `play`: one scenario in a process of its own, with limits

#![allow(clippy::print_stdout, reason = "what was tried is a result of the test, shown with it")]

#[path = "../../src/catalogs.rs"]
#[allow(dead_code, reason = "the binary's own list of kinds, of which this test needs a part")]
mod catalogs;
mod change;
#[path = "../../src/labs.rs"]
#[allow(dead_code, reason = "the binary's own list of labs, of which this test needs a part")]
mod labs;
mod play;
#[path = "../hostile/tree.rs"]
mod tree;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use kit::{Corpus, Random};
use model::{Micros, Plan, load::Warp};

/// The short round of a plain test run.
const FEW: u64 = 60;
/// Reading a scenario takes milliseconds. Room for a loaded machine.
const READ_MAX: Duration = Duration::from_secs(3);
/// What is played at most: longer drills are right, and take their time.
const READINGS_MAX: u128 = 60_000;
const LENGTH_MAX: Duration = Duration::from_secs(15 * 60);
const COPIES_MAX: usize = 600;

/// Scenarios of the tree, and the same in the lab in memory.
fn scenarios() -> Vec<String> {
    let read = |path| std::fs::read_to_string(path).expect("readable");
    let shipped: Vec<String> = kit::shipped().into_iter().map(read).collect();
    let in_memory = shipped.iter().map(|text| {
        let text =
            text.replace("lab: local", "lab: pretend").replace("kind: etcd", "kind: pretend");
        text.replace("kind: reference", "kind: pretend")
    });
    let (catalogs, file) = (catalogs::catalogs(), file());
    let loads = |text: &String| plan::load(text, &file, &catalogs).is_ok();
    let in_memory: Vec<String> = in_memory.filter(loads).collect();
    assert!(in_memory.len() >= 3, "{} scenarios can be played in memory", in_memory.len());
    // The more of them can be played, the more is played.
    [shipped, in_memory.clone(), in_memory.clone(), in_memory].concat()
}

/// Where a changed scenario is said to stand: includes are looked up beside it.
fn file() -> String {
    let scenarios =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/drills/changed.yaml");
    scenarios.display().to_string()
}

/// Whether a drill is small enough to be played here.
fn small(plan: &Plan) -> bool {
    let stop = Micros::after(plan.stop());
    let streams = plan.fleets.values().flat_map(|fleet| {
        let sends = Warp::of(&fleet.load).nominal(stop).elapsed().as_nanos();
        let each = fleet.streams.iter().map(move |stream| sends / stream.every.as_nanos().max(1));
        each.map(|each| each * u128::from(fleet.assets))
    });
    let shards = |service: &model::KindSpec| service.params["shards"].as_u64().unwrap_or(12);
    let copies: u64 = plan.services.values().map(shards).sum::<u64>();
    streams.sum::<u128>() <= READINGS_MAX
        && plan.latest_end() <= LENGTH_MAX
        && copies as usize * plan.topology.nodes.len() <= COPIES_MAX
}

#[test]
fn no_changed_scenario_breaks_the_program() {
    let asked = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let count = asked("WETDRESS_FUZZ_SCENARIOS");
    let of_now = || SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64);
    let seed = asked("WETDRESS_FUZZ_SEED");
    let seed = seed.unwrap_or_else(|| if count.is_some() { of_now() } else { 1 });
    let texts = scenarios();
    let trees: Vec<document::Node> = texts.iter().map(|text| tree::read(text)).collect();
    let inputs = texts.iter().map(|text| (String::new(), text.as_bytes().to_vec())).collect();
    let corpus = Corpus { inputs, words: vec![b": ".to_vec(), b"- ".to_vec(), b"0s".to_vec()] };
    let (catalogs, file) = (catalogs::catalogs(), file());
    println!("mutations: seed {seed}, {} scenarios", texts.len());
    let begin = Instant::now();
    let mut player = play::Player::new(count.is_some());
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    for number in 0..count.unwrap_or(FEW) {
        let mut random = Random::of_number(seed, number);
        let text = match random.below(5) {
            0 => String::from_utf8_lossy(&corpus.changed(&mut random)).into_owned(),
            _ => tree::write(&change::changed(&trees, &mut random)),
        };
        let what = format!("input {number} of seed {seed}");
        let reading = Instant::now();
        let plan = plan::load(&text, &file, &catalogs);
        let shown = plan.as_ref().err().map(|mistakes| mistakes.render(true));
        player.hold(&what, &text, reading.elapsed() <= READ_MAX, "takes long to read");
        let end = match (plan, shown) {
            (Err(mistakes), Some(shown)) => {
                let said = mistakes.count() > 0 && !shown.is_empty() && shown.len() < 1 << 20;
                player.hold(&what, &text, said, "is refused without a word, or with too many");
                "refused".to_owned()
            }
            (Ok(plan), _) if plan.lab.kind != "pretend" => "for another lab".to_owned(),
            (Ok(plan), _) if !small(&plan) => "too long to play here".to_owned(),
            _ => format!("played: {}", player.play(&what, &text)),
        };
        *ends.entry(end).or_default() += 1;
    }
    println!("mutations: {ends:?} in {:?}; {player:?}", begin.elapsed());
    player.verdict();
}

//! What `plan` promises of a gate on percentiles is what the judge judges: small random drills in the pretend lab, count by count.

mod build;

use model::schedule::{Draws, Purpose};

use crate::build::PRETEND;

/// Random choices of one drill, one after another.
struct Dice {
    draws: Draws,
    thrown: u64,
}

impl Dice {
    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        self.thrown += 1;
        of[self.draws.below(of.len() as u64, Purpose::Target, self.thrown) as usize]
    }
}

struct Drawn {
    text: String,
    /// Some assets have passes: what they record in silence is judged as well, and not promised.
    has_silence: bool,
    /// Sending goes on for longer than the deadline after every phase that is judged.
    goes_on: bool,
}

fn drawn(seed: u64) -> Drawn {
    let mut dice = Dice { draws: Draws::of(seed), thrown: 0 };
    let (has_silence, goes_on) = (dice.one(&[true, false, false]), dice.one(&[true, true, false]));
    let mut fleet = |name: &str, silent: bool| {
        let assets = dice.one(&[2, 3, 7, 12]);
        let home = dice.one(&["", "home: {a: 70%, b: 30%}, ", "home: {c: 100%}, "]);
        let access = if silent {
            "access: {contact: [{aos: 0s, los: 31s}, {aos: 44s, los: 400s}]}, "
        } else {
            ""
        };
        let every = dice.one(&["300ms", "700ms", "1s", "2300ms", "5s"]);
        let phase = dice.one(&["random", "aligned"]);
        let jitter = dice.one(&["0s", "40ms", "150ms"]);
        let other =
            dice.one(&["", ", log: {every: 1500ms, ack: best_effort}", ", more: {every: 900ms}"]);
        format!(
            "    {name}: {{assets: {assets}, {home}{access}streams: {{status: {{every: {every}, phase: {phase}, jitter: {jitter}}}{other}}}}}\n"
        )
    };
    let fleets = [fleet("plants", false), fleet("meters", has_silence)].concat();
    let shards = dice.one(&[1, 2, 5]);
    let probe = dice.one(&["", "  probe: {every: 500ms}\n"]);
    let theta = dice.one(&["700ms", "1s", "2s"]);
    let baseline = dice.one(&["60s", "67s", "75s", "75500ms"]);
    let calm = dice.one(&["60s", "73s"]);
    let cool = if goes_on { "  - {name: cool, for: 3s, measure: false}\n" } else { "" };
    let fault = dice.one(&[
        "",
        "faults:\n  - {id: lose, at: outage, region-loss: {region: a}}\n",
        "faults:\n  - {id: lose, at: outage + 500ms, for: 4s, region-loss: {region: b, how: network}}\n",
    ]);
    let mut gate = |kind: &str, observer: &str| {
        let by = dice.one(&["", ", by: fleet", ", by: region", ", by: shard"]);
        let during =
            dice.one(&["", ", during: baseline", ", during: calm", ", during: [baseline, calm]"]);
        let clock = dice.one(&["", ", clock: 5s", ", clock: 1s", ", clock: 20s"]);
        format!("  - {kind}: {{max: 2s{observer}{during}{by}{clock}}}\n")
    };
    let gates = [
        gate("latency.ack.p50", ""),
        gate("latency.ack.p90", ""),
        gate("latency.ack.p99", ""),
        gate("latency.platform.p90", ", observer: seen"),
    ];
    let text = format!(
        "scenario: promised\nseed: {seed}\nstack:\n  lab: pretend\n  regions: {{a: {{}}, b: {{}}, c: {{}}}}\n  services: {{store: {{kind: pretend, shards: {shards}}}}}\n\
         traffic:\n  deadline: {theta}\n  fleets:\n{fleets}{probe}\
         observers:\n  - {{name: seen, kind: pretend, service: store, region: c, fleets: [{}]}}\n\
         phases:\n  - {{name: warmup, for: 3s, measure: false}}\n  - {{name: baseline, for: {baseline}}}\n  - {{name: outage, for: 6s}}\n\
         \x20 - {{name: recovery, for: 9s}}\n  - {{name: calm, for: {calm}}}\n{cool}  - {{name: verify, until: quiesced, max: 40s}}\n{fault}gates:\n{}",
        dice.one(&["plants", "plants, meters"]),
        gates.concat(),
    );
    Drawn { text, has_silence, goes_on }
}

#[test]
fn what_is_promised_is_what_is_judged() {
    let mut exact = 0;
    for seed in 0..10 {
        let Drawn { text, has_silence, goes_on } = drawn(seed);
        let (plan, promised) = (PRETEND.load(&text), PRETEND.described(&text).gates);
        let played = PRETEND.play(plan);
        played.result.as_ref().unwrap_or_else(|error| panic!("{error}\n{text}"));
        let (_, verdicts) =
            findings::read_run::conclude(&played.loaded()).expect("a whole run is judged");
        for gate in promised.iter().filter(|gate| gate.samples.is_some()) {
            let same =
                |it: &&findings::GateVerdict| it.name == gate.gate && it.params == gate.params;
            let judged = verdicts.gates.iter().find(same).expect("every gate is judged");
            let counts =
                judged.groups.values().map(|test| test.sample.as_ref().map_or(0, |it| it.n));
            let (samples, judged) = (gate.samples, counts.min());
            let what =
                format!("seed {seed}: {} {}: {}\n{text}", gate.gate, gate.params, gate.can_prove);
            if has_silence || !goes_on {
                assert!(samples <= judged, "{samples:?} promised, {judged:?} judged: {what}");
            } else {
                assert_eq!(samples, judged, "promised and judged: {what}");
                exact += 1;
            }
        }
    }
    assert!(exact >= 12, "only {exact} gates were compared exactly");
}

//! Whatever a careless or hostile scenario says with the real kinds: what is written has an effect or is refused, and what is refused says
//! where and why.
//!
//! * `tree`: scenarios as trees that can be changed and written again
//! * `unused`: input that would be read and not used
//! * `names`: names that would meet
//! * `ranges`: values that hang, fail or mean nothing
//! * `levers`: faults that have nothing to act on
//! * `limits`: more than there may be
//! * `texts`: what is no scenario at all

#[path = "../../src/catalogs.rs"]
#[allow(dead_code, reason = "the binary's own list of kinds, of which this test needs a part")]
mod catalogs;
#[path = "../../src/labs.rs"]
#[allow(dead_code, reason = "the binary's own list of labs, of which this test needs a part")]
mod labs;
mod levers;
mod limits;
mod names;
mod ranges;
mod texts;
mod tree;
mod unused;

/// A drill of the lab in memory; `{faults}` and the like can be put behind it.
const DRILL: &str = "
scenario: hostile
stack:
  lab: pretend
  regions: {a: {}, b: {}, c: {}}
  services: {store: {kind: pretend}}
traffic:
  fleets:
    t: {assets: 12, streams: {s: {every: 1s}}}
phases:
  - {name: baseline, for: 30s}
  - {name: outage, for: 20s}
  - {name: recovery, for: 30s}
  - {name: verify, until: quiesced, max: 30s}
";

/// Every mistake of a text, as `line:column message (help)`.
fn mistakes(text: &str) -> Vec<String> {
    let Err(mistakes) = plan::load(text, "hostile.yaml", &catalogs::catalogs()) else {
        return vec![];
    };
    let shown = |mistake: plan::Mistake| {
        let plan::Mistake { line, column, message, help, .. } = mistake;
        format!("{line}:{column} {message} ({})", help.unwrap_or_default())
    };
    mistakes.list().into_iter().map(shown).collect()
}

/// The drill with one piece of its text replaced and lines put behind it is refused once, with these words.
#[track_caller]
fn refused(piece: &str, by: &str, behind: &str, words: &[&str]) {
    assert!(DRILL.contains(piece), "`{piece}` stands in the drill");
    let text = DRILL.replacen(piece, by, 1) + behind;
    let told = mistakes(&text);
    let [only] = &told[..] else { panic!("{by}{behind}: {told:#?}") };
    for word in words {
        assert!(only.contains(word), "`{word}` is not in {only}");
    }
}

#[test]
fn the_drill_itself_is_good() {
    assert_eq!(mistakes(DRILL), Vec::<String>::new());
}

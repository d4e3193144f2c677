//! Whatever text somebody hands in, reading it neither panics nor takes long: a plan comes out that survives its own file, or mistakes
//! that can be drawn. `cargo xtask fuzz` does the same for a minute.

mod kinds;

use std::path::Path;

use kit::Corpus;
use wetdress_plan::Catalogs;

/// What the language of scenarios is made of, and what trips readers of YAML.
const WORDS: &[&str] = &[
    "\n",
    "\n  ",
    "\n    - ",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "---\n",
    "|\n",
    ">\n",
    "\"",
    "'",
    "#",
    "\\",
    "\t",
    "\r\n",
    "\u{feff}",
    "\u{85}",
    "\u{1f680}",
    "%",
    "~",
    "null",
    "on",
    "0o17",
    "1:30",
    "1e9",
    "-1",
    "99999999999999999999",
    "0.0000001",
    "1h",
    "30s",
    "15ms",
    "1us",
    "40%",
    "10Mbps",
    "1 GiB",
    "infinite",
    "include",
    "stack",
    "regions",
    "nodes",
    "links",
    "services",
    "fleets",
    "observers",
    "phases",
    "faults",
    "gates",
    "expect",
    "reports",
    "lab",
    "seed",
    "theta",
    "assets",
    "streams",
    "every",
    "home",
    "failover",
    "track",
    "passes",
    "a ~ b",
    "a -> b",
    "delay",
    "jitter",
    "loss",
    "rate",
    "mtu",
    "queue",
    "region-loss",
    "degrade",
    "partition",
    "kill",
    "baseline",
    "until: quiesced",
    "latency.ack.p99",
    "0.8 x baseline",
    "leo",
    "contact",
    "profile",
];

fn try_text(file: &str, catalogs: &Catalogs, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match wetdress_plan::load(&text, file, catalogs) {
        Err(mistakes) => {
            assert!(!mistakes.list().is_empty(), "refused without a mistake");
            assert!(!mistakes.render(true).is_empty(), "a mistake without a drawing");
        }
        Ok(plan) => {
            let stored = serde_json::to_string(&plan).expect("a plan is plain data");
            serde_json::from_str::<model::Plan>(&stored).expect("a plan reads its own file");
        }
    }
}

#[test]
fn no_text_breaks_the_reader() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    // Includes are looked up beside the scenario, one folder deep like most of them.
    let file = folder.join("drills/fuzz.yaml").display().to_string();
    let words = WORDS.iter().map(|word| word.as_bytes().to_vec()).collect();
    let corpus = Corpus { words, ..Corpus::of_folder(&folder, ".yaml") };
    assert!(corpus.inputs.len() > 50, "the shipped scenarios and the wrong ones");
    let catalogs = kinds::catalogs();
    kit::fuzz("scenario", &corpus, |bytes| try_text(&file, &catalogs, bytes));
}

//! What the reference agreed with, kept for machines that do not have it: digests of the product's figures, by seed.
//!
//! `WETDRESS_WRITE_FIXTURES=1` writes them anew, of the drills on which both agree. A drill whose input is another one than it was (the engine
//! or the drawing changed) is told as that, and not as a wrong figure.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One drill on which both agreed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fixture {
    seed: u64,
    /// Digest of what the reference was given.
    input: String,
    /// Digests of the figures, by their names.
    figures: BTreeMap<String, String>,
}

impl Fixture {
    pub(crate) fn new(seed: u64, input: &Value, figures: &Value, verdicts: &[&str]) -> Self {
        let mut digests = BTreeMap::new();
        let empty = vec![];
        for (name, figure) in figures.as_object().into_iter().flatten() {
            if name != "episodes" {
                digests.insert(name.clone(), digest(&figure.to_string()));
            }
        }
        for (place, episode) in figures["episodes"].as_array().unwrap_or(&empty).iter().enumerate()
        {
            for (name, figure) in episode.as_object().into_iter().flatten() {
                digests.insert(format!("episodes.{place}.{name}"), digest(&figure.to_string()));
            }
        }
        digests.insert("gates".to_owned(), digest(&verdicts.join(" ")));
        Self { seed, input: digest(&input.to_string()), figures: digests }
    }
}

/// All of them, by seed.
pub(crate) fn read() -> BTreeMap<u64, Fixture> {
    let text = std::fs::read_to_string(path()).unwrap_or_default();
    let fixture = |line: &str| serde_json::from_str(line).expect("a line is a fixture");
    text.lines().map(fixture).map(|fixture: Fixture| (fixture.seed, fixture)).collect()
}

pub(crate) fn write(fixtures: &BTreeMap<u64, Fixture>) {
    let line = |fixture| serde_json::to_string(fixture).expect("plain data") + "\n";
    let text: String = fixtures.values().map(line).collect();
    std::fs::write(path(), text).expect("the fixtures can be written");
}

/// What is not as it was.
///
/// # Errors
/// Why nothing can be said.
pub(crate) fn compare(kept: Option<&Fixture>, now: &Fixture) -> Result<Vec<String>, String> {
    let kept = kept.ok_or("no fixture is kept of this seed")?;
    if kept.input != now.input {
        return Err("its input differs from the fixture's: regenerate with \
            WETDRESS_WRITE_FIXTURES=1 where the reference is at hand"
            .to_owned());
    }
    let names =
        kept.figures.keys().chain(now.figures.keys().filter(|n| !kept.figures.contains_key(*n)));
    let differs = |name: &&String| kept.figures.get(*name) != now.figures.get(*name);
    Ok(names.filter(differs).map(|name| format!("{name}: not what was agreed on")).collect())
}

/// FNV-1a over the text, in 64 bits.
fn digest(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/fixtures.jsonl")
}

//! Every figure of the document against an independent implementation, on planted and shaken ledgers.
//!
//! The stored cases always run (`python3 oracle/ledgers.py REFERENCE fixtures > fixtures/oracle.jsonl` makes them anew). Where the reference programs and python3 are at hand, fresh ones are made:
//! `WETDRESS_ORACLE_SEED` repeats a failure, `WETDRESS_ORACLE_COUNT` widens the search (each is 30 ledgers, about 10 s).
#![allow(clippy::print_stderr, reason = "a skip and the seed must be seen")]

#[path = "oracle/read.rs"]
mod read;
#[path = "oracle/shape.rs"]
mod shape;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn compare(line: &str) {
    let case: read::Case = serde_json::from_str(line).expect("the case has the oracle's format");
    let mut found = Vec::new();
    kit::oracle::differences(
        "",
        &case.findings,
        &shape::document(&case.plan, &case.ledger),
        &mut found,
    );
    assert!(
        found.is_empty(),
        "{}: oracle != findings in {} places:\n{}",
        case.name,
        found.len(),
        found[..found.len().min(20)].join("\n")
    );
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn stored_cases() {
    let text = std::fs::read_to_string(here("tests/fixtures/oracle.jsonl"))
        .expect("the fixture is part of the project");
    assert!(text.lines().count() >= 8, "the fixture holds every stored case");
    text.lines().for_each(compare);
}

#[test]
fn fresh_cases() {
    let reference = here("../../../shared/design/reference");
    let python = Command::new("python3").arg("--version").output();
    if !reference.join("oracle.py").exists() || python.is_err() {
        // Not by a macro: those are kept from whoever runs the tests where a test passes.
        let why =
            format!("1 of 2 tests skipped: fresh ledgers need python3 and {}", reference.display());
        return writeln!(std::io::stderr(), "{why}").expect("what is skipped can be said");
    }
    let number = |name: &str| {
        std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a whole number"))
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("the clock is past 1970")
        .as_secs();
    let seed = number("WETDRESS_ORACLE_SEED").unwrap_or(now % 1_000_000);
    let count = number("WETDRESS_ORACLE_COUNT").unwrap_or(1);
    eprintln!("WETDRESS_ORACLE_SEED={seed} WETDRESS_ORACLE_COUNT={count}");
    let mut program = Command::new("python3");
    program
        .arg(here("tests/oracle/ledgers.py"))
        .arg(&reference)
        .arg(seed.to_string())
        .arg(count.to_string());
    let mut made = program.stdout(Stdio::piped()).spawn().expect("python3 runs");
    let lines = BufReader::new(made.stdout.take().expect("its output is piped")).lines();
    let compared = lines.map(|line| compare(&line.expect("the program prints text"))).count();
    assert!(made.wait().expect("the program ends").success(), "the ledgers could not be made");
    assert_eq!(compared as u64, 2 + 30 * count, "every case was compared");
}

//! What a verdict may rest on: drills in the model whose right verdict is known. The scenarios lie in `cases`; each says what is right.

use std::{path::Path, process::Command};

/// Exit code, and what the summary says and does not say.
struct Case {
    name: &'static str,
    exit: i32,
    says: &'static [&'static str],
    not: &'static [&'static str],
}

const CASES: &[Case] = &[
    // Nobody had anything due while everything was dead: gates on outages are refused, and without them nothing is known.
    Case {
        name: "outage-nobody-looked",
        exit: 3,
        says: &["`outage.longest` cannot be decided", "`asset_seconds_lost` cannot be decided"],
        not: &[],
    },
    Case {
        name: "nobody-looked-nor-asked",
        exit: 2,
        says: &["whether any asset was out is not known", "seen without a leader"],
        not: &["no asset was ever out"],
    },
    // Six readings fell due, and all were good: too few for a share of 0.8, and no failure.
    Case {
        name: "goodput-what-was-due",
        exit: 2,
        says: &["6 of 6 due were good", "6 readings were due in its span"],
        not: &["FAIL"],
    },
    // Each cohort is judged in the episode of its own fault.
    Case {
        name: "control-of-other-fault",
        exit: 0,
        says: &["PASS goodput"],
        not: &["FAIL", "INCONCLUSIVE"],
    },
    // What bit nobody for 28 of its 30 s is not masked by a neighbour of 2 s.
    Case {
        name: "masked-by-a-second",
        exit: 2,
        says: &["Nothing shows that `no-clients` (partition) hit the stack or an asset"],
        not: &["READY. 0", "masked by another window"],
    },
    // A path is lost by links and nodes, per asset and episode.
    Case {
        name: "path-one-link",
        exit: 1,
        says: &["FAIL rto", "came back only once the fault was gone"],
        not: &["no way left"],
    },
    Case { name: "path-peers", exit: 1, says: &["FAIL rto"], not: &["no way left"] },
    Case { name: "path-other-episode", exit: 1, says: &["FAIL rto"], not: &[] },
    // Probes are no assets.
    Case {
        name: "probes-dilute",
        exit: 1,
        says: &["FAIL           latency.ack.p90", "0 of 720 acked readings lost"],
        not: &[],
    },
    Case {
        name: "two-services-lost",
        exit: 2,
        says: &[
            "INCONCLUSIVE   acked_lost",
            "0 of 2 100 acked readings lost, of 1 050 nobody can tell",
        ],
        not: &["FAIL"],
    },
    // A third of all readings never arrived.
    Case {
        name: "undelivered-not-told",
        exit: 1,
        says: &["FAIL           delivered", "361 of 1 128 readings never arrived"],
        not: &[],
    },
    Case {
        name: "headline-stranded",
        exit: 0,
        says: &[
            "30 affected assets had no way left, out for up to 32.2 s",
            "last affected asset good again after 32.4 s",
        ],
        not: &["good again after 3.4"],
    },
    // The service failed over, and assets went back to where the fault was.
    Case {
        name: "wrong-sentence-no-failover",
        exit: 0,
        says: &["new leaders served after", "out again (back to where the fault was?)"],
        not: &["no failover"],
    },
];

#[test]
fn every_drill_ends_as_its_first_lines_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let runs = tempfile::tempdir().expect("a temporary folder");
    let mut wrong = vec![];
    for case in CASES {
        let mut run = Command::new(env!("CARGO_BIN_EXE_wetdress"));
        run.arg("run").arg(folder.join(case.name).with_extension("yaml"));
        run.arg("--runs").arg(runs.path()).env("NO_COLOR", "1");
        let out = run.output().expect("the program runs");
        // What is refused is told apart from what is found.
        let words = if case.exit == 3 { &out.stderr } else { &out.stdout };
        let said = String::from_utf8_lossy(words).into_owned();
        let exit = (out.status.code() != Some(case.exit)).then(|| format!("{:?}", out.status));
        let absent = case.says.iter().filter(|text| !said.contains(**text));
        let absent = absent.map(|text| format!("does not say `{text}`"));
        let there = case.not.iter().filter(|text| said.contains(**text));
        let there = there.map(|text| format!("says `{text}`"));
        let all: Vec<String> = exit.into_iter().chain(absent).chain(there).collect();
        if !all.is_empty() {
            wrong.push(format!("{}: {}\n{said}", case.name, all.join("; ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Servers of CI keep one of several test cases that share a name.
#[test]
fn test_cases_have_names_of_their_own() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let runs = tempfile::tempdir().expect("a temporary folder");
    let mut run = Command::new(env!("CARGO_BIN_EXE_wetdress"));
    run.arg("run").arg(folder.join("junit-same-name.yaml")).arg("--runs").arg(runs.path());
    assert_eq!(run.output().expect("the program runs").status.code(), Some(1));
    let xml = std::fs::read_to_string(runs.path().join("latest/junit.xml")).expect("a report");
    let names: Vec<&str> =
        xml.split("<testcase ").skip(1).filter_map(|rest| rest.split('>').next()).collect();
    let unique: std::collections::BTreeSet<&&str> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "{names:?}");
    assert!(names.iter().all(|name| name.contains("classname=\"junit-names\"")), "{names:?}");
}

/// In a model without a limit every step holds: a lower bound, the line for the scenario, and a run folder as any.
#[test]
fn capacity_goes_up_in_steps_and_gives_the_line_for_the_scenario() {
    let runs = tempfile::tempdir().expect("a temporary folder");
    let drill = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../scenarios/drills/pretend-region-loss.yaml");
    let capacity = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wetdress"));
        command.arg("capacity").arg(&drill).arg("--runs").arg(runs.path()).args(more);
        command.output().expect("the binary starts")
    };
    let out = capacity(&["--steps", "3", "--to", "4x", "--step", "5s", "--json"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{said}");
    let found: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(found["line"], "capacity: {readings: 480/s}", "{found}");
    assert_eq!(found["capacity"]["knee"], serde_json::Value::Null);
    let steps = found["capacity"]["steps"].as_array().expect("steps");
    let due: Vec<u64> = steps.iter().filter_map(|step| step["due"].as_u64()).collect();
    assert_eq!(due.len(), 3, "{found}");
    for (due, asked) in due.iter().zip([600u64, 1_200, 2_400]) {
        assert!(due.abs_diff(asked) <= 120, "one reading of each asset either way: {found}");
    }
    assert!(runs.path().join("latest/run.json").exists(), "{said}");
    let refused = capacity(&["--to", "1x"]);
    assert_eq!(refused.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not above 1x"));
}

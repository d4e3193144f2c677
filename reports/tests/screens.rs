//! What people see of a recorded drill, word for word: of one that passes, one that fails, and one of which some gate says nothing. A
//! change of these texts is looked at before it is accepted (`cargo insta review`).

use std::{collections::BTreeMap, io};

use kit::recorded::{Drill, west_to};
use model::Event;
use serde_json::json;
use wetdress_reports::{CATALOG, Folder, RunView};

/// Files of a report, in memory.
#[derive(Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Folder for Files {
    fn put(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.0.insert(name.into(), content.into());
        Ok(())
    }
}

/// The clean drill with gates of each family.
fn drill() -> Drill {
    let mut drill = Drill::clean();
    drill.gate("rto", json!({"max": "12s"}));
    drill.gate("redundant", json!({"max": "5s", "after": "recovery"}));
    drill.gate("latency.ack.p90", json!({"max": "250ms", "by": "region"}));
    drill
}

/// One reading of the log, and of its read-back, is gone; the harness was late.
fn failing() -> Drill {
    let mut drill = drill();
    drill.seen(&["log", "log.read_back"], |seen| {
        seen.retain(|s| (s.identity.asset, s.identity.seq) != (2, 40));
    });
    drill.health(|health| health.schedule_lag_p99_us = 20_000);
    drill
}

/// Everybody is hit, and nothing shows that anybody was.
fn undecided() -> Drill {
    let mut drill = drill();
    drill.events.retain(|r| !matches!(r.event, Event::Proven { .. }));
    drill
}

/// Everybody is hit, as the fault declares.
fn without_control() -> Drill {
    let mut drill = drill();
    for r in &mut drill.events {
        if let Event::FaultAsked { affected, .. } = &mut r.event {
            let parts = affected.0.get_mut("store").expect("the fault hits the store");
            parts.regions.insert("east".into());
        }
    }
    drill
}

/// What a report writes about a drill, without what differs between two machines.
fn shown(drill: &Drill, report: &str, file: &str) -> String {
    let runs = tempfile::tempdir().expect("a folder");
    let run = drill.written(runs.path());
    let (findings, judgement) = findings::read_run::conclude(&run).expect("the folder is whole");
    let view = RunView { run: &run, findings: &findings, judgement: &judgement };
    let mut files = Files::default();
    let kind = CATALOG.find(report).expect("this build has it");
    kind.make.write(&view, &mut files).expect("memory takes everything");
    let text = String::from_utf8(files.0.remove(file).expect("it writes it")).expect("text");
    let folder = run.folder.path().display().to_string();
    text.replace(&folder, "RUN")
        .replace(concat!("wetdress ", env!("CARGO_PKG_VERSION")), "wetdress")
}

/// The words of a page: tags, styles and drawings left out, a line per block.
fn words(page: &str) -> String {
    let mut text = page.to_owned();
    for (open, close) in [("<style", "</style>"), ("<svg", "</svg>")] {
        while let Some(from) = text.find(open) {
            let to = text[from..].find(close).expect("it is closed") + from + close.len();
            text.replace_range(from..to, "");
        }
    }
    for block in ["</tr>", "</p>", "</h1>", "</h2>", "</h3>", "</li>", "</div>"] {
        text = text.replace(block, "\n");
    }
    for cell in ["</td>", "</th>", "</b>", "</span>"] {
        text = text.replace(cell, " | ");
    }
    while let Some(from) = text.find('<') {
        let to = text[from..].find('>').expect("a tag ends") + from + 1;
        text.replace_range(from..to, "");
    }
    let lines = text.lines().map(|line| line.trim().trim_end_matches('|').trim());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Names are unique and sorted, and each writes something of a run.
#[test]
fn every_kind() {
    let names: Vec<&str> = CATALOG.names().collect();
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
    let runs = tempfile::tempdir().expect("a folder");
    let run = drill().written(runs.path());
    let (findings, judgement) = findings::read_run::conclude(&run).expect("the folder is whole");
    let view = RunView { run: &run, findings: &findings, judgement: &judgement };
    for kind in CATALOG.kinds {
        let mut files = Files::default();
        kind.make.write(&view, &mut files).expect("memory takes everything");
        assert!(files.0.values().any(|bytes| !bytes.is_empty()), "{} wrote nothing", kind.name);
    }
}

fn settled(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(check);
}

#[test]
fn the_last_screen() {
    settled(|| {
        insta::assert_snapshot!("terminal-pass", shown(&drill(), "terminal", "summary.txt"));
        insta::assert_snapshot!("terminal-fail", shown(&failing(), "terminal", "summary.txt"));
        insta::assert_snapshot!(
            "terminal-undecided",
            shown(&undecided(), "terminal", "summary.txt")
        );
        let shown = shown(&without_control(), "terminal", "summary.txt");
        insta::assert_snapshot!("terminal-not-applicable", shown);
    });
}

#[test]
fn what_a_pipeline_reads() {
    settled(|| {
        insta::assert_snapshot!("junit-pass", shown(&drill(), "junit", "junit.xml"));
        insta::assert_snapshot!("junit-fail", shown(&failing(), "junit", "junit.xml"));
        insta::assert_snapshot!("junit-undecided", shown(&undecided(), "junit", "junit.xml"));
        insta::assert_snapshot!(
            "junit-not-applicable",
            shown(&without_control(), "junit", "junit.xml")
        );
    });
}

#[test]
fn the_words_of_the_page() {
    settled(|| {
        insta::assert_snapshot!("html-pass", words(&shown(&drill(), "html", "report.html")));
        insta::assert_snapshot!("html-fail", words(&shown(&failing(), "html", "report.html")));
    });
}

/// The first line of a drill, without its verdict.
fn first_line(drill: &Drill) -> String {
    let text = shown(drill, "terminal", "summary.txt");
    let line = text.lines().find(|line| !line.is_empty()).expect("the summary has a first line");
    line.split_once("  ").expect("the verdict stands first").1.to_owned()
}

/// Each part of the first line in the case in which it may be said, and the case beside it in which it may not.
#[test]
fn the_first_line_says_what_was_seen() {
    let whole = first_line(&drill());
    assert!(whole.starts_with("Losing west: READY. 0 of "), "{whole}");
    assert!(whole.contains("; longest blind ") && whole.contains("; last affected asset good"));
    for absent in ["never arrived", "not known", "no way left", "nobody can tell"] {
        assert!(!whole.contains(absent), "{absent}: {whole}");
    }

    let mut calm = drill();
    calm.plan.windows.clear();
    calm.events.retain(|r| {
        !matches!(
            r.event,
            Event::FaultAsked { .. } | Event::FaultClosed { .. } | Event::Proven { .. }
        )
    });
    assert!(first_line(&calm).starts_with("A normal day: "), "{}", first_line(&calm));

    let unproven = first_line(&undecided());
    let subject = "A drill whose fault was not shown to have any effect: NOT DECIDED.";
    assert!(unproven.starts_with(subject), "{unproven}");

    let mut missed = undecided();
    missed.events.retain(|r| !matches!(r.event, Event::FaultAsked { .. }));
    assert!(first_line(&missed).starts_with(subject), "{}", first_line(&missed));

    let mut never = undecided();
    never.events.retain(|r| !matches!(r.event, Event::Armed));
    assert!(first_line(&never).starts_with("A run that never started: "), "{}", first_line(&never));

    let lost = first_line(&failing());
    assert!(lost.contains("; 1 of ") && lost.contains(" readings never arrived; "), "{lost}");

    let mut unwatched = drill();
    unwatched.plan.observers.clear();
    let unwatched = first_line(&unwatched);
    assert!(unwatched.contains("acked readings was lost is not known"), "{unwatched}");

    let mut stranded = drill();
    for r in &mut stranded.events {
        if let Event::FaultAsked { severed, .. } = &mut r.event {
            severed.extend(["store-west", "store-east"].map(west_to));
        }
    }
    let stranded = first_line(&stranded);
    assert!(stranded.contains("; 6 affected assets had no way left, out for up to "), "{stranded}");
}

/// Servers of CI keep one of several cases with the same name.
#[test]
fn two_gates_of_one_kind_are_two_test_cases() {
    let mut drill = drill();
    drill.gate("latency.ack.p90", json!({"max": "300ms", "by": "region"}));
    drill.gate("latency.ack.p90", json!({"max": "300ms", "during": "baseline"}));
    drill.gate("latency.ack.p90", json!({"max": "300ms", "during": "baseline"}));
    let xml = shown(&drill, "junit", "junit.xml");
    let names: Vec<&str> = xml
        .split("<testcase name=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().expect("the name ends"))
        .collect();
    let unique: std::collections::BTreeSet<&&str> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "{names:?}");
    for name in [
        "latency.ack.p90 by region max 250ms",
        "latency.ack.p90 during baseline max 300ms",
        "latency.ack.p90 during baseline max 300ms (2)",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert_eq!(xml.matches("classname=\"lose-west\"").count(), names.len());
}

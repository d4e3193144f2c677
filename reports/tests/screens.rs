//! What people see of a recorded drill, word for word: of one that passes, one that fails, and one of which some gate says nothing. A
//! change of these texts is looked at before it is accepted (`cargo insta review`).

use std::{collections::BTreeMap, io};

use kit::recorded::Drill;
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

//! From a run folder to findings, verdicts and reports. It needs nothing but the folder.

use std::path::Path;

use drill::chain;
use findings::{Findings, Verdict, Verdicts};
use model::Event;
use reports::RunView;
use run::{Loaded, State, Summary};
use serde_json::json;

use crate::{
    args::{Judging, OnInconclusive},
    exit::Exit,
};

/// A run, judged.
pub(crate) struct Judged {
    pub(crate) loaded: Loaded,
    pub(crate) findings: Findings,
    pub(crate) verdicts: Verdicts,
    /// Whether `run.json` has it now; if not, why.
    pub(crate) stored: Result<(), String>,
}

/// The same, of a run that was stored: nobody may be at work there.
pub(crate) fn judge_stored(folder: &Path) -> Result<Judged, String> {
    if run::Folder::at(folder).is_held() {
        return Err(format!(
            "the run in {} is still going on: wait for its end, or interrupt it, and judge it then",
            folder.display()
        ));
    }
    judge(folder)
}

/// Reads, finds, judges, and replaces `run.json`.
///
/// # Errors
/// The folder cannot be read, or is not whole: nothing was written to it.
pub(crate) fn judge(folder: &Path) -> Result<Judged, String> {
    let failed = |error: &dyn std::error::Error| format!("failed to {}", chain(error));
    let loaded = Loaded::open(folder).map_err(|error| failed(&error))?;
    let (findings, verdicts) =
        findings::read_run::conclude(&loaded).map_err(|error| failed(&error))?;
    // A run that was killed stays marked as such: judging does not finish it.
    let ended_in_order =
        loaded.events.iter().any(|record| matches!(record.event, Event::Broke { .. }));
    let state = match findings.happened.broke_off {
        None => State::Finished,
        Some(_) if ended_in_order && loaded.is_closed() => State::Broke,
        Some(_) => State::Running,
    };
    let body = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "scenario": loaded.plan.scenario,
        "sha256": loaded.plan.source.sha256,
        "seed": loaded.plan.seed,
        "environment": loaded.summary.body.get("environment"),
        "verdicts": verdicts,
        "findings": findings,
    });
    let stored = loaded.folder.write_summary(&Summary::new(state, body));
    let stored = stored.map_err(|error| format!("nothing was stored: {}", failed(&error)));
    Ok(Judged { loaded, findings, verdicts, stored })
}

impl Judged {
    pub(crate) fn view(&self) -> RunView<'_> {
        RunView { run: &self.loaded, findings: &self.findings, judgement: &self.verdicts }
    }

    /// Writes reports by name; all are tried before a failure is told.
    pub(crate) fn report(&self, names: &[String]) -> Result<(), String> {
        let mut failures = vec![];
        for name in names {
            let Some(kind) = reports::CATALOG.find(name) else {
                failures.push(unknown_report(name));
                continue;
            };
            if let Err(error) = kind.make.write(&self.view(), &mut self.loaded.folder.path()) {
                failures.push(format!("failed to write the report {name}: {error}"));
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
    }

    pub(crate) fn exit(&self, judging: Judging) -> Exit {
        // A drill whose failure is known ends well when exactly that came out.
        let expected = self.verdicts.expected.as_ref().map(|expected| expected.came_out);
        match expected.unwrap_or(self.verdicts.verdict) {
            Verdict::Pass => Exit::Pass,
            Verdict::Fail => Exit::Fail,
            Verdict::NotApplicable | Verdict::Inconclusive => match judging.on_inconclusive {
                OnInconclusive::Warn => Exit::Pass,
                OnInconclusive::Fail => Exit::Inconclusive,
            },
        }
    }
}

/// What there is instead.
pub(crate) fn unknown_report(name: &str) -> String {
    let known: Vec<String> = reports::CATALOG.names().map(str::to_owned).collect();
    let has = format!("this build has {}", known.join(", "));
    let unknown = document::Unknown { found: name.to_owned(), known };
    let meant = unknown.meant().join("` or `");
    let asked =
        if meant.is_empty() { String::new() } else { format!(" (did you mean `{meant}`?)") };
    format!("there is no report `{name}`{asked}; {has}")
}

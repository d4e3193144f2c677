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
}

/// Reads, finds, judges, and replaces `run.json`.
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
    loaded.folder.write_summary(&Summary::new(state, body)).map_err(|error| failed(&error))?;
    Ok(Judged { loaded, findings, verdicts })
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
                let known: Vec<&str> = reports::CATALOG.names().collect();
                failures.push(format!(
                    "there is no report `{name}`; this build has {}",
                    known.join(", ")
                ));
                continue;
            };
            if let Err(error) = kind.make.write(&self.view(), &mut self.loaded.folder.path()) {
                failures.push(format!("failed to write the report {name}: {error}"));
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
    }

    pub(crate) fn exit(&self, judging: Judging) -> Exit {
        match self.verdicts.verdict {
            Verdict::Pass => Exit::Pass,
            Verdict::Fail => Exit::Fail,
            Verdict::NotApplicable | Verdict::Inconclusive => match judging.on_inconclusive {
                OnInconclusive::Warn => Exit::Pass,
                OnInconclusive::Fail => Exit::Inconclusive,
            },
        }
    }
}

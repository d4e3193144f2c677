//! What this machine can do, tried and not looked up, and what to do about the rest.

use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use local::doctor::{Finding, State};
use seams::servers::Requirement;
use serde_json::json;

use crate::{args, console, exit::Exit, scenario, servers};

/// Exit 0 when a local drill can run here, 4 when not. Of a scenario: whether that one can. Otherwise servers are told, but only some
/// scenarios need them.
pub(crate) fn doctor(file: Option<PathBuf>, as_json: bool, color: bool) -> Result<Exit, Exit> {
    let mut findings = local::doctor::doctor();
    match file {
        Some(file) => {
            let asked = args::Reading { json: as_json, ..args::Reading::default() };
            let plan = scenario::read_file(&file, &asked, color)?.plan;
            let needs = servers::of_plan(&plan);
            findings.extend(needs.iter().map(|(service, need)| {
                server(&format!("for the service {service}"), need, State::Missing)
            }));
        }
        None => {
            for (system, needs) in servers::of_every_system() {
                let whom = format!("for scenarios with the system {system}");
                findings.extend(needs.iter().map(|need| server(&whom, need, State::Degraded)));
            }
        }
    }
    let able = findings.iter().all(|finding| finding.state != State::Missing);
    if as_json {
        console::json(&json!({"local_lab": able, "findings": findings}))?;
    } else {
        findings.iter().try_for_each(tell)?;
        let words = if able {
            "the local lab works here; try: wetdress run scenarios/first.yaml"
        } else {
            "the local lab does not work here yet"
        };
        console::data(&format!("\n{words}"))?;
    }
    Ok(if able { Exit::Pass } else { Exit::NotUp })
}

/// `lacking` is what it means when the server is not here.
fn server(whom: &str, need: &Requirement, lacking: State) -> Finding {
    let what = format!("server `{}`, {whom}", need.path.display());
    match need.find() {
        Ok(file) => {
            Finding { what, state: State::Works, found: file.display().to_string(), remedy: None }
        }
        Err(why) => Finding {
            what,
            state: lacking,
            found: why,
            remedy: Some(format!("ci/install-servers {}", need.install)),
        },
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Works => "works",
        State::Degraded => "degraded",
        State::Missing => "missing",
    }
}

fn tell(finding: &Finding) -> Result<(), Exit> {
    let color = match finding.state {
        State::Works => AnsiColor::Green,
        State::Degraded => AnsiColor::Yellow,
        State::Missing => AnsiColor::Red,
    };
    let style: Style = color.on_default().bold();
    console::styled(&format!(
        "{style}{:8}{style:#} {}: {}\n",
        word(finding.state),
        finding.what,
        finding.found
    ))?;
    match &finding.remedy {
        Some(remedy) => console::styled(&format!("         {remedy}\n")),
        None => Ok(()),
    }
}

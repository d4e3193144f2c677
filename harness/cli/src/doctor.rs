//! What this machine can do, tried and not looked up, and what to do about the rest.

use std::path::Path;

use anstyle::{AnsiColor, Style};
use local::doctor::{Finding, State};
use serde_json::json;

use crate::{console, exit::Exit};

/// Servers of the systems of this build: program, system, how to get it.
const SERVERS: &[(&str, &str, &str)] =
    &[("etcd", "etcd", "ci/install-servers, or apt-get install etcd-server")];

/// Exit 0 when a local drill can run here, 4 when not. Servers are told, but only some scenarios need them.
pub(crate) fn doctor(as_json: bool) -> Result<Exit, Exit> {
    let mut findings = local::doctor::doctor();
    let able = findings.iter().all(|finding| finding.state != State::Missing);
    findings
        .extend(SERVERS.iter().map(|(program, system, remedy)| server(program, system, remedy)));
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

fn server(program: &str, system: &str, remedy: &str) -> Finding {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| Path::is_file(file));
    let what = format!("server `{program}`, for scenarios with the system {system}");
    match found {
        Some(file) => {
            Finding { what, state: State::Works, found: file.display().to_string(), remedy: None }
        }
        None => Finding {
            what,
            state: State::Degraded,
            found: "not on PATH".into(),
            remedy: Some(remedy.into()),
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

//! Why a run did not reach its end.

use std::{error::Error, fmt, time::Duration};

use model::{NodeId, ServiceId};
use run::RunError;
use seams::{LabError, SystemError};

use crate::offers::Lacking;

/// Each finishes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// The lab cannot do on this machine what the plan asks for. Nothing was started.
    #[error(
        "find in the lab `{lab}`, on this machine, what the scenario asks for: {}",
        list(lacking)
    )]
    NotOffered { lab: String, lacking: Vec<Lacking> },
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error("bring up {service}")]
    Service { service: ServiceId, source: SystemError },
    #[error(
        "see {service} ready within {within:?}; last it failed to {last}; its logs are in the run folder{}",
        written.iter().map(Written::to_string).collect::<String>()
    )]
    NotReady { service: ServiceId, within: Duration, last: String, written: Vec<Written> },
    /// Nobody starts it again, so nothing is left to wait for.
    #[error("bring up {service}: its process {process} on {node} ended ({status}){}", lines(last))]
    Ended { service: ServiceId, node: NodeId, process: String, status: String, last: Vec<String> },
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("make the load generator")]
    Traffic(#[source] Box<dyn Error + Send + Sync>),
    /// The load generator itself, not the stack under test.
    #[error("send as planned: {0}")]
    Trouble(String),
    #[error("go on after a panic, which is a mistake in wetdress: {0}")]
    Panicked(String),
    #[error("write the journal of events to its end")]
    Journal(#[source] Box<dyn Error + Send + Sync>),
    #[error("reach the end: it was interrupted")]
    Interrupted,
}

/// What a process of a service that did not come up wrote last.
#[derive(Debug)]
pub struct Written {
    pub node: NodeId,
    pub process: String,
    pub last: Vec<String>,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{} on {}{}", self.process, self.node, lines(&self.last))
    }
}

fn list(lacking: &[Lacking]) -> String {
    let all: Vec<String> = lacking.iter().map(Lacking::to_string).collect();
    all.join("; ")
}

/// What a server wrote last, below each other.
fn lines(last: &[String]) -> String {
    let lines: String = last.iter().map(|line| format!("\n  {line}")).collect();
    if lines.is_empty() {
        "; it wrote nothing".to_owned()
    } else {
        format!("; it wrote last:{lines}")
    }
}

/// An error with everything behind it, on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

#[test]
fn a_service_that_does_not_come_up_shows_what_its_servers_wrote_last() {
    let written = |node: &str, last: &[&str]| Written {
        node: node.into(),
        process: "kafka".to_owned(),
        last: last.iter().map(ToString::to_string).collect(),
    };
    let error = DrillError::NotReady {
        service: "telemetry".into(),
        within: Duration::from_secs(90),
        last: "connect to kafka-a: refused".to_owned(),
        written: vec![written("kafka-a", &["starting", "no space left"]), written("kafka-b", &[])],
    };
    assert_eq!(
        error.to_string(),
        "see telemetry ready within 90s; last it failed to connect to kafka-a: refused; its logs are in the run folder\n\
         kafka on kafka-a; it wrote last:\n  starting\n  no space left\n\
         kafka on kafka-b; it wrote nothing"
    );
}

//! What a person sees on stderr while a run goes on. Data never goes here.
#![allow(
    clippy::print_stderr,
    reason = "this is the one place that talks to the terminal during a run"
)]

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use drill::Listener;
use model::{Event, LabEvent, Micros, WindowId};

/// Plain lines, each with the run's clock, readable in a terminal and in a CI log.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    quiet: bool,
    last: Mutex<String>,
    /// Windows whose first proof has been told: a wide fault is proven link by link.
    proven: Mutex<BTreeSet<WindowId>>,
}

impl Progress {
    /// Quiet where somebody reads JSON.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, ..Self::default() }
    }

    /// One line, unless it says what the last one said.
    fn line(&self, words: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.quiet && *last != words {
            anstream::eprintln!("  {words}");
            words.clone_into(&mut last);
        }
    }
}

impl Listener for Progress {
    fn event(&self, at: Micros, event: &Event) {
        if let Event::Proven { window, .. } = event
            && !self.proven.lock().unwrap_or_else(PoisonError::into_inner).insert(window.clone())
        {
            return;
        }
        if let Some(words) = words(event) {
            let at = if at < Micros::ZERO {
                "  start".to_owned()
            } else {
                format!("{:6.1}s", at.0 as f64 / 1e6)
            };
            self.line(&format!("{at}  {words}"));
        }
    }

    fn note(&self, words: &str) {
        self.line(words);
    }
}

/// None for what would only be noise.
fn words(event: &Event) -> Option<String> {
    Some(match event {
        Event::LabOpened { kind, engine, .. } => format!("lab open: {kind}, {engine}"),
        Event::ServiceReady { service, version } => format!("{service} is ready: {version}"),
        Event::Armed => "traffic armed".into(),
        Event::PhaseEntered { phase } => format!("phase {phase}"),
        Event::FaultAsked { window, picked, .. } => {
            format!("fault {window} asked: {}", names(picked))
        }
        Event::FaultMoved { window, picked, .. } => {
            format!("fault {window} follows to {}", names(picked))
        }
        Event::FaultClosed { window, .. } => format!("fault {window} closed"),
        Event::FaultMissed { window, why } => format!("fault {window} did not happen: {why}"),
        Event::Proven { window, claim, .. } => {
            format!("fault {window} proven: {:?} hit {}", claim.lever, claim.end)
        }
        Event::Lab(LabEvent::CannotDo { lever, end, why }) => {
            format!("the lab cannot do {lever:?} at {end}: {why}")
        }
        Event::RoleChanged { service, shard, node, role, term } if role.kind.leads() => {
            format!("{service}: {node} is {} of {shard} (term {term})", role.name)
        }
        Event::Redundant { service, redundant } => {
            format!("{service}: {}", if *redundant { "fully redundant" } else { "not redundant" })
        }
        Event::Lab(LabEvent::ProcessExited { node, process, status, asked: false }) => {
            format!("{process} on {node} ended unasked: {status}")
        }
        Event::Lab(LabEvent::Standstill { from, to }) => {
            format!("the harness itself stood still for {:.1} s", to.since(*from).as_secs_f64())
        }
        Event::GenerationStopped => {
            "generation stopped; waiting for the last answers and reading back".into()
        }
        Event::ReadBackFailed { observer, why } => {
            format!("{observer} could not be read back: {why}")
        }
        Event::Broke { why } => format!("the run breaks off: {why}"),
        _ => return None,
    })
}

fn names(picked: &[Vec<model::End>]) -> String {
    let groups = picked
        .iter()
        .map(|ends| ends.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    groups.collect::<Vec<_>>().join(" | ")
}

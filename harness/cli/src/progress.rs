//! What a person sees on stderr while a run goes on. Data never goes here.
//!
//! A thread of its own writes it: a terminal that stands still, a full disk or a closed pipe under stderr must not hold up, slow down or
//! end whoever records the run.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use drill::Listener;
use model::{Event, LabEvent, Micros, WindowId};

use crate::console;

/// How long the end of a run waits for a display that is slow.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);
/// A shorter hold of the disk is in the record and in the percentiles of the report.
const LONG_STALL: Duration = Duration::from_millis(500);

/// Plain lines, each with the run's clock, readable in a terminal and in a CI log.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// None where nothing is shown.
    display: Mutex<Option<Display>>,
    last: Mutex<String>,
    /// Windows whose first proof has been told: a wide fault is proven link by link.
    proven: Mutex<BTreeSet<WindowId>>,
}

/// The thread that writes.
struct Display {
    lines: mpsc::Sender<String>,
    /// Its other end is dropped when everything is written.
    shown: mpsc::Receiver<()>,
}

impl Display {
    /// None where the thread cannot be had: then nothing is shown.
    fn new(show: impl Fn(&str) + Send + 'static) -> Option<Self> {
        let (lines, come) = mpsc::channel::<String>();
        let (done, shown) = mpsc::channel();
        let work = move || {
            come.iter().for_each(|line| show(&line));
            drop(done);
        };
        thread::Builder::new().name("display".to_owned()).spawn(work).ok()?;
        Some(Self { lines, shown })
    }

    /// Waits so long at most until everything is shown.
    fn end(self, within: Duration) {
        let Self { lines, shown } = self;
        drop(lines);
        let _shown_or_not = shown.recv_timeout(within);
    }
}

impl fmt::Debug for Display {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Display")
    }
}

impl Progress {
    /// To be made where the run is recorded: a thread does not survive a fork.
    pub(crate) fn new() -> Self {
        let display = Display::new(console::talk);
        Self { display: Mutex::new(display), ..Self::default() }
    }

    /// Nothing more is shown; what was said before is, if the display takes it.
    pub(crate) fn end(&self) {
        let display = self.display.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(display) = display {
            display.end(SHOWN_WITHIN);
        }
    }

    /// One line, unless it says what the last one said.
    fn line(&self, words: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == words {
            return;
        }
        words.clone_into(&mut last);
        if let Some(display) = &*self.display.lock().unwrap_or_else(PoisonError::into_inner) {
            let _thread_gone = display.lines.send(format!("  {words}"));
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
        Event::SenderLost { assets, why } => {
            let count: usize = assets.iter().map(ExactSizeIterator::len).sum();
            format!("a sender was lost with {count} assets: {why}")
        }
        Event::Lab(LabEvent::Standstill { from, to }) => {
            format!("the harness itself stood still for {:.1} s", to.since(*from).as_secs_f64())
        }
        Event::Lab(LabEvent::DiskStalled { from, to }) if to.since(*from) >= LONG_STALL => {
            format!(
                "this machine's disk held up a small write for {:.1} s",
                to.since(*from).as_secs_f64()
            )
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

#[test]
fn a_display_that_stands_still_holds_nobody_up() {
    let (release, stands) = mpsc::channel::<()>();
    let (told, took) = mpsc::channel();
    let display = Display::new(move |line| {
        // Nobody may be listening any more.
        let _ = told.send(line.to_owned());
        let _ = stands.recv();
    });
    let progress = Progress { display: Mutex::new(display), ..Progress::default() };
    (0..1_000).for_each(|n| progress.note(&format!("line {n}")));
    assert_eq!(took.recv().expect("the first is being written"), "  line 0");
    let display = progress.display.lock().expect("nobody panicked").take().expect("it is there");
    display.end(Duration::ZERO);
    progress.note("nobody shows this");
    drop(release);
}

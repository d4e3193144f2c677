//! Packets around the effect of a fault: when a fault is first seen to bite, what the fabric's flight recorder holds is written to
//! the run folder half a window later, so that the effect lies in the middle. A task of its own does it; nobody waits for it but the
//! lab's end.
//!
//! Deliberately absent: what a packet file looks like (`fabric`), and whether it is kept after judging (`cli`).

use std::{
    collections::{BTreeSet, VecDeque},
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use document::{
    Complaint,
    units::{Size, Time},
};
use fabric::{Capture, Fabric, Interface};
use model::{End, LabEvent, Lever, Micros, Topology, event::Place};
use rustix::time::{ClockId, clock_gettime};
use schemars::JsonSchema;
use seams::{Clock, monotonic_ns};
use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::{mpsc, watch};

use crate::{lock::lock, policy::Numbering};

/// A flapping fault bites many times, and looks the same each time.
const FILES_MAX: usize = 8;

const MEMORY_MAX: u64 = 1 << 30;

/// Packets kept for a look at the effect of each fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Packets {
    /// Time that a file holds, as far as memory reaches, with the first effect of a fault in its middle. `0s` writes none.
    #[serde(default = "ten_seconds")]
    pub keep: Time,
    /// Memory for the newest packets, 1 GiB at most: 128 bytes each, at least a share of it for every link.
    #[serde(default = "memory", deserialize_with = "memory_within_bounds")]
    pub memory: Size,
}

impl Packets {
    /// What the fabric sets aside for them.
    pub(crate) fn bytes(self) -> usize {
        if self.keep.0.is_zero() { 0 } else { self.memory.0 as usize }
    }
}

impl Default for Packets {
    fn default() -> Self {
        Self { keep: ten_seconds(), memory: memory() }
    }
}

fn memory_within_bounds<'de, D: Deserializer<'de>>(from: D) -> Result<Size, D::Error> {
    let size = Size::deserialize(from)?;
    if size.0 > MEMORY_MAX {
        Err(Complaint::new("range", "packets take at most `1GiB` of memory")
            .help("Write less")
            .raise())
    } else {
        Ok(size)
    }
}

fn ten_seconds() -> Time {
    Time(Duration::from_secs(10))
}

fn memory() -> Size {
    Size(16 << 20)
}

/// What the task hears.
#[derive(Debug)]
pub(crate) enum Heard {
    /// From now on another world is wanted.
    Turn {
        revision: u64,
        at: Micros,
    },
    Hit {
        lever: Lever,
        at: Place,
        first: Micros,
    },
}

impl Heard {
    pub(crate) fn of(sight: &LabEvent) -> Option<Self> {
        match sight {
            LabEvent::Hit { lever, at, first, .. } => {
                Some(Self::Hit { lever: *lever, at: at.clone(), first: *first })
            }
            _ => None,
        }
    }
}

/// Why there are fewer files than effects, in sentences.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<(usize, Vec<String>)>>);

impl Notes {
    fn lock(&self) -> MutexGuard<'_, (usize, Vec<String>)> {
        lock(&self.0)
    }

    pub(crate) fn sentences(&self) -> Vec<String> {
        let (skipped, failures) = &*self.lock();
        let skipped = (*skipped > 0).then(|| {
            format!(
                "Packets around {skipped} later effects were not written: {FILES_MAX} files a run."
            )
        });
        failures.iter().cloned().chain(skipped).collect()
    }
}

/// When to write what. Pure.
#[derive(Debug)]
struct Schedule {
    keep: Duration,
    /// Since when which revision is wanted, in the order of time.
    turns: Vec<(Micros, u64)>,
    /// Revisions whose first hit was heard.
    seen: BTreeSet<u64>,
    pending: VecDeque<Effect>,
    planned: usize,
    notes: Notes,
}

/// The first hit of a fault.
#[derive(Debug)]
struct Effect {
    revision: u64,
    lever: Lever,
    at: Place,
    first: Micros,
}

impl Schedule {
    fn new(keep: Duration, notes: Notes) -> Self {
        Self {
            keep,
            turns: Vec::new(),
            seen: BTreeSet::new(),
            pending: VecDeque::new(),
            planned: 0,
            notes,
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Turn { revision, at } => self.turns.push((at, revision)),
            Heard::Hit { lever, at, first } => {
                let turn = self.turns.partition_point(|(at, _)| *at <= first).checked_sub(1);
                let Some((_, revision)) = turn.map(|turn| self.turns[turn]) else { return };
                // Not the same fault on another link, nor the total of a lever that is let go.
                if self.seen.insert(revision) {
                    self.plan(Effect { revision, lever, at, first });
                }
            }
        }
    }

    fn plan(&mut self, effect: Effect) {
        let is_covered = self
            .pending
            .back()
            .is_some_and(|before| effect.first.since(before.first) <= self.keep / 4);
        if is_covered {
            return;
        }
        if self.planned == FILES_MAX {
            self.notes.lock().0 += 1;
            return;
        }
        self.planned += 1;
        self.pending.push_back(effect);
    }

    fn due(&self) -> Option<Micros> {
        self.pending.front().map(|effect| effect.first + self.keep / 2)
    }
}

/// The task.
#[derive(Debug)]
pub(crate) struct Flight {
    schedule: Schedule,
    clock: Clock,
    notes: Notes,
    writer: Arc<Writer>,
}

/// Where files go, and what they call things.
#[derive(Debug)]
pub(crate) struct Writer {
    pub fabric: Arc<Fabric>,
    pub numbering: Numbering,
    pub topology: Arc<Topology>,
    /// The run's folder.
    pub run: PathBuf,
}

impl Flight {
    pub(crate) fn new(packets: Packets, clock: Clock, notes: Notes, writer: Writer) -> Self {
        Self {
            schedule: Schedule::new(packets.keep.0, notes.clone()),
            clock,
            notes,
            writer: Arc::new(writer),
        }
    }

    /// Until the other end of `closing` is dropped; then writes what is still pending.
    pub(crate) async fn live(
        mut self,
        mut heard: mpsc::UnboundedReceiver<Heard>,
        mut closing: watch::Receiver<()>,
    ) {
        loop {
            let due = self.schedule.due();
            tokio::select! {
                _ = closing.changed() => break,
                Some(news) = heard.recv() => self.schedule.hear(news),
                () = self.clock.until(due.unwrap_or(Micros::ZERO)), if due.is_some() => self.write_next().await,
            }
        }
        while let Ok(news) = heard.try_recv() {
            self.schedule.hear(news);
        }
        while !self.schedule.pending.is_empty() {
            self.write_next().await;
        }
    }

    async fn write_next(&mut self) {
        let Some(effect) = self.schedule.pending.pop_front() else { return };
        let ago = self.clock.now().since(effect.first) + self.schedule.keep / 2;
        let since_ns =
            monotonic_ns().saturating_sub(u64::try_from(ago.as_nanos()).unwrap_or(u64::MAX));
        let writer = self.writer.clone();
        let written = tokio::task::spawn_blocking(move || writer.write(&effect, since_ns)).await;
        if let Ok(Err(error)) = written {
            self.notes
                .lock()
                .1
                .push(format!("Packets around an effect could not be written: {error}."));
        }
    }
}

impl Writer {
    fn write(&self, effect: &Effect, since_ns: u64) -> io::Result<()> {
        let packets = self.fabric.recent(since_ns).map_err(io::Error::other)?;
        if packets.is_empty() {
            return Ok(());
        }
        let capture = Capture {
            comment: self.comment(effect),
            packets: &packets,
            boot_ns: realtime_ns().saturating_sub(monotonic_ns()),
        };
        let folder = run::Folder::at(&self.run).packets();
        fs::create_dir_all(&folder)?;
        let path = folder.join(file_name(effect));
        // A reader never sees half a file.
        let part = path.with_extension("part");
        let mut out = BufWriter::new(File::create(&part)?);
        capture.write(|link| self.interface(link), &mut out)?;
        out.flush()?;
        fs::rename(part, path)
    }

    fn comment(&self, effect: &Effect) -> String {
        let Effect { revision, lever, at, first } = effect;
        let run = self.run.file_name().unwrap_or_default().to_string_lossy();
        format!(
            "wetdress run {run}, world {revision}: {} first bit {} at {first} of the run. Times are those at which the fabric met a packet. A \
             packet longer than the MTU is what the sender's kernel handed over at once (GSO); checksums may be left to the device.",
            word(*lever),
            place(at, " -> ")
        )
    }

    fn interface(&self, link: fabric::Link) -> Interface {
        let end = |port: fabric::PortId| self.numbering.end(port);
        let name = |port| end(port).map_or_else(|| format!("port {}", port.0), End::to_string);
        let home =
            |port| end(port).map_or_else(|| "the lab's own".to_owned(), |end| self.home(end));
        Interface {
            name: format!("{} -> {}", name(link.from), name(link.to)),
            description: format!("{} -> {}", home(link.from), home(link.to)),
        }
    }

    /// `198.19.4.0/22 in us-west`.
    fn home(&self, end: &End) -> String {
        let known = match end {
            End::Node(name) => self
                .topology
                .nodes
                .get(name)
                .map(|node| format!("{} in {}", node.address, node.region)),
            End::Cell(name) => self
                .topology
                .cells
                .get(name)
                .map(|cell| format!("{}/{} in {}", cell.base, cell.prefix, cell.region)),
        };
        known.unwrap_or_else(|| "not in the topology".to_owned())
    }
}

/// `3-cut-store-us-west-1-terminals-us-west.pcapng`.
fn file_name(effect: &Effect) -> String {
    const NAME_MAX: usize = 120;
    let name = format!("{}-{}-{}", effect.revision, word(effect.lever), place(&effect.at, "-"));
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' })
        .take(NAME_MAX)
        .collect();
    format!("{plain}.pcapng")
}

fn place(at: &Place, arrow: &str) -> String {
    match at {
        Place::Link(link) => format!("{}{arrow}{}", link.from, link.to),
        Place::Node(node) => node.to_string(),
        Place::Process { node, process } => format!("{node} ({process})"),
        Place::Cell(cell) => cell.to_string(),
    }
}

/// As the journal calls it.
fn word(lever: Lever) -> String {
    let word = serde_json::to_value(lever).expect("a lever is a word");
    word.as_str().unwrap_or_default().to_owned()
}

/// Nanoseconds since 1970.
fn realtime_ns() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use model::Link;

    use super::*;

    fn at(seconds: u64) -> Micros {
        Micros::after(Duration::from_secs(seconds))
    }

    fn turn(revision: u64, seconds: u64) -> Heard {
        Heard::Turn { revision, at: at(seconds) }
    }

    fn hit(to: &str, seconds: u64) -> Heard {
        let link = Link::new(End::Node("store/1".into()), End::Node(to.into()));
        Heard::Hit { lever: Lever::Cut, at: Place::Link(link), first: at(seconds) }
    }

    fn schedule(heard: impl IntoIterator<Item = Heard>) -> Schedule {
        let mut schedule = Schedule::new(Duration::from_secs(10), Notes::default());
        heard.into_iter().for_each(|heard| schedule.hear(heard));
        schedule
    }

    fn effects(schedule: &Schedule) -> Vec<(u64, Micros)> {
        schedule.pending.iter().map(|effect| (effect.revision, effect.first)).collect()
    }

    #[test]
    fn the_first_hit_of_a_world_lies_in_the_middle_of_a_file() {
        let schedule = schedule([turn(3, 20), hit("a", 21), hit("b", 22)]);
        assert_eq!((effects(&schedule), schedule.due()), (vec![(3, at(21))], Some(at(26))));
    }

    #[test]
    fn the_total_of_a_lever_that_is_let_go_is_no_effect() {
        let schedule =
            schedule([turn(3, 20), hit("a", 21), turn(4, 60), hit("a", 21), hit("b", 22)]);
        assert_eq!(effects(&schedule), [(3, at(21))]);
    }

    #[test]
    fn an_effect_belongs_to_the_world_in_which_it_came() {
        let schedule = schedule([turn(3, 20), turn(4, 22), hit("a", 21)]);
        assert_eq!(effects(&schedule), [(3, at(21))]);
    }

    #[test]
    fn a_file_holds_effects_that_are_close_together() {
        let schedule = schedule([
            turn(3, 20),
            hit("a", 20),
            turn(4, 22),
            hit("b", 22),
            turn(5, 24),
            hit("c", 24),
        ]);
        assert_eq!(
            effects(&schedule),
            [(3, at(20)), (5, at(24))],
            "4 s later there would be too little behind it"
        );
    }

    #[test]
    fn a_flapping_fault_does_not_fill_the_disk() {
        let schedule = schedule((0..11).flat_map(|n| [turn(n, n * 20), hit("a", n * 20)]));
        assert_eq!(effects(&schedule).len(), FILES_MAX);
        assert_eq!(
            schedule.notes.sentences(),
            ["Packets around 3 later effects were not written: 8 files a run."]
        );
    }

    #[test]
    fn file_names_are_plain() {
        let schedule = schedule([turn(3, 0), hit("terminals/us west", 1)]);
        assert_eq!(file_name(&schedule.pending[0]), "3-cut-store-1-terminals-us-west.pcapng");
    }
}

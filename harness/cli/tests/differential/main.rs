//! The product against the reference implementation of the measurement page, over random drills: each is played in the pretend lab, read
//! from its folder by two that share nothing, and every figure is compared.
//!
//! `WETDRESS_SEEDS=1000` or `-- --seeds 1000` widens the search from 40, `-- --seed 17` repeats one drill. What differs is printed with
//! its seed, and the folder of that drill is kept.
//!
//! * `draw`: a random drill from a seed
//! * `stack`: its regions, services, fleets, observers and phases
//! * `by_schema`: parameters of faults and gates, from their own schemas
//! * `random`: draws by seed
//! * `play`: the drill in the pretend lab
//! * `journal`: what the journal says of faults
//! * `input`: from the folder to what the reference reads
//! * `reference`: the reference at work
//! * `theirs`, `ours`: both sets of figures, in one form
//! * `compare`: how much was compared
//! * `fixtures`: what is compared where the reference is absent
//! * `ask_oracle.py`, `expected_gates.py`: what asks the reference, and what each gate has to say by its figures

#![allow(clippy::print_stdout, reason = "what differs is told to whoever runs the test")]

mod by_schema;
#[path = "../../src/catalogs.rs"]
#[allow(dead_code, reason = "the binary's own list of kinds, of which this test needs a part")]
mod catalogs;
mod compare;
mod draw;
mod fixtures;
mod input;
mod journal;
#[path = "../../src/labs.rs"]
#[allow(dead_code, reason = "the binary's own list of labs, of which this test needs a part")]
mod labs;
mod ours;
mod play;
mod random;
mod reference;
mod stack;
mod theirs;

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use draw::Refused;
use fixtures::Fixture;
use play::{Played, Stage};
use reference::Reference;

/// Drills of a plain test run.
const SEEDS: u64 = 40;
/// Differences that are shown of one drill.
const SHOWN: usize = 12;

fn main() -> ExitCode {
    let asked = Asked::from_args();
    if asked.list {
        println!("differential: test");
        return ExitCode::SUCCESS;
    }
    let begin = Instant::now();
    let stage = Stage::new();
    if Reference::start().is_none() {
        println!(
            "fresh comparisons are skipped: python3 or the reference is not at hand; fixtures are compared"
        );
    }
    let next = AtomicU64::new(0);
    let sums = Mutex::new(Sums::default());
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get().min(2));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut reference = Reference::start();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= asked.count {
                        return;
                    }
                    let compared = drill(&stage, asked.first + number, reference.as_mut());
                    sums.lock().expect("nobody panics with it").add(compared);
                }
            });
        }
    });
    let sums = sums.into_inner().expect("nobody panics with it");
    sums.tell(begin);
    if std::env::var_os("WETDRESS_WRITE_FIXTURES").is_some() {
        fixtures::write(&sums.fixtures);
    }
    if sums.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the command line and the environment ask for.
struct Asked {
    first: u64,
    count: u64,
    /// Test runners ask for the names first.
    list: bool,
}

impl Asked {
    fn from_args() -> Self {
        let args: Vec<String> = std::env::args().collect();
        let after = |key: &str| {
            let place = args.iter().position(|arg| arg == key)?;
            args.get(place + 1)?.parse::<u64>().ok()
        };
        let from_outside = || std::env::var("WETDRESS_SEEDS").ok()?.parse().ok();
        let count = after("--seeds").or_else(from_outside).unwrap_or(SEEDS);
        let list = args.iter().any(|arg| arg == "--list");
        match after("--seed") {
            Some(one) => Self { first: one, count: after("--seeds").unwrap_or(1), list },
            None => Self { first: 1, count, list },
        }
    }
}

/// What became of one drill.
struct Compared {
    seed: u64,
    refused: Refused,
    figures: u64,
    gates: u64,
    episodes: u64,
    /// Why nothing was compared.
    skipped: Option<String>,
    differences: Vec<String>,
    /// What is kept of it, where both agree.
    fixture: Option<Fixture>,
}

fn drill(stage: &Stage, seed: u64, reference: Option<&mut Reference>) -> Compared {
    let drawn = draw::drill(seed, &stage.catalogs, &stage.offers);
    let mut compared = Compared {
        seed,
        refused: drawn.refused.clone(),
        figures: 0,
        gates: 0,
        episodes: 0,
        skipped: None,
        differences: Vec::new(),
        fixture: None,
    };
    let played = match stage.play(seed, &drawn) {
        Ok(played) => played,
        Err(why) => {
            println!("seed {seed}: the drill did not come to its end: {why}");
            compared.differences.push(format!("the drill did not come to its end: {why}"));
            return compared;
        }
    };
    judge(&played, reference, &stage.fixtures, &mut compared);
    if !compared.differences.is_empty() {
        println!("seed {seed}: {} differences; {}", compared.differences.len(), played.keep());
        for difference in compared.differences.iter().take(SHOWN) {
            println!("    {difference}");
        }
    }
    compared
}

fn judge(
    played: &Played,
    reference: Option<&mut Reference>,
    kept: &BTreeMap<u64, Fixture>,
    compared: &mut Compared,
) {
    let loaded = run::Loaded::open(played.folder()).expect("a finished run can be read");
    let input = input::input(&loaded).expect("a finished run can be read");
    let facts = findings::read_run::facts(&loaded).expect("a finished run can be read");
    let found = findings::find(&facts);
    let ours = ours::figures(&loaded, &found);
    let verdicts = findings::judge(&facts, &found, &loaded.plan).expect("gates of this build");
    let words: Vec<&str> = verdicts.gates.iter().map(|gate| ours::verdict(gate.verdict)).collect();
    let fixture = Fixture::new(compared.seed, &input, &ours, &words);
    compared.episodes += found.episodes.len() as u64;
    let Some(reference) = reference else {
        match fixtures::compare(kept.get(&compared.seed), &fixture) {
            Ok(differences) => compared.differences = differences,
            Err(why) => compared.skipped = Some(why),
        }
        return;
    };
    let answer = match reference.ask(&input) {
        Ok(answer) => answer,
        Err(error) => return compared.differences.push(format!("the reference: {error}")),
    };
    let theirs = theirs::figures(&answer);
    compared.figures += compare::count(&theirs);
    kit::oracle::differences("", &theirs, &ours, &mut compared.differences);
    let expected = answer["gates"].as_array().into_iter().flatten();
    for ((gate, ours), theirs) in verdicts.gates.iter().zip(words).zip(expected) {
        compared.gates += u64::from(!theirs.is_null());
        if !theirs.is_null() && theirs != ours {
            let (asked, said) = (&gate.params, (&gate.observed, &gate.why));
            let difference = format!("gate {} {asked}: {theirs} != {ours} {said:?}", gate.name);
            compared.differences.push(difference);
        }
    }
    compared.fixture = compared.differences.is_empty().then_some(fixture);
}

#[derive(Default)]
struct Sums {
    drills: u64,
    figures: u64,
    gates: u64,
    episodes: u64,
    refused: Refused,
    skipped: u64,
    failed: Vec<u64>,
    fixtures: BTreeMap<u64, Fixture>,
}

impl Sums {
    fn add(&mut self, one: Compared) {
        self.drills += 1;
        self.figures += one.figures;
        self.gates += one.gates;
        self.episodes += one.episodes;
        self.refused.add(&one.refused);
        if let Some(why) = one.skipped {
            println!("seed {}: skipped: {why}", one.seed);
            self.skipped += 1;
        }
        self.fixtures.extend(one.fixture.map(|fixture| (one.seed, fixture)));
        if !one.differences.is_empty() {
            self.failed.push(one.seed);
        }
    }

    fn tell(&self, begin: Instant) {
        let Refused { drawn, refused, given_up } = &self.refused;
        println!(
            "{} drills, {} episodes, {} figures and {} verdicts compared in {:.0} s; {refused} of {drawn} draws were refused and drawn again",
            self.drills,
            self.episodes,
            self.figures,
            self.gates,
            begin.elapsed().as_secs_f64()
        );
        if !given_up.is_empty() {
            println!("left out after {} refusals: {given_up:?}", draw::TRIES);
        }
        if self.skipped > 0 {
            println!("{} drills were played and not compared", self.skipped);
        }
        if !self.failed.is_empty() {
            let mut failed = self.failed.clone();
            failed.sort_unstable();
            println!("{} drills differ: seeds {failed:?}", failed.len());
        }
    }
}

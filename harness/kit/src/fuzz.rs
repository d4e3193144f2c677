//! Changed inputs for whatever reads bytes: no input may panic, and none may take long. Seeded, and bounded in count and time, so that it
//! runs on a stable compiler in every test run; not guided by coverage, which needs a nightly one. The corpus makes up for that: real
//! inputs, and the words of the language.
//!
//! `WETDRESS_FUZZ_SECONDS` runs for so long with a seed of its own instead of the short fixed round. `WETDRESS_FUZZ_SEED` repeats a round,
//! `WETDRESS_FUZZ_INPUT` tries one file.

#![allow(clippy::print_stdout, reason = "what was tried is a result of the test, shown with it")]

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

/// The short round of a plain test run.
const INPUTS: u64 = 1_500;
/// No input grows beyond this.
const BYTES_MAX: usize = 64 << 10;
/// Reading an input takes milliseconds; one that takes this long is as bad as a panic. Room for a loaded machine.
const SLOW: Duration = Duration::from_secs(20);
const CHANGES_MAX: u64 = 6;

/// What inputs are made from.
#[derive(Debug, Default)]
pub struct Corpus {
    /// Name and content of real inputs.
    pub inputs: Vec<(String, Vec<u8>)>,
    /// Pieces that mean something to the reader.
    pub words: Vec<Vec<u8>>,
}

impl Corpus {
    /// Every file below this folder whose name ends so, in the order of the names.
    #[must_use]
    pub fn of_folder(folder: &Path, ending: &str) -> Self {
        let (mut inputs, mut folders) = (vec![], vec![folder.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("the folder is part of the project") {
                let path = entry.expect("readable").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.to_string_lossy().ends_with(ending) {
                    let bytes = fs::read(&path).expect("readable");
                    inputs.push((path.display().to_string(), bytes));
                }
            }
        }
        inputs.sort();
        Self { inputs, words: vec![] }
    }

    /// One of the inputs with a few of its bytes changed.
    #[must_use]
    pub fn changed(&self, random: &mut Random) -> Vec<u8> {
        let mut input = random.of(&self.inputs).map_or(vec![], |(_, bytes)| bytes.clone());
        for _ in 0..=random.below(CHANGES_MAX) {
            change(&mut input, self, random);
        }
        input.truncate(BYTES_MAX);
        input
    }
}

/// Tries many inputs.
///
/// # Panics
/// When an input makes `try_one` panic or takes longer than 20 s, with the seed, and the file to which the input was written.
pub fn fuzz(name: &str, corpus: &Corpus, try_one: impl Fn(&[u8])) {
    let asked = |name| std::env::var(name).ok();
    if let Some(file) = asked("WETDRESS_FUZZ_INPUT") {
        return try_one(&fs::read(&file).expect("the input can be read"));
    }
    let seconds = asked("WETDRESS_FUZZ_SECONDS").and_then(|text| text.parse().ok());
    let time = seconds.map(Duration::from_secs);
    let of_now = || SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64);
    let seed = asked("WETDRESS_FUZZ_SEED").and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| if time.is_some() { of_now() } else { 1 });
    let round = Round { name, corpus, seed };
    println!("{name}: seed {seed}, {} real inputs", corpus.inputs.len());
    let begin = Instant::now();
    let tried = round.run(|n| time.map_or(n < INPUTS, |time| begin.elapsed() < time), try_one);
    println!("{name}: {tried} inputs in {:?}", begin.elapsed());
}

struct Round<'a> {
    name: &'a str,
    corpus: &'a Corpus,
    seed: u64,
}

impl Round<'_> {
    /// Tries inputs while there is more to do; returns how many.
    fn run(&self, more: impl Fn(u64) -> bool, try_one: impl Fn(&[u8])) -> u64 {
        // The real inputs as they are come first.
        for (file, bytes) in &self.corpus.inputs {
            let tried = catch_unwind(AssertUnwindSafe(|| try_one(bytes)));
            assert!(tried.is_ok(), "{}: `{file}` itself panicked", self.name);
        }
        let watch = Watch::new();
        let mut number = 0;
        while more(number) {
            let input = self.input(number);
            watch.begin(self.write_to(number), &input);
            if catch_unwind(AssertUnwindSafe(|| try_one(&input))).is_err() {
                let file = keep(&self.write_to(number), &input);
                panic!(
                    "{}: input {number} of seed {} panicked; WETDRESS_FUZZ_INPUT={file} tries it alone",
                    self.name, self.seed
                );
            }
            number += 1;
        }
        number
    }

    /// The same for the same corpus, seed and number.
    fn input(&self, number: u64) -> Vec<u8> {
        self.corpus.changed(&mut Random::of_number(self.seed, number))
    }

    fn write_to(&self, number: u64) -> PathBuf {
        std::env::temp_dir().join(format!("fuzz-{}-{}-{number}", self.name, self.seed))
    }
}

fn keep(path: &Path, input: &[u8]) -> String {
    fs::write(path, input).expect("the input can be kept");
    path.display().to_string()
}

/// One change: of a byte or a bit, of a piece, of a word, or of what another input has.
fn change(input: &mut Vec<u8>, corpus: &Corpus, random: &mut Random) {
    const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'\n', b'-', b'9'];
    let at = random.below(input.len() as u64 + 1) as usize;
    let piece = at..(at + random.below(32) as usize).min(input.len());
    match random.below(9) {
        0 => input.truncate(at),
        1 => drop(input.drain(piece)),
        2 => {
            let again = input[piece].to_vec();
            input.splice(at..at, again);
        }
        3 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        4 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = EDGES[random.below(8) as usize];
            }
        }
        5 => {
            let bytes: Vec<u8> = (0..random.below(8)).map(|_| random.next() as u8).collect();
            input.splice(piece, bytes);
        }
        6 => {
            let word = random.of(&corpus.words).cloned().unwrap_or_default();
            input.splice(at..at, word);
        }
        7 => {
            let word = random.of(&corpus.words).cloned().unwrap_or_default();
            input.splice(piece, word);
        }
        _ => {
            if let Some((_, other)) = random.of(&corpus.inputs) {
                let from = random.below(other.len() as u64 + 1) as usize;
                let to = (from + random.below(200) as usize).min(other.len());
                input.splice(at..at, other[from..to].iter().copied());
            }
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): one word of state, any seed is good.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Draws of one of many inputs, the same for the same seed and number.
    #[must_use]
    pub fn of_number(seed: u64, number: u64) -> Self {
        Self(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0, less than `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// One of them, if there is any.
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len() as u64) as usize)
    }
}

type Tried = (Instant, PathBuf, Vec<u8>);

/// Ends the process, and keeps the input, when one takes too long: no test can end a reader that never comes back.
struct Watch {
    tried: Arc<Mutex<Option<Tried>>>,
    is_over: Arc<AtomicBool>,
}

impl Watch {
    fn new() -> Self {
        let watch = Self { tried: Arc::default(), is_over: Arc::default() };
        let (tried, is_over) = (watch.tried.clone(), watch.is_over.clone());
        std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                std::thread::park_timeout(Duration::from_secs(1));
                let tried = tried.lock().expect("nobody panics with it");
                if let Some((_, path, input)) = tried.as_ref().filter(|t| t.0.elapsed() > SLOW) {
                    println!("an input takes longer than {SLOW:?}: {}", keep(path, input));
                    std::process::abort();
                }
            }
        });
        watch
    }

    fn begin(&self, path: PathBuf, input: &[u8]) {
        let tried = Some((Instant::now(), path, input.to_vec()));
        *self.tried.lock().expect("nobody panics with it") = tried;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus() -> Corpus {
        Corpus {
            inputs: vec![("one".into(), b"key: value\n".to_vec()), ("two".into(), b"12".to_vec())],
            words: vec![b"fire".to_vec()],
        }
    }

    #[test]
    fn a_seed_gives_the_same_inputs_again_and_they_differ() {
        let corpus = corpus();
        let of = |seed| -> Vec<Vec<u8>> {
            let round = Round { name: "x", corpus: &corpus, seed };
            (0..200).map(|number| round.input(number)).collect()
        };
        let mut inputs = of(7);
        assert_eq!(inputs, of(7));
        assert_ne!(inputs, of(8));
        inputs.sort();
        inputs.dedup();
        assert!(inputs.len() > 150, "only {} of 200 differ", inputs.len());
    }

    #[test]
    fn a_panic_is_told_with_its_seed_and_file() {
        let corpus = corpus();
        let round = Round { name: "planted", corpus: &corpus, seed: 3 };
        let planted = |input: &[u8]| {
            assert!(!input.windows(4).any(|piece| piece == b"fire"), "planted");
        };
        let told = catch_unwind(AssertUnwindSafe(|| round.run(|n| n < 10_000, planted)));
        let told = told.expect_err("a word of the corpus sets it off");
        let told = told.downcast_ref::<String>().expect("a message");
        let file =
            told.split("WETDRESS_FUZZ_INPUT=").nth(1).and_then(|rest| rest.split(' ').next());
        let file = file.expect("it names a file");
        let kept = fs::read(file).expect("it was written");
        fs::remove_file(file).expect("it was written");
        assert!(told.contains("of seed 3 panicked"), "{told}");
        assert!(catch_unwind(|| planted(&kept)).is_err(), "the kept input does it again");
    }
}

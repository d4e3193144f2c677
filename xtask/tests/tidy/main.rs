//! The form of the tree, as git lists it: what style asks of everybody and no compiler checks. Each check is a list of offences with a
//! size; `ratchet.txt` lists those of today. An offence that grows fails, a new one fails, and one that is gone asks for its line.
//!
//! `cargo test -p xtask --test tidy` says what is wrong and what to do. Absent on purpose: anything that rustfmt or clippy knows.

mod circles;
mod lengths;
mod maps;
mod public;
mod ratchet;
mod tree;
mod words;

use std::fmt::Write;

use tree::Source;

/// What is measured, and why it has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Check {
    Function,
    File,
    DeadPub,
    Circle,
    Map,
    Word,
}

impl Check {
    const ALL: [Self; 6] =
        [Self::Function, Self::File, Self::DeadPub, Self::Circle, Self::Map, Self::Word];

    /// As it stands in `ratchet.txt`.
    fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::File => "file",
            Self::DeadPub => "dead-pub",
            Self::Circle => "circle",
            Self::Map => "map",
            Self::Word => "word",
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Function => {
                "a function of more than 70 lines no longer fits a screen: give its steps names"
            }
            Self::File => "a file of more than 450 lines holds a second noun: give it its own file",
            Self::DeadPub => {
                "no other file names it: remove it, or remove its `pub`, so that the compiler \
                 looks after it"
            }
            Self::Circle => {
                "files that use each other can only be understood together: move what both need \
                 into a file of its own"
            }
            Self::Map => {
                "the head of lib.rs is the map of the room: a line for each module, and none for \
                 what is gone"
            }
            Self::Word => "words.txt says which word is right, and why",
        }
    }
}

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Offence {
    check: Check,
    /// A path, and what in it.
    place: String,
    /// Lines, or files of a circle; 1 where nothing is counted.
    size: usize,
}

/// Every offence of these sources, sorted; of several of the same name the largest.
fn offences(sources: &[Source]) -> Vec<Offence> {
    let words = words::read(words::LIST);
    let mut all = lengths::offences(sources);
    all.extend(public::offences(sources));
    all.extend(circles::offences(sources));
    all.extend(maps::offences(sources));
    all.extend(words::offences(sources, &words));
    all.sort_by(|a, b| (a.check, &a.place, b.size).cmp(&(b.check, &b.place, a.size)));
    all.dedup_by(|a, b| (a.check, &a.place) == (b.check, &b.place));
    all
}

#[test]
fn the_tree_is_tidy() {
    let sources = tree::listed();
    assert!(sources.len() > 300, "only {} sources were read", sources.len());
    let mut found = offences(&sources);
    found.extend(words::prose(&tree::pages(), &words::read(words::LIST)));
    let complaints = ratchet::complaints(&found, &ratchet::read(ratchet::LIST));
    let mut said = String::new();
    for complaint in &complaints {
        writeln!(said, "{complaint}").expect("a string takes everything");
    }
    assert!(complaints.is_empty(), "{} complaints:\n{said}", complaints.len());
}

#[test]
fn every_line_of_the_lists_can_be_read() {
    for (check, ..) in ratchet::read(ratchet::LIST) {
        assert!(Check::ALL.iter().any(|known| known.name() == check), "`{check}` is no check");
    }
    let words = words::read(words::LIST);
    assert!(!words.is_empty() && words.iter().all(|word| !word.instead.is_empty()));
}

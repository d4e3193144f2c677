//! A panic is our mistake, and never the user's: it is told with where the run is, the run breaks off in order, and the exit code is
//! one of the table.

use std::{
    any::Any,
    fs::{self, OpenOptions},
    io::Write,
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook},
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use seams::{panic_text, panics_are_contained};
use tokio::sync::Notify;

use crate::console;

/// Within the run's folder.
const KEPT: &str = "panic.txt";
/// The folder of the run that this process is about.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();
/// What the first panic of this process said, of whichever thread.
static FIRST: Mutex<Option<String>> = Mutex::new(None);
static HAPPENED: Notify = Notify::const_new();

/// From now on every panic of this process and of what it forks is told as a mistake of this program.
pub(crate) fn tell() {
    set_hook(Box::new(|panic| {
        let said = said(panic);
        let folder = FOLDER.get().map(PathBuf::as_path);
        console::error(&sentence(&said, folder));
        if panics_are_contained() {
            // The run goes on without the thread, and its record says what is missing.
            return;
        }
        if let Some(folder) = folder {
            // Others of this run read it there. What cannot be kept was told.
            let file = OpenOptions::new().create(true).append(true).open(folder.join(KEPT));
            let _told = file.and_then(|mut file| file.write_all(format!("{said}\n").as_bytes()));
        }
        FIRST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(said);
        HAPPENED.notify_one();
    }));
}

/// The run's folder, for whoever reports a mistake.
pub(crate) fn of_run(folder: &Path) {
    // One process runs one drill.
    let _set_before = FOLDER.set(folder.to_owned());
}

/// Comes back when a thread or task of this process has panicked, with what it said.
pub(crate) async fn happened() -> String {
    HAPPENED.notified().await;
    first()
}

/// Does this, and None where it panicked, which has been told.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

fn first() -> String {
    let first = FIRST.lock().unwrap_or_else(PoisonError::into_inner).clone();
    first.unwrap_or_else(|| "it said nothing".to_owned())
}

/// What the first panic of any process of a run said.
pub(crate) fn kept(folder: &Path) -> Option<String> {
    Some(fs::read_to_string(folder.join(KEPT)).ok()?.lines().next()?.to_owned())
}

fn said(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map(|place| format!(" ({}:{})", place.file(), place.line()));
    // One line, so that it fits into a journal.
    text(panic.payload()).replace('\n', " ") + &place.unwrap_or_default()
}

fn text(payload: &(dyn Any + Send)) -> &str {
    panic_text(payload).unwrap_or("a value that is no text")
}

fn sentence(said: &str, folder: Option<&Path>) -> String {
    let folder = folder
        .map_or(String::new(), |folder| format!(" and the run's folder {}", folder.display()));
    format!(
        "this is a mistake in wetdress, not in your scenario or your stack: {said}\n\
         Please report it, with this message, the version {}{folder}",
        env!("CARGO_PKG_VERSION")
    )
}

#[test]
fn a_panic_is_caught_and_told_as_ours() {
    assert_eq!(caught(|| 7), Some(7));
    assert_eq!(caught(|| -> u8 { panic!("a test of panics") }), None);
    let told = sentence("no such place (a.rs:7)", Some(Path::new("runs/x")));
    for part in ["mistake in wetdress", "a.rs:7", "report it", "runs/x"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert_eq!(text(&"plain"), "plain");
    assert_eq!(text(&"owned".to_owned()), "owned");
    assert_eq!(text(&7), "a value that is no text");
}

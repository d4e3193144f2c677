//! Panics that end a part of a run and not the run: whoever started the thread counts on losing it.

use std::cell::Cell;

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// From now on a panic of this thread is contained: its starter does without the thread, and says so.
pub fn contain_panics() {
    CONTAINED.set(true);
}

/// Whether a panic of this thread is contained.
pub fn panics_are_contained() -> bool {
    CONTAINED.get()
}

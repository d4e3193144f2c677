//! Panics: what they said, and those that end a part of a run and not the run, since whoever started the thread counts on losing it.

use std::{any::Any, cell::Cell};

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

/// What a panic said; None where that is no text.
pub fn panic_text(payload: &(dyn Any + Send)) -> Option<&str> {
    let owned = || payload.downcast_ref::<String>().map(String::as_str);
    payload.downcast_ref::<&str>().copied().or_else(owned)
}

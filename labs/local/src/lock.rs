//! Locks whose holder may have panicked: what they guard is replaced or counted up in one step, so it holds all the same.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T>(guarded: &Mutex<T>) -> MutexGuard<'_, T> {
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
}

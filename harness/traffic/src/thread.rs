//! Where a sender runs.

/// Where the engine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thread {
    /// As a local task of the caller, who must be inside a `LocalSet` when arming: for paused clocks.
    Callers,
    /// On a thread of its own, with a runtime of its own: for real time.
    Own,
}

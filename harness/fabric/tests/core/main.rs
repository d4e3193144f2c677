//! The pure core under a clock that the tests turn: no device, no thread, no waiting.

mod answers;
mod bench;
mod exactness;
mod hostile;
mod proof;
mod sequences;

//! The pure core under a clock that the tests turn: no device, no thread, no waiting.
#![allow(clippy::print_stdout, reason = "a body that fails is named by the last line before it")]

mod answers;
mod bench;
mod bounds;
mod clocked;
mod clocked_draws;
mod clocked_rates;
mod conformance;
mod divided;
mod exactness;
mod hostile;
mod proof;
mod sequences;
#[path = "../wire/mod.rs"]
mod wire;

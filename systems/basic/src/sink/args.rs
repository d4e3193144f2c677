//! What a sink is told when it starts.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;

/// The command line of `wetdress sink`.
#[derive(Args, Clone, Debug)]
pub struct SinkArgs {
    /// Where it listens; port 0 takes a free one, and the first line printed says which.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7080")]
    pub listen: SocketAddr,
    /// So many readings are kept to be read back, 40 bytes each; beyond it the oldest are forgotten.
    #[arg(long, value_name = "READINGS", default_value_t = 4_000_000)]
    pub keep: usize,
    /// Answers nothing for so long, such as `1s`, at the end of each `--every`; what waited is answered at once after it.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "every")]
    pub stall: Option<Duration>,
    /// From the beginning of a stall to the beginning of the next one, such as `10s`; longer than the stall.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "stall")]
    pub every: Option<Duration>,
    /// Ends by itself after this long. It ends in any case on SIGINT and SIGTERM, and when its parent has ended.
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub lasts: Option<Duration>,
    /// Writes who was answered when (CLOCK_MONOTONIC, in nanoseconds) into this file, as CSV.
    #[arg(long, value_name = "FILE")]
    pub stamps: Option<PathBuf>,
    /// Prints the address and the final counts as JSON, a line each.
    #[arg(long)]
    pub json: bool,
}

//! What a node is told when it starts.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};

use super::{defects::Planted, members::Member};

/// One node of the embedded telemetry service.
#[derive(Clone, Debug, Parser)]
#[command(name = "wetdress reference node", disable_version_flag = true)]
pub struct Args {
    /// Name of this node, one of the peers'.
    #[arg(long)]
    pub id: String,
    /// Where clients are served (HTTP/1.1).
    #[arg(long)]
    pub listen: SocketAddr,
    /// Where peers are served.
    #[arg(long)]
    pub peer_listen: SocketAddr,
    /// All members, this node included: `name=ip:port@region`, separated by commas. Odd numbers make sense.
    #[arg(long, value_delimiter = ',', required = true)]
    pub peers: Vec<Member>,
    /// Directory of the log and the journals; made if absent.
    #[arg(long)]
    pub data: PathBuf,
    /// How many raft groups share the work. The same on every node, for the life of the data.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub shards: u16,
    /// Milliseconds between a leader's heartbeats; also the patience with one replication request, so it must exceed the longest round trip.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub heartbeat_ms: u64,
    /// Milliseconds without a heartbeat that make the home of a shard stand for election; others wait longer, in line. At least twice the heartbeat.
    #[arg(long, default_value_t = 800, value_parser = clap::value_parser!(u64).range(20..=600_000))]
    pub election_ms: u64,
    /// Milliseconds after which a node that is back takes over the shards whose home it is.
    #[arg(long, default_value_t = 3_000)]
    pub home_after_ms: u64,
    /// What a node does with a reading of a shard that another node leads.
    #[arg(long, value_enum, default_value_t = OnFollower::Forward)]
    pub on_follower: OnFollower,
    /// Milliseconds that a request waits for somebody to lead before it is refused.
    #[arg(long, default_value_t = 1_000)]
    pub leader_wait_ms: u64,
    /// Milliseconds after which the fate of a reading is answered to be unknown.
    #[arg(long, default_value_t = 10_000)]
    pub request_timeout_ms: u64,
    /// Bytes of readings after which writes are refused, since everything is kept in memory.
    #[arg(long, default_value_t = 1 << 30)]
    pub keep_bytes: u64,
    /// Defects to plant, as JSON.
    #[arg(long, default_value = "{}", value_parser = planted)]
    pub planted: Planted,
    /// Decides which readings planted defects hit.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// What a follower does with a reading that belongs elsewhere.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    ValueEnum,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnFollower {
    /// Passes it on over its own connection to the leader and answers for it.
    #[default]
    Forward,
    /// Names the leader's address (307).
    Redirect,
}

fn planted(text: &str) -> Result<Planted, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

impl Args {
    pub(crate) fn home_after(&self) -> Duration {
        Duration::from_millis(self.home_after_ms)
    }
    pub(crate) fn leader_wait(&self) -> Duration {
        Duration::from_millis(self.leader_wait_ms)
    }
    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }
}

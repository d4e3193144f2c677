//! What every server of ours is started with, alone or under Patroni.

use std::collections::BTreeMap;

use std::path::Path;

use model::{End, NodeId};
use seams::{
    Addresses,
    servers::{Requirement, Versions},
};

/// Who may log in: everybody in the lab, also for replication. The lab is closed.
pub(crate) const HBA: [&str; 2] =
    ["host all all 0.0.0.0/0 trust", "host replication all 0.0.0.0/0 trust"];

/// PostgreSQL's own settings, by name. Scenarios add to them and replace them.
pub(crate) type Parameters = BTreeMap<String, String>;

/// What is not PostgreSQL's default. Durability is: `fsync`, `full_page_writes` and `synchronous_commit` are on unless a scenario says
/// otherwise.
pub(crate) fn parameters(of_scenario: &Parameters) -> Parameters {
    let ours = [
        // Paths of a run can be longer than a socket's address may be.
        ("unix_socket_directories", ""),
        ("max_connections", "200"),
        ("shared_buffers", "32MB"),
        // Below the data folder: what is in the machine's /dev/shm would stay there after a kill.
        ("dynamic_shared_memory_type", "mmap"),
        ("log_line_prefix", "%m [%p] "),
        ("log_checkpoints", "off"),
    ];
    let mut all: Parameters =
        ours.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    all.extend(of_scenario.clone());
    all
}

/// PostgreSQL's programs. Minor releases of one major are made to be exchanged for one another.
pub(crate) fn requirements(programs: &Path) -> Vec<Requirement> {
    let versions = Versions { ask: &["--version"], from: (15, 0), to: (15, 99) };
    vec![Requirement::program(programs.join("postgres"), "postgres").with_versions(versions)]
}

/// The address alone, as a server's own configuration wants it.
pub(crate) fn host(node: &NodeId, port: u16, at: &dyn Addresses) -> String {
    let address = at.of(node, port, &End::Node(node.clone()));
    address.rsplit_once(':').map_or(address.clone(), |(host, _)| host.to_owned())
}

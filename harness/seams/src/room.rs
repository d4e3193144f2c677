//! What a run needs of its machine, known before anything starts.

/// Descriptors of the process that runs the harness, and what they are for. All sockets of assets, observers and probes are of that one
/// process; a server's process has the other ends of those that come to it, which are never more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Assets and probes of all fleets.
    pub assets: u64,
    /// Connections of their drivers that may be open at once, with those that are kept because they were left without a word.
    pub connections: u64,
    /// Of observers, each with the files of what it sees, and of questions to the nodes.
    pub questions: u64,
    /// Nodes and cells: places of the lab.
    pub places: u64,
    pub nodes: u64,
}

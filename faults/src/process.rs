//! A state of nodes, or of one process on each of them.

use model::{Conditions, NodeCondition, NodeState, ProcessState};
use seams::Moment;

/// The picked nodes in a state; where a process is named, that process on each of them, and the others run on.
pub(crate) fn on_node(
    now: &Moment<'_>,
    process: Option<&str>,
    node: NodeState,
    of_process: ProcessState,
) -> Conditions {
    let condition = match process {
        None => NodeCondition::from(node),
        Some(name) => NodeCondition {
            processes: [(name.to_owned(), of_process)].into(),
            ..NodeCondition::default()
        },
    };
    Conditions {
        nodes: now.nodes(0).into_iter().map(|node| (node, condition.clone())).collect(),
        ..Conditions::default()
    }
}

//! A client's connection to a node.

use model::NodeId;
use seams::Origin;
use tokio::sync::{oneshot, watch};

use crate::{
    lab::Memory,
    message::{Ask, Body, Message, Reply},
    world::{Line, LineState},
};

/// An open connection; it is forgotten when dropped, and the node does not notice.
#[derive(Debug)]
pub(crate) struct Connection {
    memory: Memory,
    line: u64,
    pub(crate) from: Origin,
    pub(crate) node: NodeId,
    state: watch::Receiver<LineState>,
}

impl Connection {
    /// Waits for the node's answer, for ever where it is cut off. The error says who refused.
    pub(crate) async fn open(
        memory: &Memory,
        from: Origin,
        node: NodeId,
    ) -> Result<Self, &'static str> {
        let (sender, state) = watch::channel(LineState::Opening);
        let line = memory.stir(|world, now| {
            let line = world.number();
            world.lines.insert(
                line,
                Line { from: from.clone(), node: node.clone(), life: None, state: sender },
            );
            world.send(
                now,
                Message { from: from.clone(), to: Origin::node(&node), body: Body::Hello { line } },
            );
            line
        });
        let mut connection = Self { memory: memory.clone(), line, from, node, state };
        match connection.state.wait_for(|state| *state != LineState::Opening).await.as_deref() {
            Ok(LineState::Open) => {}
            Ok(LineState::Gone(why)) => return Err(why),
            Ok(LineState::Opening) | Err(_) => return Err("the lab was closed"),
        }
        Ok(connection)
    }

    /// Asks and waits for the answer, for ever where it is lost.
    pub(crate) async fn ask(&self, ask: Ask) -> Option<Reply> {
        let (caller, answer) = oneshot::channel();
        self.memory.stir(|world, now| {
            let (line, call) = (self.line, world.number());
            world.calls.insert(call, caller);
            world.send(
                now,
                Message {
                    from: self.from.clone(),
                    to: Origin::node(&self.node),
                    body: Body::Ask { line, call, ask },
                },
            );
        });
        answer.await.ok()
    }

    /// Waits until the connection is gone, and says why.
    pub(crate) async fn gone(&self) -> &'static str {
        let mut state = self.state.clone();
        match state.wait_for(|state| matches!(state, LineState::Gone(_))).await.as_deref() {
            Ok(LineState::Gone(why)) => why,
            _ => "the lab was closed",
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.memory.world().lines.remove(&self.line);
    }
}

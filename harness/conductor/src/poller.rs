//! Asks each node what it believes of itself, from inside the node, again and again; the answers go to the timeline.

use std::{sync::Arc, time::Duration};

use model::{Micros, NodeId, ServiceId};
use seams::{Clock, Network, Role, Service};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

/// Time between two questions to a node: the resolution of every role change in the record.
const EVERY: Duration = Duration::from_millis(100);
/// Time between two questions after redundancy; each costs the stack more.
const REDUNDANT_EVERY: Duration = Duration::from_millis(500);
/// A node that does not answer for this long is asked again.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a service said.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) at: Micros,
    pub(crate) service: ServiceId,
    pub(crate) what: Answer,
}

#[derive(Debug)]
pub(crate) enum Answer {
    /// A node's roles, only when they are not the same as before.
    Roles(NodeId, Vec<Role>),
    /// Whether every copy is up to date, only when it changed.
    Redundant(bool),
}

/// One task per node, so that a hanging node delays nobody else, and one per service. They end when the set is dropped.
pub(crate) fn ask(
    service: &ServiceId,
    of: &Arc<dyn Service>,
    nodes: &[NodeId],
    network: &Arc<dyn Network>,
    clock: &Clock,
    to: &mpsc::UnboundedSender<Heard>,
    tasks: &mut JoinSet<()>,
) {
    for node in nodes {
        let (of, network, node) = (of.clone(), network.clone(), node.clone());
        let tell = Tell { service: service.clone(), clock: clock.clone(), to: to.clone() };
        tasks.spawn(async move { roles(&*of, &*network, &node, &tell).await });
    }
    let (of, network) = (of.clone(), network.clone());
    let tell = Tell { service: service.clone(), clock: clock.clone(), to: to.clone() };
    tasks.spawn(async move { redundancy(&*of, &*network, &tell).await });
}

struct Tell {
    service: ServiceId,
    clock: Clock,
    to: mpsc::UnboundedSender<Heard>,
}

impl Tell {
    /// False when nobody listens any more.
    fn tell(&self, what: Answer) -> bool {
        self.to.send(Heard { at: self.clock.now(), service: self.service.clone(), what }).is_ok()
    }
}

async fn roles(of: &dyn Service, network: &dyn Network, node: &NodeId, tell: &Tell) {
    let mut last = None;
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Ok(Ok(said)) = timeout(PATIENCE, of.believes(network, node)).await else { continue };
        if last.as_ref() != Some(&said) {
            last = Some(said.clone());
            if !tell.tell(Answer::Roles(node.clone(), said)) {
                return;
            }
        }
    }
}

/// A service that does not answer is not redundant.
async fn redundancy(of: &dyn Service, network: &dyn Network, tell: &Tell) {
    let mut last = None;
    let mut tick = interval(REDUNDANT_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let redundant = matches!(timeout(PATIENCE, of.redundant(network)).await, Ok(Ok(true)));
        if last.replace(redundant) != Some(redundant) && !tell.tell(Answer::Redundant(redundant)) {
            return;
        }
    }
}

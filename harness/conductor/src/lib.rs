//! Floor 2: walks the timeline, opens and closes windows, resolves targets, publishes Conditions. It knows nobody by name: faults,
//! services and labs are traits to it, and the record is a channel.
//!
//! * `timeline`: which phase, which windows, which world; told the time
//! * `resolve`: from whom a fault wants to hit to whom it hits
//! * `roles`: who leads, as far as nodes have said
//! * `proofs`: which window a hit proves
//! * `poller`: asks each node what it believes
//!
//! Absent on purpose: traffic, observers, where the record goes, and what a run means.

mod poller;
mod proofs;
mod resolve;
mod roles;
mod timeline;

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc};

use model::{Event, Micros, NodeId, Plan, ServiceId, Stamped, plan::Window};
use seams::{Clock, Fault, Network, Process, Service, Wanted};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use timeline::{Owners, Timeline};

/// Everything that a timeline touches.
pub struct Setup {
    pub plan: Arc<Plan>,
    /// The plan's windows in their order, with their faults brought to life.
    pub windows: Vec<(Window, Box<dyn Fault>)>,
    pub services: BTreeMap<ServiceId, Arc<dyn Service>>,
    pub network: Arc<dyn Network>,
    /// Its origin is known (it may lie ahead): phases and windows are counted from it.
    pub clock: Clock,
    /// The lab's end of it follows; what it holds now is the world that the lab was opened in.
    pub want: watch::Sender<Wanted>,
    /// What the lab has said by now, and what it says from now on.
    pub early: Vec<Stamped>,
    pub seen: mpsc::UnboundedReceiver<Stamped>,
    pub journal: mpsc::UnboundedSender<(Micros, Event)>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("scenario", &self.plan.scenario).finish_non_exhaustive()
    }
}

/// What a lab still says after the last phase. Keep it until the lab is closed: the lab follows its end of `want`. Drop it to let the
/// journal end.
pub struct Tail {
    timeline: Timeline,
    seen: mpsc::UnboundedReceiver<Stamped>,
    complete: bool,
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail").field("complete", &self.complete).finish_non_exhaustive()
    }
}

/// Plays the whole timeline and returns after its last phase, with every window closed and the steady world published.
///
/// `quiesced` ends a last phase that lasts until everything is decided; it says whether that is so. At the phase's latest end it is
/// no longer waited for.
pub async fn conduct(stage: Setup, quiesced: impl Future<Output = bool>) -> Tail {
    let Setup { plan, windows, services, network, clock, want, early, mut seen, journal } = stage;
    let end = Micros::after(plan.latest_end());
    let stop = Micros::after(plan.stop());
    let (to, mut heard) = mpsc::unbounded_channel();
    let mut asking = JoinSet::new();
    for (name, service) in &services {
        let nodes: Vec<NodeId> = plan.topology.nodes_of(name).cloned().collect();
        poller::ask(name, service, &nodes, &network, &clock, &to, &mut asking);
    }
    let owners = owners(&plan, &services);
    let mut timeline = Timeline::new(plan, owners, windows, want, journal);
    early.into_iter().for_each(|sight| timeline.seen(sight));
    tokio::pin!(quiesced);
    let complete = loop {
        let now = clock.now();
        timeline.advance(now);
        if now >= end {
            break false;
        }
        let next = timeline.next(now).map_or(end, |next| next.min(end));
        tokio::select! {
            biased;
            Some(sight) = seen.recv() => timeline.seen(sight),
            Some(answer) = heard.recv() => timeline.heard(answer),
            complete = &mut quiesced, if now >= stop && stop < end => break complete,
            () = clock.until(next) => {}
        }
    };
    drop(asking);
    timeline.end(clock.now(), complete);
    Tail { timeline, seen, complete }
}

/// Names do not depend on addresses, so the plan's own will do.
fn owners(plan: &Plan, services: &BTreeMap<ServiceId, Arc<dyn Service>>) -> Owners {
    let all = seams::processes(&plan.topology, services, &plan.topology);
    let of_node = |(node, processes): (NodeId, Vec<(ServiceId, Process)>)| {
        processes.into_iter().map(move |(service, process)| ((node.clone(), process.name), service))
    };
    all.into_iter().flat_map(of_node).collect()
}

impl Tail {
    /// Records everything that the lab has said by now. Call it once the lab is closed: its last counts come then.
    pub fn record(&mut self) {
        while let Ok(sight) = self.seen.try_recv() {
            self.timeline.seen(sight);
        }
    }

    /// Whether everything was decided in time; false for a plan whose last phase simply ends.
    pub fn complete(&self) -> bool {
        self.complete
    }
}

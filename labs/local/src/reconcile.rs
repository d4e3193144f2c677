//! The lab as a reconciler: it is told whole worlds and moves to each from wherever it is. Links change at once, in one step,
//! acknowledged by the fabric; nodes follow at their own pace and never delay a heal.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::OwnedFd,
    sync::{Arc, Mutex},
    time::Duration,
};

use fabric::{CANARY_PORT, Fabric, Rule};
use model::{
    Conditions, End, LabEvent, Lever, Link, Micros, NodeCondition, NodeId, NodeState, Ports, Pulled,
};
use rustix::net::{SendFlags, sendto};
use seams::{LabError, Wanted};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval},
};

use crate::{
    events::LabEvents,
    levers::does_to_nodes,
    lock::lock,
    namespace::udp_socket,
    network::Places,
    node::{Answer, Goal},
    policy::{self, Numbering, Silenced, Steady},
    proofs::Proofs,
};

/// How often the fabric's counters are read while something is to be proven.
const LOOK_EVERY: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) struct Reconciler {
    pub steady: Steady,
    pub numbering: Numbering,
    pub fabric: Arc<Fabric>,
    pub places: Arc<Places>,
    pub events: LabEvents,
    pub nodes: BTreeMap<NodeId, mpsc::UnboundedSender<Goal>>,
    pub answers: mpsc::UnboundedReceiver<(NodeId, Answer)>,
    /// Told once, when the first world holds or cannot.
    pub opened: Option<oneshot::Sender<Result<(), LabError>>>,
    pub in_force: InForce,
    pub now: Now,
}

/// The policy that the fabric acknowledged last.
pub(crate) type InForce = Arc<Mutex<Option<fabric::Policy>>>;

/// Where the lab is.
#[derive(Debug, Default)]
pub(crate) struct Now {
    revision: u64,
    world: Arc<Conditions>,
    goals: BTreeMap<NodeId, Goal>,
    waiting: BTreeSet<NodeId>,
    /// Nodes whose links do not work, wanted so or not yet past it.
    silenced: Silenced,
    policy: fabric::Policy,
    in_force_from: Micros,
    watch: Proofs,
}

impl Reconciler {
    /// Until the other end of `closing` is dropped.
    pub(crate) async fn live(
        mut self,
        mut want: watch::Receiver<Wanted>,
        mut closing: watch::Receiver<()>,
    ) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let first = want.borrow_and_update().clone();
        self.move_to(&first);
        let mut is_told = true;
        let clock = self.events.clock.clone();
        let mut is_timeless = self.steady.is_clocked() && clock.armed().is_none();
        loop {
            tokio::select! {
                _ = closing.changed() => break,
                told = want.changed(), if is_told => {
                    // Nobody wants anything new: the last world stays.
                    is_told = told.is_ok();
                    let wanted = want.borrow_and_update().clone();
                    self.move_to(&wanted);
                }
                Some((node, answer)) = self.answers.recv() => self.hear(&node, answer),
                // From now on it is known when the links' own clocks began.
                () = clock.until_armed(), if is_timeless => {
                    is_timeless = false;
                    self.enforce();
                }
                _ = look.tick(), if self.now.watch.is_busy() => self.look(),
            }
        }
        if let Ok(snapshot) = self.fabric.counters() {
            self.now.watch.finish(&snapshot, &self.numbering, &self.events);
        }
    }

    fn move_to(&mut self, wanted: &Wanted) {
        if wanted.revision == self.now.revision && !self.now.goals.is_empty() {
            return;
        }
        self.now.revision = wanted.revision;
        self.events.turn(wanted.revision);
        self.now.world = wanted.conditions.clone();
        let conditions: BTreeMap<NodeId, NodeCondition> = self
            .nodes
            .keys()
            .map(|node| (node.clone(), wanted.conditions.nodes.get(node).cloned()))
            .map(|(node, condition)| (node, condition.unwrap_or_default()))
            .collect();
        let these = |state| {
            let so = conditions.iter().filter(move |(_, condition)| condition.state == state);
            so.map(|(node, _)| node.clone())
        };
        self.now.silenced.unpowered.extend(these(NodeState::PowerLost));
        self.now.silenced.frozen.extend(these(NodeState::Frozen));
        // Silence first, and only then the deeds that it has to hide.
        self.enforce();
        for (node, condition) in conditions {
            let before = self.now.goals.get(&node);
            if before.is_none_or(|goal| goal.condition != condition) {
                self.tell_unable(&node, before.map(|goal| &goal.condition), &condition);
                let goal = Goal { revision: wanted.revision, condition };
                // A node's task ends only with the lab.
                let _ = self.nodes[&node].send(goal.clone());
                self.now.goals.insert(node.clone(), goal);
                self.now.waiting.insert(node);
            }
        }
        self.tell_if_in_force();
    }

    /// What is asked of a node anew and nobody here can do.
    fn tell_unable(&self, node: &NodeId, before: Option<&NodeCondition>, now: &NodeCondition) {
        let before = before.map(NodeCondition::levers).unwrap_or_default();
        for (lever, _) in
            now.levers().difference(&before).filter(|(lever, _)| !does_to_nodes(*lever))
        {
            let why = "this lab cannot do it to a node".to_owned();
            let end = End::Node(node.clone());
            self.events.publish(LabEvent::CannotDo { lever: *lever, end, why });
        }
    }

    fn hear(&mut self, node: &NodeId, answer: Answer) {
        let goal = &self.now.goals[node];
        match answer {
            Answer::LinksMayOpen { revision } if revision == goal.revision => {
                let Silenced { unpowered, frozen } = &mut self.now.silenced;
                let was_unpowered = unpowered.remove(node);
                let was_frozen = goal.condition.state != NodeState::Frozen && frozen.remove(node);
                if was_unpowered || was_frozen {
                    self.enforce();
                }
            }
            Answer::Reached { revision } if revision == goal.revision => {
                if self.now.waiting.remove(node) {
                    self.now.in_force_from = self.now.in_force_from.max(self.events.clock.now());
                    self.tell_if_in_force();
                }
            }
            Answer::Failed { revision, error } if revision == goal.revision => {
                let Some(opened) = self.opened.take() else {
                    let levers = goal.condition.levers();
                    let lever = levers.first().map_or(Lever::Crash, |(lever, _)| *lever);
                    self.events.publish(LabEvent::CannotDo {
                        lever,
                        end: End::Node(node.clone()),
                        why: error.to_string(),
                    });
                    return;
                };
                // Without a listener nobody opens any more.
                let _ = opened.send(Err(error));
            }
            // Of a goal that was replaced meanwhile.
            Answer::LinksMayOpen { .. } | Answer::Reached { .. } | Answer::Failed { .. } => {}
        }
    }

    fn tell_if_in_force(&mut self) {
        if self.now.waiting.is_empty() {
            self.events.publish_at(
                self.now.in_force_from,
                LabEvent::InForce { revision: self.now.revision },
            );
            if let Some(opened) = self.opened.take() {
                let _ = opened.send(Ok(()));
            }
        }
    }

    /// Puts the links of the present world in force.
    fn enforce(&mut self) {
        let origin_ns = self.events.clock.origin_ns().unwrap_or(u64::MAX);
        let policy = policy::policy(
            &self.steady,
            &self.numbering,
            &self.now.world,
            &self.now.silenced,
            origin_ns,
        );
        match self.fabric.apply(policy.clone()) {
            Ok(applied) => {
                self.now.in_force_from =
                    self.now.in_force_from.max(self.events.clock.stamp_ns(applied.at_ns));
                let closed = applied.closed.into_iter().filter_map(|(link, counters)| {
                    Some((self.numbering.to_model(link)?, counters))
                });
                self.now.watch.turn(&self.now.world, &closed.collect(), &self.events);
                *lock(&self.in_force) = Some(policy.clone());
                let before = std::mem::replace(&mut self.now.policy, policy);
                self.probe(&before);
            }
            Err(error) => {
                let levers = self.now.world.levers().into_iter();
                let of_links = levers.filter(|(lever, _)| lever.pulled() == Pulled::OnLinks);
                for (lever, end) in of_links {
                    self.events.publish(LabEvent::CannotDo { lever, end, why: error.to_string() });
                }
            }
        }
    }

    /// A canary on every link whose cut changed, of a port that the cut means, and an eye on the freed ones.
    fn probe(&mut self, before: &fabric::Policy) {
        let now = &self.now.policy;
        let is_cut = |link: fabric::Link, port| {
            now.links
                .get(&link)
                .is_some_and(|rule| rule.cuts.iter().any(|cut| cut.ports.contains(port)))
        };
        self.now.watch.forget_healing(|link, port| {
            self.numbering.to_fabric(link).is_none_or(|link| is_cut(link, port))
        });
        let named: BTreeSet<fabric::Link> =
            before.links.keys().chain(now.links.keys()).copied().collect();
        for link in named {
            let (was, is) = (cut_port(before.links.get(&link)), cut_port(now.links.get(&link)));
            let Some(named) = self.numbering.to_model(link) else { continue };
            if let Some(port) = was.filter(|port| !is_cut(link, *port)) {
                self.now.watch.expect_healing(named.clone(), port);
            }
            if let Some(port) = is.or(was).filter(|_| was != is)
                && self.send_canary(&named, port)
            {
                self.now.watch.expect_canary(named);
            }
        }
    }

    /// The fabric knows a canary by its own port, at either end. Where some other port is meant, it leaves from that one: at the far
    /// end it still goes unread, and is not answered.
    fn send_canary(&self, link: &Link, port: u16) -> bool {
        let (Some(place), Some(to)) =
            (self.places.get(&link.from), self.places.first_address(&link.to))
        else {
            return false;
        };
        let to = std::net::SocketAddr::from((to, CANARY_PORT));
        let send = move |socket: &OwnedFd| {
            Ok(sendto(socket, b"wetdress", SendFlags::DONTWAIT, &to).map(drop)?)
        };
        if port == CANARY_PORT {
            return send(&place.canaries).is_ok();
        }
        let Some(from) = self.places.first_address(&link.from) else { return false };
        place.namespace.run(move || send(&udp_socket(from, port)?)).is_ok()
    }

    /// What waits to be shown healed is asked again: a canary may be lost on a lossy link, and the stack may not use this one.
    fn look(&mut self) {
        if let Ok(snapshot) = self.fabric.counters() {
            self.now.watch.look(&snapshot, &self.numbering, &self.events);
        }
        let frozen =
            |end: &End| matches!(end, End::Node(node) if self.now.silenced.frozen.contains(node));
        let now = self.events.clock.now().since(Micros::ZERO);
        // A machine that stands still holds canaries too: they would only fill its queue. A link out of contact lets none pass.
        let may_pass =
            |link: &Link| !frozen(&link.from) && !frozen(&link.to) && self.steady.is_up(link, now);
        for (link, port) in self.now.watch.healing().filter(|(link, _)| may_pass(link)) {
            let _is_asked_again_anyway = self.send_canary(link, port);
        }
    }
}

/// A port that a canary must use to meet the cut: its own where nothing at all passes, else one of those that are cut.
fn cut_port(rule: Option<&Rule>) -> Option<u16> {
    let cuts = &rule?.cuts;
    if cuts.iter().any(|cut| cut.ports == Ports::All) {
        return Some(CANARY_PORT);
    }
    cuts.iter().find_map(|cut| match &cut.ports {
        Ports::All => None,
        Ports::Only(ports) => ports.first().copied(),
    })
}

//! The simulation: nodes, their copies of each shard, connections, and messages in flight, in the order of their times.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use model::{
    Conditions, End, LabEvent, Lever, Micros, NodeCondition, NodeId, NodeState, ServiceId, ShardId,
    Stamped, Topology, event, event::HealedBy, schedule::Draws,
};
use seams::{Clock, Origin};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use crate::{
    group::Group,
    links::{Fate, Links, Passage},
    message::{Body, Message, PROCESS, Reply},
    raft::Outbox,
    state::{Place, plays},
};

/// Why a lever does nothing here.
const UNABLE: &str = "the `pretend` lab has nothing that it could do this to";

pub(crate) struct World {
    pub(crate) place: Place,
    links: Links,
    hosts: BTreeMap<NodeId, Host>,
    pub(crate) groups: Vec<Group>,
    pub(crate) lines: HashMap<u64, Line>,
    pub(crate) calls: HashMap<u64, oneshot::Sender<Reply>>,
    /// By the time of arrival, then in the order of sending.
    flight: BTreeMap<(Instant, u64), Message>,
    numbered: u64,
    draws: Draws,
    clock: Clock,
    /// None once the lab is closed.
    seen: Option<mpsc::UnboundedSender<Stamped>>,
}

/// A machine and its processes.
struct Host {
    processes: Vec<String>,
    /// Counts how often its processes were started: connections of an earlier life are gone.
    life: u32,
    /// Came while it stood still.
    held: Vec<Message>,
}

/// A client's connection.
pub(crate) struct Line {
    pub(crate) from: Origin,
    pub(crate) node: NodeId,
    /// Life of the node that it was made with; None until the node has answered.
    pub(crate) life: Option<u32>,
    pub(crate) state: watch::Sender<LineState>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LineState {
    Opening,
    Open,
    Gone(&'static str),
}

impl World {
    pub(crate) fn new(
        topology: Arc<Topology>,
        processes: BTreeMap<NodeId, Vec<String>>,
        seed: u64,
        clock: Clock,
        seen: mpsc::UnboundedSender<Stamped>,
    ) -> Self {
        let draws = Draws::of(seed).named("pretend");
        let hosts = processes
            .into_iter()
            .map(|(node, processes)| (node, Host { processes, life: 1, held: vec![] }))
            .collect();
        let world = Self {
            place: Place::default(),
            links: Links::new(topology, draws.named("links")),
            hosts,
            groups: vec![],
            lines: HashMap::new(),
            calls: HashMap::new(),
            flight: BTreeMap::new(),
            numbered: 0,
            draws,
            clock,
            seen: Some(seen),
        };
        let nodes: Vec<NodeId> = world.hosts.keys().cloned().collect();
        nodes.iter().for_each(|node| world.tell_started(node));
        world
    }

    /// Makes the shards of a service, one copy on each of its nodes; their first leaders are spread over the nodes.
    pub(crate) fn found(
        &mut self,
        service: &ServiceId,
        shards: &[ShardId],
        election: Duration,
        now: Instant,
    ) {
        if self.groups.iter().any(|group| group.service == *service) {
            return;
        }
        let copies: Vec<NodeId> = self.topology().nodes_of(service).cloned().collect();
        for (number, shard) in shards.iter().enumerate().filter(|_| !copies.is_empty()) {
            let draws = self.draws.named(service.as_str()).named(shard.as_str());
            self.groups.push(Group::new(
                service.clone(),
                shard.clone(),
                copies.clone(),
                number % copies.len(),
                election,
                draws,
                now,
            ));
        }
    }

    pub(crate) fn topology(&self) -> Arc<Topology> {
        self.links.topology().clone()
    }

    pub(crate) fn stamp(&self, at: Instant) -> Micros {
        self.clock.stamp(at)
    }

    /// A number that was not given out before, for connections and calls.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbered += 1;
        self.numbered
    }

    /// Everything that is due by `until`, in order.
    pub(crate) fn play(&mut self, until: Instant) {
        while let Some(at) = self.next().filter(|at| *at <= until) {
            if let Some(entry) = self.flight.first_entry().filter(|entry| entry.key().0 <= at) {
                let message = entry.remove();
                self.arrive(at, message);
            } else {
                self.tick(at);
            }
        }
    }

    /// When something is due next.
    pub(crate) fn next(&self) -> Option<Instant> {
        let arrival = self.flight.keys().next().map(|(at, _)| *at);
        let replicas =
            self.groups.iter().flat_map(|group| group.copies.iter().zip(&group.replicas));
        let tick = replicas
            .filter(|(node, _)| self.serving(node) == NodeState::Up)
            .map(|(_, replica)| replica.deadline)
            .min();
        arrival.into_iter().chain(tick).min()
    }

    /// Moves to another world at once.
    pub(crate) fn reconcile(&mut self, now: Instant, world: &Conditions, revision: u64) {
        let at = self.stamp(now);
        let mut sights = vec![];
        let change = self.place.reconcile(world);
        for (link, lever) in change.let_go {
            self.links.let_go(lever, event::Place::Link(link), &mut sights);
        }
        for (link, lever) in change.pulled.into_iter().filter(|(_, lever)| !plays(*lever)) {
            sights.push(LabEvent::CannotDo { lever, end: link.to, why: UNABLE.to_owned() });
        }
        // A canary would pass now: nothing stands in its way.
        sights.extend(
            change.freed.into_iter().map(|link| LabEvent::Healed { link, by: HealedBy::Canary }),
        );
        for (node, was, is) in change.machines {
            self.account(at, &node, &was, &is, &mut sights);
            self.turn_machine(now, &node, &was, &is);
        }
        sights.push(LabEvent::InForce { revision });
        sights.into_iter().for_each(|sight| self.tell(at, sight));
    }

    /// The lab ends: every process that runs ends with it, and nothing is told afterwards.
    pub(crate) fn close(&mut self, now: Instant) {
        let at = self.stamp(now);
        let mut sights = vec![];
        self.links.let_all_go(&mut sights);
        sights.into_iter().for_each(|sight| self.tell(at, sight));
        for node in self.hosts.keys() {
            for process in self.processes(node) {
                if !self.place.process(node, &process).is_down() {
                    self.tell_exited(at, node, process, "the lab was closed");
                }
            }
        }
        self.flight.clear();
        self.groups.clear();
        self.calls.clear();
        self.lines.values().for_each(|line| {
            line.state.send_replace(LineState::Gone("the lab was closed"));
        });
        self.seen = None;
    }

    /// State of the process of a node that holds its copies.
    pub(crate) fn serving(&self, node: &NodeId) -> NodeState {
        self.place.process(node, PROCESS)
    }

    /// The levers of a machine and of its processes that were let go, and those that were pulled.
    fn account(
        &mut self,
        at: Micros,
        node: &NodeId,
        was: &NodeCondition,
        is: &NodeCondition,
        sights: &mut Vec<LabEvent>,
    ) {
        let (was, is) = (was.levers(), is.levers());
        let spot = |process: &Option<String>| match process.clone() {
            None => event::Place::Node(node.clone()),
            Some(process) => event::Place::Process { node: node.clone(), process },
        };
        for (lever, process) in was.difference(&is) {
            self.links.let_go(*lever, spot(process), sights);
        }
        for (lever, process) in is.difference(&was) {
            if let Err(why) = self.able(node, *lever, process.as_deref()) {
                let end = End::Node(node.clone());
                sights.push(LabEvent::CannotDo { lever: *lever, end, why });
            } else {
                self.links.count(*lever, spot(process), at, false, sights);
            }
        }
    }

    fn able(&self, node: &NodeId, lever: Lever, process: Option<&str>) -> Result<(), String> {
        if !plays(lever) {
            return Err(UNABLE.to_owned());
        }
        match process {
            Some(name) if !self.processes(node).iter().any(|process| process == name) => {
                Err(format!("no process of this node is called `{name}`"))
            }
            _ => Ok(()),
        }
    }

    /// Tells of each process that fell or rose, and turns what the serving one does.
    fn turn_machine(
        &mut self,
        now: Instant,
        node: &NodeId,
        was: &NodeCondition,
        is: &NodeCondition,
    ) {
        let at = self.stamp(now);
        for process in self.processes(node) {
            let (was, is) = (was.process(&process), is.process(&process));
            match (was.is_down(), is.is_down()) {
                (false, true) => {
                    let status = match is {
                        NodeState::PowerLost => "power lost",
                        NodeState::Terminated => "exit status 0",
                        _ => "signal 9",
                    };
                    self.tell_exited(at, node, process, status);
                }
                (true, false) => {
                    self.tell(at, LabEvent::ProcessStarted { node: node.clone(), process });
                }
                _ => {}
            }
        }
        self.turn(now, node, was.process(PROCESS), is.process(PROCESS));
    }

    fn turn(&mut self, now: Instant, node: &NodeId, was: NodeState, is: NodeState) {
        match (was.is_down(), is.is_down()) {
            (false, true) => self.fall(now, node, is),
            (true, false) => self.rise(now, node),
            _ => {}
        }
        if is != NodeState::Up {
            return;
        }
        self.groups.iter_mut().for_each(|group| group.resume(node, now));
        let held =
            self.hosts.get_mut(node).map(|host| std::mem::take(&mut host.held)).unwrap_or_default();
        held.into_iter().for_each(|message| self.arrive(now, message));
    }

    /// Processes are gone. The kernel closes their connections unless it has no power either.
    fn fall(&mut self, now: Instant, node: &NodeId, state: NodeState) {
        let Some(host) = self.hosts.get_mut(node) else { return };
        let life = host.life;
        host.life += 1;
        host.held.clear();
        self.groups.iter_mut().for_each(|group| group.forget(node));
        if state == NodeState::PowerLost {
            return;
        }
        let mut open: Vec<(u64, Origin)> = self
            .lines
            .iter()
            .filter(|(_, line)| line.node == *node && line.life == Some(life))
            .map(|(id, line)| (*id, line.from.clone()))
            .collect();
        open.sort_unstable();
        for (line, to) in open {
            self.send(
                now,
                Message {
                    from: Origin::node(node),
                    to,
                    body: Body::Gone { line, why: "closed by the node" },
                },
            );
        }
    }

    fn rise(&mut self, now: Instant, node: &NodeId) {
        self.groups.iter_mut().for_each(|group| group.restart(node, now));
    }

    pub(crate) fn send(&mut self, now: Instant, message: Message) {
        let Message { from, to, body } = &message;
        let established = !matches!(body, Body::Hello { .. } | Body::Welcome { .. });
        let carries_data = established && !matches!(body, Body::Gone { .. });
        let way = Passage {
            from,
            to,
            ports: body.ports(from, to),
            size: body.size(),
            now,
            at: self.stamp(now),
            established,
            carries_data,
        };
        let mut sights = vec![];
        let fate = self.links.send(&self.place, way, &mut sights);
        let at = self.stamp(now);
        sights.into_iter().for_each(|sight| self.tell(at, sight));
        let number = self.number();
        match fate {
            Fate::Arrives(at) => {
                self.flight.insert((at, number), message);
            }
            Fate::Rejected => self.reset(&message, "rejected on the way"),
            Fate::Lost => {}
        }
    }

    /// The client of a message is told at once that its connection is no more.
    fn reset(&mut self, message: &Message, why: &'static str) {
        if let Some(line) = message.body.line().and_then(|line| self.lines.get(&line)) {
            line.state.send_replace(LineState::Gone(why));
        }
    }

    fn arrive(&mut self, now: Instant, message: Message) {
        let End::Node(node) = message.to.end.clone() else {
            return self.arrive_at_client(message.body);
        };
        match self.serving(&node) {
            NodeState::Up => self.arrive_at_node(now, &node, message),
            // The kernel of a node whose processes stand still goes on to take connections.
            NodeState::Stopped if matches!(message.body, Body::Hello { .. }) => {
                self.arrive_at_node(now, &node, message)
            }
            NodeState::Stopped | NodeState::Frozen => {
                if let Some(host) = self.hosts.get_mut(&node) {
                    host.held.push(message);
                }
            }
            NodeState::Terminated | NodeState::Crashed => {
                self.refuse(now, message, "connection refused")
            }
            NodeState::PowerLost => {}
        }
    }

    /// The kernel answers for processes that are not there.
    pub(crate) fn refuse(&mut self, now: Instant, message: Message, why: &'static str) {
        if let Some(line) = message.body.line() {
            self.send(
                now,
                Message { from: message.to, to: message.from, body: Body::Gone { line, why } },
            );
        }
    }

    fn arrive_at_client(&mut self, body: Body) {
        match body {
            Body::Welcome { line } => self.turn_line(line, LineState::Open),
            Body::Gone { line, why } => self.turn_line(line, LineState::Gone(why)),
            Body::Reply { call, reply, .. } => {
                if let Some(caller) = self.calls.remove(&call) {
                    let _gave_up = caller.send(reply);
                }
            }
            _ => {}
        }
    }

    fn turn_line(&self, line: u64, state: LineState) {
        if let Some(line) = self.lines.get(&line) {
            line.state.send_replace(state);
        }
    }

    pub(crate) fn life(&self, node: &NodeId) -> Option<u32> {
        self.hosts.get(node).map(|host| host.life)
    }

    pub(crate) fn post(&mut self, now: Instant, group: usize, me: usize, post: Outbox) {
        let copies = self.groups[group].copies.clone();
        for (copy, message) in post {
            let body = Body::Peer { group, copy: me, message };
            self.send(
                now,
                Message { from: Origin::node(&copies[me]), to: Origin::node(&copies[copy]), body },
            );
        }
    }

    fn tick(&mut self, now: Instant) {
        for group in 0..self.groups.len() {
            for me in 0..self.groups[group].copies.len() {
                let up = self.serving(&self.groups[group].copies[me]) == NodeState::Up;
                if up && self.groups[group].replicas[me].deadline <= now {
                    let post = self.groups[group].replicas[me].tick(now);
                    self.post(now, group, me, post);
                    self.settle(now, group, me);
                }
            }
        }
    }

    fn tell_started(&self, node: &NodeId) {
        let at = self.clock.now();
        for process in self.processes(node) {
            self.tell(at, LabEvent::ProcessStarted { node: node.clone(), process });
        }
    }

    fn tell_exited(&self, at: Micros, node: &NodeId, process: String, status: &str) {
        let (node, status) = (node.clone(), status.to_owned());
        self.tell(at, LabEvent::ProcessExited { node, process, status, asked: true });
    }

    fn processes(&self, node: &NodeId) -> Vec<String> {
        self.hosts.get(node).map(|host| host.processes.clone()).unwrap_or_default()
    }

    fn tell(&self, at: Micros, what: LabEvent) {
        if let Some(seen) = &self.seen {
            let _nobody_looks = seen.send(Stamped { at, what });
        }
    }
}

//! The packet switch without I/O: frames go in with the time of their arrival, and come out through
//! a [`Sink`]. The same core serves the real shells and an in-memory network.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use crate::answer::answer;
use crate::counters::{Applied, Epoch, PortCounters, Snapshot};
use crate::flow::{Fate, Flow};
use crate::packet::Packet;
use crate::policy::{Link, Policy, PortId, Prefix, Rule};
use crate::pool::Pool;
use crate::routes::Routes;

/// Bytes of `virtio_net_hdr` at the start of every frame.
pub const VNET_BYTES: usize = 10;
const ETHERNET_BYTES: usize = 14;

/// What stands between the vnet header and the IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Nothing: TUN.
    Ip,
    /// An Ethernet header: AF_PACKET.
    Ethernet,
}

impl Framing {
    /// Where the IP packet begins in a frame.
    pub fn ip_at(self) -> usize {
        match self {
            Self::Ip => VNET_BYTES,
            Self::Ethernet => VNET_BYTES + ETHERNET_BYTES,
        }
    }
}

/// Where packets leave.
pub trait Sink {
    /// Hands a frame to a port. False when there is no device or it refused the frame.
    fn send(&mut self, to: PortId, frame: &[u8]) -> bool;
}

/// Routes, links and counters. `now` is nanoseconds on one clock that never runs backwards.
pub struct Switch {
    framing: Framing,
    seed: u64,
    epoch: Epoch,
    routes: Routes,
    ports: BTreeMap<PortId, PortCounters>,
    flows: Vec<Flow>,
    by_link: HashMap<Link, usize>,
    /// The first due packet of every flow that has one waiting.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    pool: Pool,
}

impl Switch {
    pub fn new(framing: Framing, seed: u64) -> Self {
        Self {
            framing,
            seed,
            epoch: Epoch::default(),
            routes: Routes::default(),
            ports: BTreeMap::new(),
            flows: Vec::new(),
            by_link: HashMap::new(),
            heads: BinaryHeap::new(),
            pool: Pool::default(),
        }
    }

    /// Makes `port` the home of these prefixes, and of no others.
    pub fn set_port(&mut self, port: PortId, prefixes: &[Prefix]) {
        self.routes.remove(port);
        for &prefix in prefixes {
            self.routes.add(prefix, port);
        }
        self.ports.entry(port).or_default();
    }

    /// Puts a policy in force; the worker has to acknowledge it before anything else is sent.
    pub fn apply(&mut self, now: u64, policy: &Policy) -> Applied {
        self.epoch.0 += 1;
        for &link in policy.links.keys() {
            self.flow_index(link);
        }
        let open = Rule::default();
        let mut closed = Vec::new();
        for flow in &mut self.flows {
            let rule = policy.links.get(&flow.link).unwrap_or(&open);
            if let Some(counters) = flow.set_rule(now, rule, self.epoch, &mut self.pool) {
                closed.push((flow.link, counters));
            }
        }
        self.heads = self.flows.iter().enumerate().filter_map(|(index, flow)| Some(Reverse((flow.next_due()?, index)))).collect();
        Applied { epoch: self.epoch, at_ns: now, closed }
    }

    /// Takes a frame that port `from` sent.
    pub fn receive(&mut self, now: u64, from: PortId, frame: &[u8], sink: &mut impl Sink) {
        let Some(packet) = self.read(frame) else {
            self.ports.entry(from).or_default().ignored.add(frame.len());
            return;
        };
        let Some(to) = self.routes.find(packet.destination) else {
            let counters = self.ports.entry(from).or_default();
            let tally = if packet.is_chatter() { &mut counters.ignored } else { &mut counters.unroutable };
            tally.add(packet.bytes);
            return;
        };
        let is_super = frame[1] != 0;
        let index = self.flow_index(Link { from, to });
        let flow = &mut self.flows[index];
        match flow.admit(now, &packet, frame, is_super, &mut self.pool) {
            Fate::Pass => {
                let delivered = sink.send(to, frame);
                flow.book(now, packet.class, delivered);
            }
            Fate::Waits { was_idle: true, due } => self.heads.push(Reverse((due, index))),
            Fate::Waits { .. } | Fate::Gone => {}
            Fate::Reject => self.answer(from, frame, &packet, sink),
        }
    }

    fn read(&self, frame: &[u8]) -> Option<Packet> {
        let ip_at = self.framing.ip_at();
        if self.framing == Framing::Ethernet && !matches!(frame.get(ip_at - 2..ip_at)?, [0x08, 0x00] | [0x86, 0xdd]) {
            return None;
        }
        Packet::read(frame.get(ip_at..)?)
    }

    /// The answer goes straight back to the port that sent the packet, past every rule.
    fn answer(&mut self, from: PortId, frame: &[u8], packet: &Packet, sink: &mut impl Sink) {
        let ip_at = self.framing.ip_at();
        let Some(ip) = answer(&frame[ip_at..], packet) else { return };
        let mut reply = vec![0; VNET_BYTES];
        if self.framing == Framing::Ethernet {
            let (to, source, kind) = (&frame[10..16], &frame[16..22], &frame[22..24]);
            reply.extend([source, to, kind].concat());
        }
        reply.extend(ip);
        if sink.send(from, &reply) {
            self.ports.entry(from).or_default().answers += 1;
        }
    }

    /// When the next packet is due.
    pub fn next_due(&self) -> Option<u64> {
        self.heads.peek().map(|Reverse((due, _))| *due)
    }

    /// Sends the next packet that is due, and returns by how many nanoseconds it is late.
    pub fn release(&mut self, now: u64, sink: &mut impl Sink) -> Option<u64> {
        let Reverse((due, index)) = *self.heads.peek()?;
        if due > now {
            return None;
        }
        self.heads.pop();
        let flow = &mut self.flows[index];
        let (frame, class, due) = flow.take_due(now).expect("a flow's head in the heap is the first in its queue");
        let delivered = sink.send(flow.link.to, &frame);
        flow.book(now, class, delivered);
        self.pool.give_back(frame);
        if let Some(next) = flow.next_due() {
            self.heads.push(Reverse((next, index)));
        }
        Some(now - due)
    }

    pub fn snapshot(&self, now: u64) -> Snapshot {
        Snapshot {
            epoch: self.epoch,
            at_ns: now,
            links: self.flows.iter().map(|flow| (flow.link, flow.counters)).collect(),
            ports: self.ports.clone(),
        }
    }

    fn flow_index(&mut self, link: Link) -> usize {
        *self.by_link.entry(link).or_insert_with(|| {
            self.flows.push(Flow::new(link, self.seed, self.epoch));
            self.flows.len() - 1
        })
    }
}

impl std::fmt::Debug for Switch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Switch").field("epoch", &self.epoch).field("links", &self.flows.len()).finish_non_exhaustive()
    }
}

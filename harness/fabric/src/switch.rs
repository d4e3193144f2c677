//! The packet switch without I/O: frames go in with the time of their arrival, and come out through
//! a [`Sink`]. The same core serves the real shells and an in-memory network.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::IoSlice;

use model::{CutForm, Lever};

use crate::counters::{Applied, Epoch, PortCounters, Snapshot, Tally};
use crate::disposition::Disposition;
use crate::flight_recorder::FlightRecorder;
use crate::links::Links;
use crate::packet::Packet;
use crate::policy::{Link, Policy, PortId, Prefix, Rule};
use crate::replies::{reply, too_big};
use crate::routes::Routes;
use crate::segment::Super;
use crate::slab::{PARTS_MAX, Slab, Stored};
use crate::switch::impair::{Arrival, Cargo, load_of};
use crate::wheel::{TICK_NS, Wheel};

mod impair;
mod retime;

/// Bytes of `virtio_net_hdr` at the start of every frame.
pub const VNET_BYTES: usize = 10;
const ETHERNET_BYTES: usize = 14;
/// Packets that may wait in one switch, in bytes of memory. Address space until it is used.
const SLAB_BYTES: usize = 256 << 20;

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
    /// Hands a frame, given in parts, to a port. False when there is no device or it refused the frame.
    fn send(&mut self, to: PortId, frame: &[IoSlice<'_>]) -> bool;
}

/// Which source ports a switch is responsible for, where several share the work: those whose number leaves this remainder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub index: u32,
    pub of: u32,
}

impl Share {
    pub const ALL: Self = Self { index: 0, of: 1 };

    pub fn owns(self, port: PortId) -> bool {
        port.0 % self.of == self.index
    }
}

/// Routes, links and counters. `now` is nanoseconds on one clock that never runs backwards.
pub struct Switch {
    framing: Framing,
    share: Share,
    epoch: Epoch,
    routes: Routes,
    ports: BTreeMap<PortId, PortCounters>,
    links: Links,
    /// The first due packet of every link that has one in its queue.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    /// When the slots of links end on which something waits.
    turns: BinaryHeap<Reverse<(u64, usize)>>,
    /// Packets of links that reorder.
    wheel: Wheel,
    slab: Slab,
    scratch: Vec<u8>,
    flight_recorder: FlightRecorder,
}

impl Switch {
    /// A switch for all ports. The seed decides loss, jitter and every other draw.
    pub fn new(framing: Framing, seed: u64) -> Self {
        Self::with_share(framing, seed, Share::ALL, 0)
    }

    /// `flight_bytes` are set aside for the headers of the newest packets.
    pub(crate) fn with_share(
        framing: Framing,
        seed: u64,
        share: Share,
        flight_bytes: usize,
    ) -> Self {
        Self {
            framing,
            share,
            epoch: Epoch::default(),
            routes: Routes::default(),
            ports: BTreeMap::new(),
            links: Links::new(seed),
            heads: BinaryHeap::new(),
            turns: BinaryHeap::new(),
            wheel: Wheel::default(),
            slab: Slab::new(SLAB_BYTES),
            scratch: Vec::new(),
            flight_recorder: FlightRecorder::new(flight_bytes),
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
        for &link in policy.links.keys().filter(|link| self.share.owns(link.from)) {
            self.links.index(link, self.epoch);
        }
        let open = Rule::default();
        let mut closed = Vec::new();
        let mut in_wheel = vec![None; self.links.states.len()];
        for (index, state) in self.links.states.iter_mut().enumerate() {
            let rule = policy.links.get(&state.link).unwrap_or(&open);
            if !state.has_rule(rule) {
                let (last, change) = state.set_rule(now, rule, self.epoch, &mut self.slab);
                closed.push((state.link, last));
                in_wheel[index] = state.is_in_wheel().then_some(change);
            }
        }
        if in_wheel.iter().any(Option::is_some) {
            self.rewind(now, |index| in_wheel[index]);
        }
        self.schedule_all();
        Applied { epoch: self.epoch, at_ns: now, closed }
    }

    /// Takes a frame that port `from` sent.
    pub fn receive(&mut self, now: u64, from: PortId, frame: &[u8], sink: &mut impl Sink) {
        let Some(packet) = self.read(frame) else {
            self.ports.entry(from).or_default().ignored.add(Tally::one(frame.len()));
            return;
        };
        let Some(to) = self.routes.find(packet.destination) else {
            let counters = self.ports.entry(from).or_default();
            let tally =
                if packet.is_chatter() { &mut counters.ignored } else { &mut counters.unroutable };
            tally.add(Tally::one(packet.bytes));
            return;
        };
        let link = self.links.index(Link { from, to }, self.epoch);
        self.retime(now, link);
        let arrival = Arrival { now, link, frame, packet: &packet };
        self.admit(&arrival, sink);
    }

    fn read(&self, frame: &[u8]) -> Option<Packet> {
        let ip_at = self.framing.ip_at();
        if self.framing == Framing::Ethernet
            && !matches!(frame.get(ip_at - 2..ip_at)?, [0x08, 0x00] | [0x86, 0xdd])
        {
            return None;
        }
        Packet::read(frame.get(ip_at..)?)
    }

    /// Decides about what concerns a frame as a whole: contact, cuts, size. The rest is drawn, per segment where that is needed.
    fn admit(&mut self, arrival: &Arrival<'_>, sink: &mut impl Sink) {
        let Arrival { now, link, frame, packet } = *arrival;
        let class = packet.class;
        let state = &mut self.links.states[link];
        let is_super = frame[1] != 0;
        let divided = is_super && (state.impairments.per_packet || state.impairments.mtu.is_some());
        let divided = divided.then(|| Super::read(frame, self.framing.ip_at(), packet)).flatten();
        let load = match divided.as_ref().filter(|_| state.impairments.per_packet) {
            Some(parts) => load_of(parts, 0..parts.count()),
            None => Tally::one(class.bytes),
        };
        state.counters.arrived.add(load);
        if !state.impairments.up {
            state.counters.dark.add(load);
            return self.record(arrival, Disposition::Dark);
        }
        if let Some(cut) = state.cut_for(class) {
            let (lever, form) = (cut.lever(), cut.form);
            state.counters.hit(lever, now, class, load);
            let tally = if form == CutForm::Reject {
                &mut state.counters.rejected
            } else {
                &mut state.counters.cut
            };
            tally.add(load);
            self.record(arrival, Disposition::of_cut(form));
            let ip = (form == CutForm::Reject)
                .then(|| reply(&frame[self.framing.ip_at()..], packet))
                .flatten();
            return self.reply(arrival, ip, sink);
        }
        let largest = divided.as_ref().map_or(packet.bytes, |parts| parts.ip_bytes(0));
        if let Some(mtu) = state.impairments.mtu.filter(|mtu| largest > *mtu) {
            state.counters.too_big.add(load);
            state.counters.hit(Lever::Mtu, now, class, load);
            self.record(arrival, Disposition::TooBig);
            let ip = too_big(&frame[self.framing.ip_at()..], packet, mtu as u32);
            return self.reply(arrival, ip, sink);
        }
        let cargo = Cargo::new([frame, &[]], class, load);
        if !state.impairments.per_packet {
            return self.carry(arrival, cargo, false, sink);
        }
        match divided {
            Some(parts) => self.divide(arrival, &parts, sink),
            None => {
                state.counters.undivided += u64::from(is_super);
                let drawn = state.impairments.draw(&mut state.random);
                self.impair(arrival, cargo, drawn, sink);
            }
        }
    }

    pub(crate) fn flight_recorder(&self) -> &FlightRecorder {
        &self.flight_recorder
    }

    /// The answer goes straight back to the port that sent the packet, past every rule.
    fn reply(&mut self, arrival: &Arrival<'_>, ip: Option<Vec<u8>>, sink: &mut impl Sink) {
        let Some(ip) = ip else { return };
        let from = self.links.states[arrival.link].link.from;
        let mut reply = vec![0; VNET_BYTES];
        if self.framing == Framing::Ethernet {
            let frame = arrival.frame;
            let (to, source, kind) = (&frame[10..16], &frame[16..22], &frame[22..24]);
            reply.extend([source, to, kind].concat());
        }
        reply.extend(ip);
        if sink.send(from, &[IoSlice::new(&reply)]) {
            self.ports.entry(from).or_default().answers += 1;
        }
    }

    /// When to look again: never later than the next packet is due.
    pub fn next_due(&self) -> Option<u64> {
        let head = self.heads.peek().map(|Reverse((due, _))| *due);
        let turn = self.turns.peek().map(|Reverse((at, _))| *at);
        head.into_iter().chain(self.wheel.next()).chain(turn).min()
    }

    /// Sends the next packet that is due, and returns by how many nanoseconds it is late.
    pub fn release(&mut self, now: u64, sink: &mut impl Sink) -> Option<u64> {
        self.turn_waiting(now);
        let (stored, in_wheel) = self.take_due(now)?;
        let waiting = *self.slab.waiting(stored);
        let state = &mut self.links.states[waiting.state as usize];
        state.left(&waiting, in_wheel);
        let mut parts = [IoSlice::new(&[]); PARTS_MAX];
        let used = self.slab.parts(stored, &mut parts);
        let delivered = sink.send(state.link.to, &parts[..used]);
        state.book(now, waiting.class, waiting.load, delivered);
        if !delivered {
            self.flight_recorder.record(
                now,
                state.link,
                Disposition::Undelivered,
                &parts[0][self.framing.ip_at()..],
                waiting.class.bytes,
            );
        }
        self.slab.give_back(stored);
        let due = if in_wheel { waiting.due.next_multiple_of(TICK_NS) } else { waiting.due };
        Some(now.saturating_sub(due))
    }

    fn take_due(&mut self, now: u64) -> Option<(Stored, bool)> {
        let head = self.heads.peek().map(|Reverse((due, _))| *due);
        if self.wheel.next().is_some_and(|wheel| head.is_none_or(|head| wheel < head))
            && let Some(stored) = self.wheel.pop(&mut self.slab, now)
        {
            return Some((stored, true));
        }
        let Reverse((due, index)) = *self.heads.peek()?;
        if due > now {
            return None;
        }
        self.heads.pop();
        let state = &mut self.links.states[index];
        let stored = state
            .queue
            .pop(&self.slab)
            .expect("a link with a head in the heap has something in its queue");
        if let Some(next) = state.next_due(&self.slab) {
            self.heads.push(Reverse((next, index)));
        }
        Some((stored, false))
    }

    pub fn snapshot(&self, now: u64) -> Snapshot {
        let links = self.links.states.iter().map(|state| (state.link, state.counters)).collect();
        Snapshot { epoch: self.epoch, at_ns: now, links, ports: self.ports.clone() }
    }

    /// What no rule asked for: `bound_overflow` and `undivided` of all links.
    pub(crate) fn unasked(&self) -> (u64, u64) {
        let all = self.links.states.iter().map(|state| &state.counters);
        all.fold((0, 0), |(overflow, undivided), link| {
            (overflow + link.bound_overflow, undivided + link.undivided)
        })
    }
}

impl std::fmt::Debug for Switch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Switch")
            .field("epoch", &self.epoch)
            .field("links", &self.links.states.len())
            .finish_non_exhaustive()
    }
}

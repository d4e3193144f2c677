//! The packet switch without I/O: frames go in with the time of their arrival, and come out through
//! a [`Sink`]. The same core serves the real shells and an in-memory network.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::IoSlice;

use model::{CutForm, Lever};

use crate::answer::{answer, too_big};
use crate::checksum::corrupt;
use crate::counters::{Applied, Epoch, LinkCounters, PortCounters, Snapshot, Tally};
use crate::links::Links;
use crate::packet::{Class, Packet};
use crate::policy::{Link, Policy, PortId, Prefix, Rule};
use crate::routes::Routes;
use crate::segment::{Head, Super};
use crate::slab::{PARTS_MAX, Slab, Stored, Waiting};
use crate::wheel::{TICK_NS, Wheel};

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
    /// Packets of links that reorder.
    wheel: Wheel,
    slab: Slab,
    scratch: Vec<u8>,
}

/// A frame on its way, as far as it was read.
#[derive(Clone, Copy)]
struct Arrival<'a> {
    now: u64,
    link: usize,
    frame: &'a [u8],
    packet: &'a Packet,
}

impl Switch {
    /// A switch for all ports. The seed decides loss, jitter and every other draw.
    pub fn new(framing: Framing, seed: u64) -> Self {
        Self::with_share(framing, seed, Share::ALL)
    }

    pub(crate) fn with_share(framing: Framing, seed: u64, share: Share) -> Self {
        Self {
            framing,
            share,
            epoch: Epoch::default(),
            routes: Routes::default(),
            ports: BTreeMap::new(),
            links: Links::new(seed),
            heads: BinaryHeap::new(),
            wheel: Wheel::default(),
            slab: Slab::new(SLAB_BYTES),
            scratch: Vec::new(),
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
        let mut in_wheel = vec![None; self.links.flows.len()];
        for (index, flow) in self.links.flows.iter_mut().enumerate() {
            let rule = policy.links.get(&flow.link).unwrap_or(&open);
            if !flow.has_rule(rule) {
                let has_new_rate = flow.has_other_rate(rule);
                closed.push((flow.link, flow.set_rule(now, rule, self.epoch, &mut self.slab)));
                in_wheel[index] = flow.is_in_wheel().then_some(has_new_rate);
            }
        }
        if in_wheel.iter().any(Option::is_some) {
            self.rewind(now, &in_wheel);
        }
        let heads = self.links.flows.iter().enumerate();
        self.heads = heads.filter_map(|(index, flow)| Some(Reverse((flow.next_due(&self.slab)?, index)))).collect();
        Applied { epoch: self.epoch, at_ns: now, closed }
    }

    /// Sets the wheel anew after rules have changed; `changed` says of each link in it whether its rate did.
    fn rewind(&mut self, now: u64, changed: &[Option<bool>]) {
        let mut all: Vec<(u64, Stored)> = Vec::new();
        self.wheel.drain(&mut self.slab, |slab, stored| all.push((slab.waiting(stored).due, stored)));
        all.sort_unstable();
        for (_, stored) in all {
            let index = self.slab.waiting(stored).flow as usize;
            let flow = &mut self.links.flows[index];
            if let Some(has_new_rate) = changed[index] {
                if !flow.keeps(now, stored, true, &mut self.slab) {
                    continue;
                }
                let times = flow.retimed(now, self.slab.waiting(stored), has_new_rate);
                let waiting = self.slab.waiting_mut(stored);
                (waiting.sent, waiting.due) = (times.sent, times.due);
            }
            let due = self.slab.waiting(stored).due;
            self.wheel.insert(&mut self.slab, stored, due);
        }
    }

    /// Takes a frame that port `from` sent.
    pub fn receive(&mut self, now: u64, from: PortId, frame: &[u8], sink: &mut impl Sink) {
        let Some(packet) = self.read(frame) else {
            self.ports.entry(from).or_default().ignored.add(Tally::one(frame.len()));
            return;
        };
        let Some(to) = self.routes.find(packet.destination) else {
            let counters = self.ports.entry(from).or_default();
            let tally = if packet.is_chatter() { &mut counters.ignored } else { &mut counters.unroutable };
            tally.add(Tally::one(packet.bytes));
            return;
        };
        let link = self.links.index(Link { from, to }, self.epoch);
        self.links.flows[link].turn(now);
        let arrival = Arrival { now, link, frame, packet: &packet };
        self.admit(&arrival, sink);
    }

    fn read(&self, frame: &[u8]) -> Option<Packet> {
        let ip_at = self.framing.ip_at();
        if self.framing == Framing::Ethernet && !matches!(frame.get(ip_at - 2..ip_at)?, [0x08, 0x00] | [0x86, 0xdd]) {
            return None;
        }
        Packet::read(frame.get(ip_at..)?)
    }

    /// Decides about what concerns a frame as a whole: contact, cuts, size. The rest is drawn, per segment where that is needed.
    fn admit(&mut self, arrival: &Arrival<'_>, sink: &mut impl Sink) {
        let Arrival { now, link, frame, packet } = *arrival;
        let class = packet.class;
        let flow = &mut self.links.flows[link];
        let is_super = frame[1] != 0;
        let divided = is_super && (flow.terms.per_packet || flow.terms.mtu.is_some());
        let divided = divided.then(|| Super::read(frame, self.framing.ip_at(), packet)).flatten();
        let load = match divided.as_ref().filter(|_| flow.terms.per_packet) {
            Some(parts) => load_of(parts, 0, parts.count()),
            None => Tally::one(class.bytes),
        };
        let counters = &mut flow.counters;
        counters.arrived.add(load);
        if !flow.terms.up {
            return counters.dark.add(load);
        }
        if let Some(cut) = flow.cut_for(class) {
            let (lever, form) = (cut.lever(), cut.form);
            flow.counters.hit(lever, now, class, load);
            if form != CutForm::Reject {
                return flow.counters.cut.add(load);
            }
            flow.counters.rejected.add(load);
            let ip = answer(&frame[self.framing.ip_at()..], packet);
            return self.answer(arrival, ip, sink);
        }
        let largest = divided.as_ref().map_or(packet.bytes, |parts| parts.ip_bytes(0));
        if let Some(mtu) = flow.terms.mtu.filter(|mtu| largest > *mtu) {
            flow.counters.too_big.add(load);
            flow.counters.hit(Lever::Mtu, now, class, load);
            let ip = too_big(&frame[self.framing.ip_at()..], packet, mtu as u32);
            return self.answer(arrival, ip, sink);
        }
        if !flow.terms.per_packet {
            return self.carry(arrival, [frame, &[]], class, load, false, sink);
        }
        match divided {
            Some(parts) => self.divide(arrival, &parts, sink),
            None => {
                flow.counters.undivided += u64::from(is_super);
                self.draw(arrival, [frame, &[]], class, load, sink);
            }
        }
    }

    /// Draws for each segment of a super-packet; neighbours to whom nothing happens travel on as one.
    fn divide(&mut self, arrival: &Arrival<'_>, parts: &Super, sink: &mut impl Sink) {
        let mut begun = 0;
        let is_rated = self.links.flows[arrival.link].terms.rate.is_some();
        for index in 0..parts.count() {
            let flow = &mut self.links.flows[arrival.link];
            let drawn = flow.terms.draw(&mut flow.random);
            if drawn.is_plain() && !is_rated {
                continue;
            }
            self.carry_run(arrival, parts, begun, index, sink);
            begun = index + 1;
            let mut head = Head::default();
            let body = parts.run(arrival.frame, index, index + 1, &mut head);
            let (class, load) = part_of(arrival.packet.class, parts, index, index + 1);
            self.dealt(arrival, [head.bytes(), &arrival.frame[body]], class, load, drawn, sink);
        }
        self.carry_run(arrival, parts, begun, parts.count(), sink);
    }

    fn carry_run(&mut self, arrival: &Arrival<'_>, parts: &Super, first: usize, end: usize, sink: &mut impl Sink) {
        if first < end {
            let mut head = Head::default();
            let body = parts.run(arrival.frame, first, end, &mut head);
            let (class, load) = part_of(arrival.packet.class, parts, first, end);
            self.carry(arrival, [head.bytes(), &arrival.frame[body]], class, load, false, sink);
        }
    }

    fn draw(&mut self, arrival: &Arrival<'_>, frame: [&[u8]; 2], class: Class, load: Tally, sink: &mut impl Sink) {
        let flow = &mut self.links.flows[arrival.link];
        let drawn = flow.terms.draw(&mut flow.random);
        self.dealt(arrival, frame, class, load, drawn, sink);
    }

    /// Does to one packet what was drawn for it.
    fn dealt(
        &mut self,
        arrival: &Arrival<'_>,
        frame: [&[u8]; 2],
        class: Class,
        load: Tally,
        drawn: crate::terms::Drawn,
        sink: &mut impl Sink,
    ) {
        let (now, counters) = (arrival.now, &mut self.links.flows[arrival.link].counters);
        if drawn.lost {
            counters.lost.add(load);
            return counters.hit(Lever::Loss, now, class, load);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut frame = frame;
        if drawn.corrupt && self.flipped(arrival, frame, class, load, &mut scratch) {
            frame = [&scratch, &[]];
        }
        self.carry(arrival, frame, class, load, drawn.jumps, sink);
        if drawn.twice {
            let counters = &mut self.links.flows[arrival.link].counters;
            counters.copies.add(load);
            counters.hit(Lever::Duplicate, now, class, load);
            self.carry(arrival, frame, class, load, false, sink);
        }
        self.scratch = scratch;
    }

    /// Copies a frame into `scratch` and flips one of its bits; false where it has none that could be.
    fn flipped(&mut self, arrival: &Arrival<'_>, frame: [&[u8]; 2], class: Class, load: Tally, scratch: &mut Vec<u8>) -> bool {
        scratch.clear();
        frame.iter().for_each(|part| scratch.extend_from_slice(part));
        let ip_at = self.framing.ip_at();
        let flow = &mut self.links.flows[arrival.link];
        let flipped = Packet::read(&scratch[ip_at..]).is_some_and(|packet| corrupt(scratch, ip_at, &packet, flow.random.bits()));
        if flipped {
            flow.counters.corrupted.add(load);
            flow.counters.hit(Lever::Corrupt, arrival.now, class, load);
        }
        flipped
    }

    /// Sends a packet on its way: at once, or when the rate and the delay allow it.
    fn carry(&mut self, arrival: &Arrival<'_>, frame: [&[u8]; 2], class: Class, load: Tally, jumps: bool, sink: &mut impl Sink) {
        let (now, flow) = (arrival.now, &mut self.links.flows[arrival.link]);
        let Some(times) = flow.times(now, class, load, jumps, &self.slab) else {
            return flow.counters.overflow.add(load);
        };
        if flow.may_pass(now, times) {
            let parts = frame.map(IoSlice::new);
            let used = if frame[1].is_empty() { 1 } else { 2 };
            let delivered = sink.send(flow.link.to, &parts[..used]);
            return flow.book(now, class, load, delivered);
        }
        let waiting = Waiting::new(class, load.packets as u32, arrival.link as u32, times.sent, times.due);
        let has_room = flow.has_room(frame[0].len() + frame[1].len());
        let Some(stored) = has_room.then(|| self.slab.store(frame, waiting)).flatten() else {
            flow.counters.overflow.add(load);
            flow.counters.bound_overflow += load.packets;
            return;
        };
        let in_wheel = flow.terms.overtakes;
        flow.entered(self.slab.waiting(stored), in_wheel);
        if in_wheel {
            self.wheel.insert(&mut self.slab, stored, times.due);
        } else {
            if flow.queue.is_empty() {
                self.heads.push(Reverse((times.due, arrival.link)));
            }
            flow.queue.push(&mut self.slab, stored);
        }
    }

    /// The answer goes straight back to the port that sent the packet, past every rule.
    fn answer(&mut self, arrival: &Arrival<'_>, ip: Option<Vec<u8>>, sink: &mut impl Sink) {
        let Some(ip) = ip else { return };
        let from = self.links.flows[arrival.link].link.from;
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
        head.into_iter().chain(self.wheel.next()).min()
    }

    /// Sends the next packet that is due, and returns by how many nanoseconds it is late.
    pub fn release(&mut self, now: u64, sink: &mut impl Sink) -> Option<u64> {
        let (stored, in_wheel) = self.take_due(now)?;
        let waiting = *self.slab.waiting(stored);
        let flow = &mut self.links.flows[waiting.flow as usize];
        flow.left(&waiting, in_wheel);
        let mut parts = [IoSlice::new(&[]); PARTS_MAX];
        let used = self.slab.parts(stored, &mut parts);
        let delivered = sink.send(flow.link.to, &parts[..used]);
        flow.book(now, waiting.class, waiting.load(), delivered);
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
        let flow = &mut self.links.flows[index];
        let stored = flow.queue.pop(&self.slab).expect("a link with a head in the heap has something in its queue");
        if let Some(next) = flow.next_due(&self.slab) {
            self.heads.push(Reverse((next, index)));
        }
        Some((stored, false))
    }

    pub fn snapshot(&self, now: u64) -> Snapshot {
        let links = self.links.flows.iter().map(|flow| (flow.link, flow.counters)).collect();
        Snapshot { epoch: self.epoch, at_ns: now, links, ports: self.ports.clone() }
    }

    /// Of one link; None where no packet has travelled and no rule was ever given.
    pub(crate) fn counters_of(&self, link: Link) -> Option<LinkCounters> {
        self.links.find(link).map(|flow| flow.counters)
    }
}

/// What some segments of a super-packet count for.
fn load_of(parts: &Super, first: usize, end: usize) -> Tally {
    Tally { packets: (end - first) as u64, bytes: (first..end).map(|index| parts.ip_bytes(index) as u64).sum() }
}

fn part_of(class: Class, parts: &Super, first: usize, end: usize) -> (Class, Tally) {
    let load = load_of(parts, first, end);
    (Class { bytes: load.bytes as usize, ..class }, load)
}

impl std::fmt::Debug for Switch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Switch").field("epoch", &self.epoch).field("links", &self.links.flows.len()).finish_non_exhaustive()
    }
}

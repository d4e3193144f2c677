//! The packet switch without I/O: frames go in with the time of their arrival, and come out through
//! a [`Sink`]. The same core serves the real shells and an in-memory network.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::IoSlice;
use std::ops::Range;

use model::{CutForm, Lever};

use crate::answer::{answer, too_big};
use crate::checksum::corrupt;
use crate::counters::{Applied, Epoch, LinkCounters, PortCounters, Snapshot, Tally};
use crate::flight::Flight;
use crate::links::Links;
use crate::note::Note;
use crate::packet::{Class, Packet};
use crate::policy::{Link, Policy, PortId, Prefix, Rule};
use crate::routes::Routes;
use crate::segment::{Head, Super};
use crate::slab::{PARTS_MAX, Slab, Stored, Waiting};
use crate::terms::Drawn;
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
    flight: Flight,
}

/// A frame on its way, as far as it was read.
#[derive(Clone, Copy)]
struct Arrival<'a> {
    now: u64,
    link: usize,
    frame: &'a [u8],
    packet: &'a Packet,
}

/// A packet, or some segments of one, that goes on from there.
#[derive(Clone, Copy)]
struct Cargo<'a> {
    /// In two parts, the first of which holds all headers.
    frame: [&'a [u8]; 2],
    class: Class,
    load: Tally,
    /// What happened to it before it went on.
    note: Option<Note>,
}

impl<'a> Cargo<'a> {
    fn new(frame: [&'a [u8]; 2], class: Class, load: Tally) -> Self {
        Self { frame, class, load, note: None }
    }
}

impl Switch {
    /// A switch for all ports. The seed decides loss, jitter and every other draw.
    pub fn new(framing: Framing, seed: u64) -> Self {
        Self::with_share(framing, seed, Share::ALL, 0)
    }

    /// `flight_bytes` are set aside for the headers of the newest packets.
    pub(crate) fn with_share(framing: Framing, seed: u64, share: Share, flight_bytes: usize) -> Self {
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
            flight: Flight::new(flight_bytes),
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
            Some(parts) => load_of(parts, 0..parts.count()),
            None => Tally::one(class.bytes),
        };
        flow.counters.arrived.add(load);
        if !flow.terms.up {
            flow.counters.dark.add(load);
            return self.note(arrival, Note::Dark);
        }
        if let Some(cut) = flow.cut_for(class) {
            let (lever, form) = (cut.lever(), cut.form);
            flow.counters.hit(lever, now, class, load);
            let tally = if form == CutForm::Reject { &mut flow.counters.rejected } else { &mut flow.counters.cut };
            tally.add(load);
            self.note(arrival, Note::of_cut(form));
            let ip = (form == CutForm::Reject).then(|| answer(&frame[self.framing.ip_at()..], packet)).flatten();
            return self.answer(arrival, ip, sink);
        }
        let largest = divided.as_ref().map_or(packet.bytes, |parts| parts.ip_bytes(0));
        if let Some(mtu) = flow.terms.mtu.filter(|mtu| largest > *mtu) {
            flow.counters.too_big.add(load);
            flow.counters.hit(Lever::Mtu, now, class, load);
            self.note(arrival, Note::TooBig);
            let ip = too_big(&frame[self.framing.ip_at()..], packet, mtu as u32);
            return self.answer(arrival, ip, sink);
        }
        let cargo = Cargo::new([frame, &[]], class, load);
        if !flow.terms.per_packet {
            return self.carry(arrival, cargo, false, sink);
        }
        match divided {
            Some(parts) => self.divide(arrival, &parts, sink),
            None => {
                flow.counters.undivided += u64::from(is_super);
                let drawn = flow.terms.draw(&mut flow.random);
                self.deal(arrival, cargo, drawn, sink);
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
            self.carry_run(arrival, parts, begun..index, sink);
            begun = index + 1;
            let mut head = Head::default();
            self.deal(arrival, cargo_of(arrival, parts, index..begun, &mut head), drawn, sink);
        }
        self.carry_run(arrival, parts, begun..parts.count(), sink);
    }

    fn carry_run(&mut self, arrival: &Arrival<'_>, parts: &Super, run: Range<usize>, sink: &mut impl Sink) {
        if !run.is_empty() {
            let mut head = Head::default();
            self.carry(arrival, cargo_of(arrival, parts, run, &mut head), false, sink);
        }
    }

    /// Does to one packet what was drawn for it.
    fn deal(&mut self, arrival: &Arrival<'_>, cargo: Cargo<'_>, drawn: Drawn, sink: &mut impl Sink) {
        let Cargo { class, load, .. } = cargo;
        let counters = &mut self.links.flows[arrival.link].counters;
        if drawn.lost {
            counters.lost.add(load);
            counters.hit(Lever::Loss, arrival.now, class, load);
            return self.note_cargo(arrival, &cargo, Note::Lost);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut cargo = cargo;
        if drawn.corrupt && self.flip(arrival, &cargo, &mut scratch) {
            cargo = Cargo { frame: [&scratch, &[]], note: Some(Note::Corrupted), ..cargo };
        }
        self.carry(arrival, cargo, drawn.jumps, sink);
        if drawn.twice {
            let counters = &mut self.links.flows[arrival.link].counters;
            counters.copies.add(load);
            counters.hit(Lever::Duplicate, arrival.now, class, load);
            self.carry(arrival, Cargo { note: Some(Note::Duplicated), ..cargo }, false, sink);
        }
        self.scratch = scratch;
    }

    /// Copies a frame into `scratch` and flips one of its bits; false where it has none that could be.
    fn flip(&mut self, arrival: &Arrival<'_>, cargo: &Cargo<'_>, scratch: &mut Vec<u8>) -> bool {
        scratch.clear();
        cargo.frame.iter().for_each(|part| scratch.extend_from_slice(part));
        let ip_at = self.framing.ip_at();
        let flow = &mut self.links.flows[arrival.link];
        let flipped = Packet::read(&scratch[ip_at..]).is_some_and(|packet| corrupt(scratch, ip_at, &packet, flow.random.bits()));
        if flipped {
            flow.counters.corrupted.add(cargo.load);
            flow.counters.hit(Lever::Corrupt, arrival.now, cargo.class, cargo.load);
        }
        flipped
    }

    /// Sends a packet on its way: at once, or when the rate and the delay allow it.
    fn carry(&mut self, arrival: &Arrival<'_>, cargo: Cargo<'_>, jumps: bool, sink: &mut impl Sink) {
        let Cargo { frame, class, load, note } = cargo;
        let (now, flow) = (arrival.now, &mut self.links.flows[arrival.link]);
        let Some(times) = flow.times(now, class, load, jumps, &self.slab) else {
            flow.counters.overflow.add(load);
            return self.note_cargo(arrival, &cargo, Note::Overflow);
        };
        if flow.may_pass(now, times) {
            let parts = frame.map(IoSlice::new);
            let used = if frame[1].is_empty() { 1 } else { 2 };
            let delivered = sink.send(flow.link.to, &parts[..used]);
            flow.book(now, class, load, delivered);
            let passed = note.unwrap_or(Note::Passed);
            return self.note_cargo(arrival, &cargo, if delivered { passed } else { Note::Undelivered });
        }
        let waiting = Waiting::new(class, load, arrival.link as u32, times.sent, times.due);
        let has_room = flow.has_room(frame[0].len() + frame[1].len());
        let Some(stored) = has_room.then(|| self.slab.store(frame, waiting)).flatten() else {
            flow.counters.overflow.add(load);
            flow.counters.bound_overflow += load.packets;
            return self.note_cargo(arrival, &cargo, Note::Overflow);
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
        self.note_cargo(arrival, &cargo, note.unwrap_or(Note::Waiting));
    }

    /// What became of a whole frame, for the flight recorder.
    fn note(&mut self, arrival: &Arrival<'_>, note: Note) {
        self.note_cargo(arrival, &Cargo::new([arrival.frame, &[]], arrival.packet.class, Tally::default()), note);
    }

    fn note_cargo(&mut self, arrival: &Arrival<'_>, cargo: &Cargo<'_>, note: Note) {
        let link = self.links.flows[arrival.link].link;
        self.flight.record(arrival.now, link, note, &cargo.frame[0][self.framing.ip_at()..], cargo.class.bytes);
    }

    pub(crate) fn flight(&self) -> &Flight {
        &self.flight
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
        flow.book(now, waiting.class, waiting.load, delivered);
        if !delivered {
            self.flight.record(now, flow.link, Note::Undelivered, &parts[0][self.framing.ip_at()..], waiting.class.bytes);
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
fn load_of(parts: &Super, run: Range<usize>) -> Tally {
    Tally { packets: run.len() as u64, bytes: run.map(|index| parts.ip_bytes(index) as u64).sum() }
}

/// Some segments of a super-packet, whose headers are written into `head`.
fn cargo_of<'a>(arrival: &Arrival<'a>, parts: &Super, run: Range<usize>, head: &'a mut Head) -> Cargo<'a> {
    let body = parts.run(arrival.frame, run.start, run.end, head);
    let load = load_of(parts, run);
    let ip_bytes = arrival.packet.bytes - parts.payload_bytes() + body.len();
    let class = Class { bytes: ip_bytes, ..arrival.packet.class };
    Cargo::new([head.bytes(), &arrival.frame[body]], class, load)
}

impl std::fmt::Debug for Switch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Switch").field("epoch", &self.epoch).field("links", &self.links.flows.len()).finish_non_exhaustive()
    }
}

//! What happens to a packet that no rule has stopped: the draws, per segment where a super-packet is taken apart, then the serialiser
//! and the way itself.

use std::cmp::Reverse;
use std::io::IoSlice;
use std::ops::Range;

use model::Lever;

use super::{Sink, Switch};
use crate::checksum::corrupt;
use crate::counters::Tally;
use crate::disposition::Disposition;
use crate::impairments::Drawn;
use crate::packet::{Class, Packet};
use crate::segment::{Head, Super};
use crate::slab::{Stored, Waiting};

/// A frame on its way, as far as it was read.
#[derive(Clone, Copy)]
pub(super) struct Arrival<'a> {
    pub(super) now: u64,
    pub(super) link: usize,
    pub(super) frame: &'a [u8],
    pub(super) packet: &'a Packet,
}

/// A packet, or some segments of one, that goes on from there.
#[derive(Clone, Copy)]
pub(super) struct Cargo<'a> {
    /// In two parts, the first of which holds all headers.
    pub(super) frame: [&'a [u8]; 2],
    pub(super) class: Class,
    pub(super) load: Tally,
    /// What happened to it before it went on.
    pub(super) note: Option<Disposition>,
}

impl<'a> Cargo<'a> {
    pub(super) fn new(frame: [&'a [u8]; 2], class: Class, load: Tally) -> Self {
        Self { frame, class, load, note: None }
    }
}

impl Switch {
    /// Draws for each segment of a super-packet; neighbours to whom nothing happens travel on as one.
    pub(super) fn divide(&mut self, arrival: &Arrival<'_>, parts: &Super, sink: &mut impl Sink) {
        let mut begun = 0;
        let is_rated = self.links.states[arrival.link].impairments.rate.is_some();
        for index in 0..parts.count() {
            let state = &mut self.links.states[arrival.link];
            let drawn = state.impairments.draw(&mut state.random);
            if drawn.is_plain() && !is_rated {
                continue;
            }
            self.carry_run(arrival, parts, begun..index, sink);
            begun = index + 1;
            let mut head = Head::default();
            self.impair(arrival, cargo_of(arrival, parts, index..begun, &mut head), drawn, sink);
        }
        self.carry_run(arrival, parts, begun..parts.count(), sink);
    }

    fn carry_run(
        &mut self,
        arrival: &Arrival<'_>,
        parts: &Super,
        run: Range<usize>,
        sink: &mut impl Sink,
    ) {
        if !run.is_empty() {
            let mut head = Head::default();
            self.carry(arrival, cargo_of(arrival, parts, run, &mut head), false, sink);
        }
    }

    /// Does to one packet what was drawn for it.
    pub(super) fn impair(
        &mut self,
        arrival: &Arrival<'_>,
        cargo: Cargo<'_>,
        drawn: Drawn,
        sink: &mut impl Sink,
    ) {
        let Cargo { class, load, .. } = cargo;
        let counters = &mut self.links.states[arrival.link].counters;
        if drawn.lost {
            counters.lost.add(load);
            counters.hit(Lever::Loss, arrival.now, class, load);
            return self.record_cargo(arrival, &cargo, Disposition::Lost);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut cargo = cargo;
        if drawn.corrupt && self.flip(arrival, &cargo, &mut scratch) {
            cargo = Cargo { frame: [&scratch, &[]], note: Some(Disposition::Corrupted), ..cargo };
        }
        self.carry(arrival, cargo, drawn.jumps, sink);
        if drawn.twice {
            let counters = &mut self.links.states[arrival.link].counters;
            counters.copies.add(load);
            counters.hit(Lever::Duplicate, arrival.now, class, load);
            self.carry(
                arrival,
                Cargo { note: Some(Disposition::Duplicated), ..cargo },
                false,
                sink,
            );
        }
        self.scratch = scratch;
    }

    /// Copies a frame into `scratch` and flips one of its bits; false where it has none that could be.
    fn flip(&mut self, arrival: &Arrival<'_>, cargo: &Cargo<'_>, scratch: &mut Vec<u8>) -> bool {
        scratch.clear();
        cargo.frame.iter().for_each(|part| scratch.extend_from_slice(part));
        let ip_at = self.framing.ip_at();
        let state = &mut self.links.states[arrival.link];
        let flipped = Packet::read(&scratch[ip_at..])
            .is_some_and(|packet| corrupt(scratch, ip_at, &packet, state.random.bits()));
        if flipped {
            state.counters.corrupted.add(cargo.load);
            state.counters.hit(Lever::Corrupt, arrival.now, cargo.class, cargo.load);
        }
        flipped
    }

    /// Sends a packet on its way: at once, or when the rate and the delay allow it.
    pub(super) fn carry(
        &mut self,
        arrival: &Arrival<'_>,
        cargo: Cargo<'_>,
        jumps: bool,
        sink: &mut impl Sink,
    ) {
        let Cargo { frame, class, load, note } = cargo;
        let (now, state) = (arrival.now, &mut self.links.states[arrival.link]);
        let Some(times) = state.times(now, load, jumps, &self.slab) else {
            state.counters.hit(Lever::Rate, now, class, load);
            state.counters.overflow.add(load);
            return self.record_cargo(arrival, &cargo, Disposition::Overflow);
        };
        if state.may_pass(now, times) {
            state.commit(now, class, load, jumps, times);
            let parts = frame.map(IoSlice::new);
            let used = if frame[1].is_empty() { 1 } else { 2 };
            let delivered = sink.send(state.link.to, &parts[..used]);
            state.book(now, class, load, delivered);
            let passed = note.unwrap_or(Disposition::Passed);
            return self.record_cargo(
                arrival,
                &cargo,
                if delivered { passed } else { Disposition::Undelivered },
            );
        }
        let waiting = Waiting::new(class, load, arrival.link as u32, times.sent, times.due);
        let has_room = state.has_room(frame[0].len() + frame[1].len());
        let Some(stored) = has_room.then(|| self.slab.store(frame, waiting)).flatten() else {
            state.counters.overflow.add(load);
            state.counters.bound_overflow += load.packets;
            return self.record_cargo(arrival, &cargo, Disposition::Overflow);
        };
        state.commit(now, class, load, jumps, times);
        self.enqueue(arrival.link, stored);
        self.record_cargo(arrival, &cargo, note.unwrap_or(Disposition::Waiting));
    }

    /// Puts a stored packet where it waits.
    fn enqueue(&mut self, link: usize, stored: Stored) {
        let state = &mut self.links.states[link];
        let (waiting, in_wheel) = (*self.slab.waiting(stored), state.impairments.overtakes);
        state.entered(&waiting, in_wheel);
        if let Some(at) = state.await_turn() {
            self.turns.push(Reverse((at, link)));
        }
        if in_wheel {
            return self.wheel.insert(&mut self.slab, stored, waiting.due);
        }
        if state.queue.is_empty() {
            self.heads.push(Reverse((waiting.due, link)));
        }
        state.queue.push(&mut self.slab, stored);
    }

    /// What became of a whole frame, for the flight recorder.
    pub(super) fn record(&mut self, arrival: &Arrival<'_>, disposition: Disposition) {
        self.record_cargo(
            arrival,
            &Cargo::new([arrival.frame, &[]], arrival.packet.class, Tally::default()),
            disposition,
        );
    }

    pub(super) fn record_cargo(
        &mut self,
        arrival: &Arrival<'_>,
        cargo: &Cargo<'_>,
        disposition: Disposition,
    ) {
        let link = self.links.states[arrival.link].link;
        self.flight_recorder.record(
            arrival.now,
            link,
            disposition,
            &cargo.frame[0][self.framing.ip_at()..],
            cargo.class.bytes,
        );
    }
}

/// What some segments of a super-packet count for.
pub(super) fn load_of(parts: &Super, run: Range<usize>) -> Tally {
    Tally { packets: run.len() as u64, bytes: run.map(|index| parts.ip_bytes(index) as u64).sum() }
}

/// Some segments of a super-packet, whose headers are written into `head`.
fn cargo_of<'a>(
    arrival: &Arrival<'a>,
    parts: &Super,
    run: Range<usize>,
    head: &'a mut Head,
) -> Cargo<'a> {
    let body = parts.run(arrival.frame, run.start, run.end, head);
    let load = load_of(parts, run);
    let ip_bytes = arrival.packet.bytes - parts.payload_bytes() + body.len();
    let class = Class { bytes: ip_bytes, ..arrival.packet.class };
    Cargo::new([head.bytes(), &arrival.frame[body]], class, load)
}

//! One fleet: generates by the schedule, sends through its lane, owns every deadline and retry.
//!
//! * A reading generated while its asset is online waits for a free place only and goes out as live; one recorded without a
//!   connection, or tried in vain, is replayed: paced per asset at `rate` times the nominal rate of its streams, beside the live ones.
//!   With `OldestFirst` a reading generated behind a backlog waits at the end of it, and its wait counts.
//! * A refused or unknown attempt of a stream with `ack: required` is tried again as long as the recorder holds the reading. With
//!   `best_effort` the first answer, or its absence, is final; with `none` the reading is done once it is handed over.
//! * Planned silence of an asset's home cell moves its readings' `ready` (see `contact`); nothing else does.
//! * The recorder drops only what waits: what is under way keeps its place.

use std::{collections::HashMap, sync::Arc, time::Duration};

use model::{
    Attempt, FleetId, Identity, Micros, Outcome, Plan,
    envelope::{self, Envelope},
    plan::{self, ReplayOrder},
    schedule::Schedule,
};
use seams::{Batch, Clock, Lane, Outgoing, Progress, Seat};

use crate::{
    asset::{Asset, Link},
    contact::Contact,
    ledger::{Cohort, Record},
    store::Reading,
    timers::{Timer, Timers},
};

/// No asset replays faster, however high its rate: a reading that is refused at once must not come back in the same moment.
const REPLAY_GAP_MIN: Duration = Duration::from_micros(100);

/// A timer may be this late without slowing the replay: several times the runtime's tick of a millisecond.
const TIMER_LATE: Duration = Duration::from_millis(10);

pub(crate) struct Fleet {
    pub(crate) plan: plan::Fleet,
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) clock: Clock,
    run: u64,
    pub(crate) lane: Box<dyn Lane>,
    pub(crate) timers: Timers,
    pub(crate) assets: Vec<Asset>,
    pub(crate) cohorts: Vec<Cohort>,
    /// One per cohort.
    pub(crate) contacts: Vec<Contact>,
    pub(crate) flights: HashMap<u64, Flight>,
    next_ticket: u64,
    /// Readings to hand to the lane, and their payloads.
    pub(crate) batch: Vec<Outgoing>,
    arena: Vec<u8>,
    /// Assets to connect.
    pub(crate) seats: Vec<Seat>,
    /// Time between two replayed readings of an asset; None: never.
    pub(crate) replay_gap: Option<Duration>,
    stopped: bool,
}

/// An attempt without an answer.
pub(crate) struct Flight {
    pub(crate) asset: u32,
    pub(crate) reading: Reading,
    /// Taken by the lane.
    pub(crate) handed: bool,
    /// Its asset was online and had nothing else to do when it was generated.
    idle: bool,
}

impl Fleet {
    pub(crate) fn new(
        name: &FleetId,
        whole: &Plan,
        schedule: Arc<Schedule>,
        clock: Clock,
        run: u64,
        lane: Box<dyn Lane>,
    ) -> Self {
        let plan = &whole.fleets[name];
        let contacts =
            plan.home.keys().map(|home| Contact::of(whole, plan.cells.get(home))).collect();
        let nominal: f64 =
            plan.streams.iter().map(|stream| 1.0 / stream.every.as_secs_f64().max(1e-6)).sum();
        let replay_gap = Duration::try_from_secs_f64(1.0 / (plan.recorder.rate * nominal))
            .ok()
            .map(|gap| gap.max(REPLAY_GAP_MIN));
        let cohorts = plan.home.keys().map(|home| {
            let others =
                plan.failover.get(home).into_iter().flatten().filter(|region| *region != home);
            Cohort::new(name.clone(), std::iter::once(home).chain(others).cloned().collect())
        });
        let cohorts = cohorts.collect();
        let of_home = plan
            .home
            .values()
            .zip(0..)
            .flat_map(|(count, cohort)| std::iter::repeat_n(cohort, *count as usize));
        let assets = of_home.map(|cohort| Asset { cohort, ..Asset::default() }).collect();
        Self {
            plan: plan.clone(),
            schedule,
            clock,
            run,
            lane,
            timers: Timers::default(),
            assets,
            cohorts,
            contacts,
            flights: HashMap::new(),
            next_ticket: 0,
            batch: Vec::new(),
            arena: Vec::new(),
            seats: Vec::new(),
            replay_gap,
            stopped: false,
        }
    }

    /// Sets the first timers: every series, and every asset's way to its home, spread as the backoff spreads first tries.
    pub(crate) fn begin(&mut self, now: Micros) {
        self.watch_contacts();
        for asset in 0..self.assets.len() as u32 {
            let cohort = usize::from(self.assets[asset as usize].cohort);
            if self.contacts[cohort].holds(now.max(Micros::ZERO)) {
                self.connect_later(asset, now);
            }
            for stream in 0..self.plan.streams.len() as u16 {
                self.generate_later(asset, stream, 0);
            }
        }
    }

    /// Nothing new is generated from now on.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    /// When there is something to do by itself.
    pub(crate) fn next(&mut self, now: Micros) -> Option<Micros> {
        // What the lane did not take is offered again soon.
        let held = (!self.batch.is_empty()).then_some(now + Duration::from_millis(1));
        [self.timers.next(), held].into_iter().flatten().min()
    }

    /// Everything that is due.
    pub(crate) fn advance(&mut self, now: Micros, record: &mut Record) {
        while let Some((at, timer)) = self.timers.pop(now) {
            match timer {
                Timer::Generate { asset, stream, seq } => {
                    self.generate(asset, stream, seq, at, now, record)
                }
                Timer::Deadline { ticket } => self.overdue(ticket, now, record),
                Timer::Connect { asset, epoch } => self.connect(asset, epoch, now),
                Timer::Patience { asset, epoch } => self.out_of_patience(asset, epoch, now, record),
                Timer::Failback { asset, epoch } => self.go_home(asset, epoch, now, record),
                Timer::Acquired { cohort } => self.signal_acquired(cohort, at),
                Timer::Lost { cohort } => self.signal_lost(cohort, record),
                Timer::Replay { asset, epoch } => {
                    let state = &mut self.assets[asset as usize];
                    if state.epoch == epoch {
                        state.replay_set = false;
                        self.pump(asset, now);
                    }
                }
            }
        }
    }

    /// Hands over what is ready to go.
    pub(crate) fn flush(&mut self, now: Micros, record: &mut Record) {
        if !self.seats.is_empty() {
            self.lane.connect(&self.seats);
            self.seats.clear();
        }
        if self.batch.is_empty() {
            return;
        }
        let taken = self.lane.submit(Batch { readings: &self.batch, arena: &self.arena });
        if taken == 0 {
            return;
        }
        let sent = self.clock.now();
        let deadline = sent.max(now) + self.plan.connection.request_timeout;
        for outgoing in self.batch.drain(..taken) {
            let Some(flight) = self.flights.get_mut(&outgoing.ticket) else { continue };
            flight.handed = true;
            flight.reading.attempts.push(Attempt { sent });
            if flight.idle && flight.reading.attempts.len() == 1 {
                record.late(sent.since(flight.reading.ready));
            }
            self.timers.set(deadline, Timer::Deadline { ticket: outgoing.ticket });
        }
        self.compact();
    }

    /// Keeps the payloads of what is still to be handed over.
    fn compact(&mut self) {
        let old = std::mem::take(&mut self.arena);
        for outgoing in &mut self.batch {
            let (start, length) = (outgoing.start as usize, outgoing.length as usize);
            outgoing.start = self.arena.len() as u32;
            self.arena.extend(&old[start..start + length]);
        }
        if self.batch.is_empty() {
            self.arena = old;
            self.arena.clear();
        }
    }

    /// What the lane says.
    pub(crate) fn heard(&mut self, progress: Progress, now: Micros, record: &mut Record) {
        match progress {
            Progress::Up { asset, .. } => self.up(asset - self.plan.first, now),
            Progress::Down { asset, .. } => self.down(asset - self.plan.first, now, record),
            Progress::Sent { ticket, at } => self.sent(ticket, at, now, record),
            Progress::Done { ticket, outcome, at, by, position } => {
                let Some(flight) = self.land(ticket) else { return };
                let asset = flight.asset;
                match outcome {
                    Outcome::Acked => self.acked(flight, at, by, position, record),
                    Outcome::Refused | Outcome::Unknown => {
                        self.in_vain(flight, outcome, record);
                        self.failed(asset, now, record);
                    }
                }
                self.pump(asset, now);
                self.leave_if_answered(asset, now, record);
            }
        }
    }

    fn generate_later(&mut self, asset: u32, stream: u16, seq: u64) {
        let series = self
            .schedule
            .series(self.plan.first + asset, stream)
            .expect("the asset and the stream are of this plan");
        let at = series.at(seq);
        if at < self.schedule.stop() {
            self.timers.set(at, Timer::Generate { asset, stream, seq });
        }
    }

    fn generate(
        &mut self,
        asset: u32,
        stream: u16,
        seq: u64,
        generated: Micros,
        now: Micros,
        record: &mut Record,
    ) {
        if self.stopped {
            return;
        }
        self.generate_later(asset, stream, seq + 1);
        let series = self
            .schedule
            .series(self.plan.first + asset, stream)
            .expect("the asset and the stream are of this plan");
        let bytes = series.payload(seq);
        let ready = self.contacts[usize::from(self.assets[asset as usize].cohort)].from(generated);
        let attempts = Vec::new();
        let reading = Reading {
            stream,
            seq,
            generated,
            ready,
            bytes,
            attempts,
            stored: false,
            unsure: false,
            refused: false,
            cut: false,
        };
        record.generated += 1;
        record.undecided += 1;
        let state = &mut self.assets[asset as usize];
        let cohort = &mut self.cohorts[usize::from(state.cohort)];
        cohort.generated += 1;
        cohort.backlog += 1;
        let (gone, admitted) = state.store.admit(bytes, &self.plan.recorder);
        for oldest in gone {
            self.drop_reading(asset, oldest, record);
        }
        if !admitted {
            return self.drop_reading(asset, reading, record);
        }
        let room = self.has_room(asset);
        let state = &mut self.assets[asset as usize];
        let behind =
            self.plan.recorder.order == ReplayOrder::OldestFirst && state.store.has_stored();
        let offline = state.link != Link::Online && state.acquired.is_none();
        if offline || behind || ready > generated {
            state.store.push_stored(reading);
        } else if state.link == Link::Online && room && !state.store.has_live() {
            let idle = state.tickets.is_empty();
            self.send(asset, reading, idle);
        } else {
            state.store.push_live(reading);
        }
        self.pump(asset, now);
    }

    fn has_room(&self, asset: u32) -> bool {
        self.assets[asset as usize].tickets.len()
            < usize::from(self.plan.connection.max_inflight.max(1))
    }

    /// Sends what may go.
    pub(crate) fn pump(&mut self, asset: u32, now: Micros) {
        loop {
            let room = self.has_room(asset);
            let state = &mut self.assets[asset as usize];
            if state.link != Link::Online || !room {
                return;
            }
            let idle = state.tickets.is_empty();
            if let Some(reading) = state.store.pop_live() {
                self.send(asset, reading, idle);
                continue;
            }
            let Some(gap) = self.replay_gap.filter(|_| state.store.has_stored()) else {
                state.replay_lag = Duration::ZERO;
                return;
            };
            if now < state.replay_at {
                if !std::mem::replace(&mut state.replay_set, true) {
                    self.timers.set(state.replay_at, Timer::Replay { asset, epoch: state.epoch });
                }
                return;
            }
            // The pace is kept over a late timer, but a time without anything to replay is not made up for. What the first connection
            // after a silence took is, and so is the time of the live ones that went first after it.
            let late = now.since(state.replay_at);
            let kept = late < gap.max(TIMER_LATE) || !state.replay_lag.is_zero();
            if late < gap {
                state.replay_lag = Duration::ZERO;
            }
            state.replay_at = if kept { state.replay_at } else { now } + gap;
            let mut reading =
                state.store.pop_stored(self.plan.recorder.order).expect("it has something stored");
            reading.stored = self.plan.recorder.mark_stored;
            reading.cut = false;
            // Others of its silence may have been dropped: then its turn comes earlier.
            reading.ready = reading.ready.min(now);
            self.send(asset, reading, false);
        }
    }

    fn send(&mut self, asset: u32, reading: Reading, idle: bool) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let id = self.plan.first + asset;
        let identity = Identity { asset: id, stream: reading.stream, boot: 1, seq: reading.seq };
        let attempt = u16::try_from(reading.attempts.len() + 1).unwrap_or(u16::MAX);
        let Reading { generated, stored, bytes, .. } = reading;
        let envelope = Envelope {
            run: self.run,
            identity,
            attempt,
            stored,
            generated,
            device_time: generated,
        };
        let start = self.arena.len();
        envelope.write(bytes as usize - envelope::LENGTH, &mut self.arena);
        let length = (self.arena.len() - start) as u32;
        self.batch.push(Outgoing { ticket, identity, attempt, start: start as u32, length });
        self.assets[asset as usize].tickets.push(ticket);
        self.flights.insert(ticket, Flight { asset, reading, handed: false, idle });
    }
}

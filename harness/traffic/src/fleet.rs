//! A range of a fleet's assets and of the connections that carry them: generates by the schedule, sends through its lane, owns every deadline and retry.
//!
//! * A reading generated while its asset is online waits for a free place only and goes out as live; one recorded without a
//!   connection, or tried in vain, is replayed: paced per asset at `rate` times the nominal rate of its streams, beside the live ones.
//!   With `OldestFirst` a reading generated behind a backlog waits at the end of it, and its wait counts.
//! * A refused or unknown attempt of a stream with `ack: required` is tried again as long as the recorder holds the reading. With
//!   `best_effort` the first answer, or its absence, is final; with `none` the reading is done once it is handed over.
//! * Planned silence of an asset's home cell moves its readings' `ready` (see `silence`); nothing else does, no fault either (see
//!   `orders`).
//! * The recorder drops only what waits: what is under way keeps its place.

use std::{collections::VecDeque, ops::Range, sync::Arc, time::Duration};

use model::{
    FleetState, Identity, Micros, Plan,
    plan::{self, ReplayOrder},
    schedule::Schedule,
};
use seams::{Clock, ConnId, Lane};

use crate::{
    asset::Asset,
    carrier::Carrier,
    connection::{Effects, Event, Rules, State, Wake},
    contact::Contact,
    in_flight::{Flight, InFlight},
    outbox::Outbox,
    prepared::Prepared,
    recorder::Reading,
    recording::{HomeGroup, Record},
    timers::{Timer, Timers},
};

/// No asset replays faster, however high its rate: a reading that is refused at once must not come back in the same moment.
const REPLAY_GAP_MIN: Duration = Duration::from_micros(100);

pub(crate) struct Fleet {
    pub(crate) plan: plan::Fleet,
    /// Of the range: asset `n` here has the id `first + n`.
    pub(crate) first: u32,
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) clock: Clock,
    pub(crate) run: u64,
    pub(crate) lane: Box<dyn Lane>,
    pub(crate) timers: Timers,
    pub(crate) assets: Vec<Asset>,
    /// By the number of their connection in the lane; in order of assets, and so of cohorts.
    pub(crate) carriers: Vec<Carrier>,
    pub(crate) cohorts: Vec<HomeGroup>,
    /// One per cohort.
    pub(crate) contacts: Vec<Contact>,
    /// What the wanted world asks of them. One per cohort.
    pub(crate) states: Vec<FleetState>,
    pub(crate) in_flight: InFlight,
    pub(crate) outbox: Outbox,
    /// Time between two replayed readings of an asset; None: never.
    pub(crate) replay_gap: Option<Duration>,
    /// Assets of connections that have come up, which hold something and have not looked yet what they may send.
    woken: VecDeque<u32>,
    /// When the next of them look.
    wake_at: Micros,
    stopped: bool,
}

/// How many assets look at a time what they may send: what is due meanwhile comes between them.
const WOKEN_PART: usize = 512;

impl Fleet {
    pub(crate) fn new(
        prepared: Prepared,
        whole: &Plan,
        schedule: Arc<Schedule>,
        clock: Clock,
        run: u64,
        lane: Box<dyn Lane>,
    ) -> Self {
        let Prepared { name, first, assets, carriers, timers } = prepared;
        let plan = &whole.fleets[&name];
        let replay_gap =
            Duration::try_from_secs_f64(1.0 / (plan.recorder.rate * plan.nominal_per_s()))
                .ok()
                .map(|gap| gap.max(REPLAY_GAP_MIN));
        let cohorts = plan.home.keys().map(|home| {
            let others =
                plan.failover.get(home).into_iter().flatten().filter(|region| *region != home);
            HomeGroup::new(name.clone(), std::iter::once(home).chain(others).cloned().collect())
        });
        Self {
            plan: plan.clone(),
            first,
            schedule,
            clock,
            run,
            lane,
            timers,
            assets,
            carriers,
            states: vec![FleetState::default(); plan.home.len()],
            cohorts: cohorts.collect(),
            contacts: Contact::of_homes(whole, plan),
            in_flight: InFlight::default(),
            outbox: Outbox::default(),
            replay_gap,
            woken: VecDeque::new(),
            wake_at: Micros::ZERO,
            stopped: false,
        }
    }

    /// Every connection sets out for its home, spread as the backoff spreads first tries.
    pub(crate) fn begin(&mut self, now: Micros, record: &mut Record) {
        for conn in 0..self.carriers.len() as u32 {
            let cohort = usize::from(self.carriers[conn as usize].cohort);
            let online = self.states[cohort] == FleetState::Online;
            if online && self.contacts[cohort].holds(now.max(Micros::ZERO)) {
                self.happens(conn, Event::Begins, now, record);
            }
        }
    }

    /// Nothing new is generated from now on.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    /// When there is something to do by itself.
    pub(crate) fn next(&mut self) -> Option<Micros> {
        let timer = self.timers.next().map(|(at, _)| at);
        let deadline = self.in_flight.next_deadline().map(|(at, _)| at);
        let woken = (!self.woken.is_empty()).then_some(self.wake_at);
        [timer, deadline, self.outbox.next(), woken].into_iter().flatten().min()
    }

    /// Everything that is due, in order: deadlines have their place among timers.
    pub(crate) fn advance(&mut self, now: Micros, record: &mut Record) {
        loop {
            let timer = self.timers.next().filter(|(at, _)| *at <= now);
            let deadline = self.in_flight.next_deadline().filter(|(at, _)| *at <= now);
            match (timer, deadline) {
                (None, None) => return self.wake_some(now),
                (timer, Some(deadline)) if timer.is_none_or(|timer| deadline < timer) => {
                    if let Some(ticket) = self.in_flight.pop_deadline() {
                        self.overdue(ticket, now, record);
                    }
                }
                _ => {
                    if let Some((at, timer)) = self.timers.pop(now) {
                        self.runs_out(timer, at, now, record);
                    }
                }
            }
        }
    }

    /// Some of the assets of connections that have come up look what they may send.
    fn wake_some(&mut self, now: Micros) {
        for _ in 0..WOKEN_PART {
            let Some(asset) = self.woken.pop_front() else { return };
            self.pump(asset, now);
        }
        self.wake_at = now;
    }

    /// The loop was not there for so long: nobody's patience runs out in a time in which no answer was read.
    pub(crate) fn wait_longer(&mut self, by: Duration) {
        self.in_flight.wait_longer(by);
        let waits = |timer: &Timer| match timer {
            Timer::Connection { why, .. } => *why == Wake::OutOfPatience,
            Timer::Generate { .. }
            | Timer::Replay { .. }
            | Timer::Acquired { .. }
            | Timer::Lost { .. } => false,
        };
        self.timers.postpone(by, waits);
    }

    fn runs_out(&mut self, timer: Timer, at: Micros, now: Micros, record: &mut Record) {
        match timer {
            Timer::Generate { asset, stream, seq } => {
                self.generate(asset, stream, seq, at, now, record);
            }
            Timer::Acquired { cohort } => self.signal_acquired(cohort, at, record),
            Timer::Lost { cohort } => self.signal_lost(cohort, at, record),
            Timer::Connection { conn, epoch, why } => {
                if self.carriers[conn as usize].connection.epoch != epoch {
                    return;
                }
                let event = match why {
                    Wake::Due => Event::Due,
                    Wake::OutOfPatience => Event::OutOfPatience,
                    Wake::GoesHome => Event::GoesHome,
                };
                self.happens(conn, event, now, record);
                self.leave_if_answered(conn, now, record);
            }
            Timer::Replay { asset, epoch } => {
                if self.carrier_of(asset).connection.epoch == epoch {
                    self.assets[asset as usize].recorder.timer_ran_out();
                    self.pump(asset, now);
                }
            }
        }
    }

    /// Tells a connection what happens to it, and does what follows.
    pub(crate) fn happens(&mut self, conn: u32, event: Event, now: Micros, record: &mut Record) {
        let carrier = &mut self.carriers[conn as usize];
        let cohort = &mut self.cohorts[usize::from(carrier.cohort)];
        let named = self.first + carrier.assets.start;
        let draws = self.schedule.asset(named).expect("the asset is of this plan");
        let places = cohort.regions.len() as u16;
        let rules = Rules { plan: &self.plan.connection, places, draws };
        let then = carrier.connection.step(event, now, &rules);
        let Effects { trouble, hang_up, ask, wake, up } = then;
        let epoch = carrier.connection.epoch;
        let carried = carrier.assets.clone();
        if trouble {
            carrier.up.troubles = carrier.up.troubles.wrapping_add(1);
        }
        if let Some(hang_up) = hang_up {
            self.outbox.forget(ConnId(conn));
            if let Some(how) = hang_up.how {
                self.lane.disconnect(ConnId(conn), how);
            }
            if hang_up.stood {
                cohort.connected -= carried.len() as u64;
            }
            self.recall(conn, hang_up.cut, record);
        }
        if let Some(before) = ask {
            self.outbox.ask(conn, epoch, before);
        }
        if let Some((at, why)) = wake {
            self.timers.set(at, Timer::Connection { conn, epoch, why });
        }
        if let Some(since) = up {
            self.stands(conn, carried, since, now);
        }
    }

    /// A connection has come up.
    fn stands(&mut self, conn: u32, carried: Range<u32>, since: Micros, now: Micros) {
        let Carrier { up, cohort, .. } = &mut self.carriers[conn as usize];
        up.since = since;
        self.cohorts[usize::from(*cohort)].connected += carried.len() as u64;
        if self.woken.is_empty() {
            self.wake_at = now;
        }
        for asset in carried {
            if self.assets[asset as usize].recorder.connected(up, now) {
                self.woken.push_back(asset);
            }
        }
        self.wake_some(now);
    }

    /// A connection that is leaving goes when everything under way is answered.
    pub(crate) fn leave_if_answered(&mut self, conn: u32, now: Micros, record: &mut Record) {
        let Carrier { connection, under_way, .. } = &self.carriers[conn as usize];
        if connection.state == State::Leaving && *under_way == 0 {
            self.happens(conn, Event::AllAnswered, now, record);
        }
    }

    pub(crate) fn identity(&self, asset: u32, reading: &Reading) -> Identity {
        self.schedule.identity(self.first + asset, reading.stream, reading.seq)
    }

    pub(crate) fn conn_of(&self, asset: u32) -> u32 {
        self.assets[asset as usize].conn
    }

    fn carrier_of(&self, asset: u32) -> &Carrier {
        &self.carriers[self.conn_of(asset) as usize]
    }

    pub(crate) fn cohort_mut(&mut self, asset: u32) -> &mut HomeGroup {
        let cohort = self.carrier_of(asset).cohort;
        &mut self.cohorts[usize::from(cohort)]
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
        let series = self
            .schedule
            .series(self.first + asset, stream)
            .expect("the asset and the stream are of this plan");
        self.timers.generate_later(&series, asset, stream, seq + 1);
        let bytes = series.payload(seq);
        let ready = self.contacts[usize::from(self.carrier_of(asset).cohort)].from(generated);
        let reading = Reading::new(stream, seq, generated, ready, bytes);
        record.generated += 1;
        record.undecided += 1;
        let cohort = self.cohort_mut(asset);
        cohort.generated += 1;
        cohort.backlog += 1;
        let state = &mut self.assets[asset as usize];
        let (gone, admitted) = state.recorder.admit(bytes, &self.plan.recorder);
        for oldest in gone {
            self.drop_reading(asset, oldest, record);
        }
        if !admitted {
            return self.drop_reading(asset, reading, record);
        }
        let room = self.has_room(asset);
        let state = &mut self.assets[asset as usize];
        let connection = &self.carriers[state.conn as usize].connection;
        let behind =
            self.plan.recorder.order == ReplayOrder::OldestFirst && state.recorder.has_stored();
        let online = connection.state == State::Online;
        let offline = !online && connection.acquired.get().is_none();
        if offline || behind || ready > generated {
            state.recorder.push_stored(reading);
        } else if online && room && !state.recorder.has_live() {
            // From here on, what it waits for is an answer, a place or a connection: the platform's.
            let idle = state.under_way.is_empty() && !state.recorder.has_stored();
            self.send(asset, reading, idle);
        } else {
            state.recorder.push_live(reading);
        }
        self.pump(asset, now);
    }

    fn has_room(&self, asset: u32) -> bool {
        self.assets[asset as usize].under_way.len() < self.plan.connection.max_inflight.max(1)
    }

    /// Sends what may go.
    pub(crate) fn pump(&mut self, asset: u32, now: Micros) {
        loop {
            let room = self.has_room(asset);
            let Asset { conn, recorder, .. } = &mut self.assets[asset as usize];
            let Carrier { connection, up, .. } = &self.carriers[*conn as usize];
            if connection.state != State::Online || !room {
                return;
            }
            if let Some(reading) = recorder.pop_live() {
                self.send(asset, reading, false);
                continue;
            }
            let Some(gap) = self.replay_gap.filter(|_| recorder.has_stored()) else {
                recorder.caught_up();
                return;
            };
            let pace = recorder.pace(up);
            if now < pace.at {
                let epoch = connection.epoch;
                if std::mem::replace(&mut pace.timer, epoch) != epoch {
                    self.timers.set(pace.at, Timer::Replay { asset, epoch });
                }
                return;
            }
            pace.take(now, gap, up);
            let order = self.plan.recorder.order;
            let mut reading = recorder.pop_stored(order).expect("it has something stored");
            reading.stored = self.plan.recorder.mark_stored;
            reading.cut = false;
            // Others of its silence may have been dropped: then its turn comes earlier.
            reading.ready = reading.ready.min(now);
            self.send(asset, reading, false);
        }
    }

    fn send(&mut self, asset: u32, reading: Reading, idle: bool) {
        let Asset { conn, under_way, .. } = &mut self.assets[asset as usize];
        self.carriers[*conn as usize].under_way += 1;
        let flight = Flight { asset, reading, handed: false, idle };
        let ticket = self.in_flight.insert(flight, under_way);
        self.outbox.push(ticket);
    }
}

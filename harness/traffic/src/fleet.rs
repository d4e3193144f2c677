//! A range of a fleet's assets: generates by the schedule, sends through its lane, owns every deadline and retry.
//!
//! * A reading generated while its asset is online waits for a free place only and goes out as live; one recorded without a
//!   connection, or tried in vain, is replayed: paced per asset at `rate` times the nominal rate of its streams, beside the live ones.
//!   With `OldestFirst` a reading generated behind a backlog waits at the end of it, and its wait counts.
//! * A refused or unknown attempt of a stream with `ack: required` is tried again as long as the recorder holds the reading. With
//!   `best_effort` the first answer, or its absence, is final; with `none` the reading is done once it is handed over.
//! * Planned silence of an asset's home cell moves its readings' `ready` (see `silence`); nothing else does, no fault either (see
//!   `orders`).
//! * The recorder drops only what waits: what is under way keeps its place.

use std::{ops::Range, sync::Arc, time::Duration};

use model::{
    FleetId, FleetState, Micros, Plan,
    plan::{self, ReplayOrder},
    schedule::Schedule,
};
use seams::{Clock, ConnId, Lane};

use crate::{
    asset::Asset,
    connection::{Effects, Event, Rules, State, Wake},
    contact::Contact,
    in_flight::{Flight, InFlight},
    outbox::Outbox,
    recorder::Reading,
    recording::{HomeGroup, Record},
    timers::{Timer, Timers},
};

/// No asset replays faster, however high its rate: a reading that is refused at once must not come back in the same moment.
const REPLAY_GAP_MIN: Duration = Duration::from_micros(100);

pub(crate) struct Fleet {
    pub(crate) plan: plan::Fleet,
    /// Of the range: asset `n` here has the id `first + n`, and the connection `n` of the lane.
    pub(crate) first: u32,
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) clock: Clock,
    pub(crate) run: u64,
    pub(crate) lane: Box<dyn Lane>,
    pub(crate) timers: Timers,
    pub(crate) assets: Vec<Asset>,
    pub(crate) cohorts: Vec<HomeGroup>,
    /// One per cohort.
    pub(crate) contacts: Vec<Contact>,
    /// What the wanted world asks of them. One per cohort.
    pub(crate) states: Vec<FleetState>,
    pub(crate) in_flight: InFlight,
    pub(crate) outbox: Outbox,
    /// Time between two replayed readings of an asset; None: never.
    pub(crate) replay_gap: Option<Duration>,
    stopped: bool,
}

impl Fleet {
    /// `assets` is a part of the ids of the fleet, or all of them.
    pub(crate) fn new(
        name: &FleetId,
        whole: &Plan,
        assets: Range<u32>,
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
            HomeGroup::new(name.clone(), std::iter::once(home).chain(others).cloned().collect())
        });
        let cohorts = cohorts.collect();
        // Homes own their assets one after the other.
        let of_home = plan
            .home
            .values()
            .zip(0..)
            .flat_map(|(count, cohort)| std::iter::repeat_n(cohort, *count as usize));
        let (before, count) = ((assets.start - plan.first) as usize, assets.len());
        let mine = of_home.skip(before).take(count);
        Self {
            plan: plan.clone(),
            first: assets.start,
            schedule,
            clock,
            run,
            lane,
            timers: Timers::default(),
            assets: mine.map(|cohort| Asset { cohort, ..Asset::default() }).collect(),
            states: vec![FleetState::default(); plan.home.len()],
            cohorts,
            contacts,
            in_flight: InFlight::default(),
            outbox: Outbox::default(),
            replay_gap,
            stopped: false,
        }
    }

    /// Sets the first timers: every series, and every asset's way to its home, spread as the backoff spreads first tries.
    pub(crate) fn begin(&mut self, now: Micros, record: &mut Record) {
        self.watch_contacts();
        for asset in 0..self.assets.len() as u32 {
            let cohort = usize::from(self.assets[asset as usize].cohort);
            let online = self.states[cohort] == FleetState::Online;
            if online && self.contacts[cohort].holds(now.max(Micros::ZERO)) {
                self.happens(asset, Event::Begins, now, record);
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
    pub(crate) fn next(&mut self) -> Option<Micros> {
        let timer = self.timers.next().map(|(at, _)| at);
        let deadline = self.in_flight.next_deadline().map(|(at, _)| at);
        [timer, deadline, self.outbox.next()].into_iter().flatten().min()
    }

    /// Everything that is due, in order: deadlines have their place among timers.
    pub(crate) fn advance(&mut self, now: Micros, record: &mut Record) {
        loop {
            let timer = self.timers.next().filter(|(at, _)| *at <= now);
            let deadline = self.in_flight.next_deadline().filter(|(at, _)| *at <= now);
            match (timer, deadline) {
                (None, None) => return,
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
            Timer::Connection { asset, epoch, why } => {
                if self.assets[asset as usize].connection.epoch != epoch {
                    return;
                }
                let event = match why {
                    Wake::Due => Event::Due,
                    Wake::OutOfPatience => Event::OutOfPatience,
                    Wake::GoesHome => Event::GoesHome,
                };
                self.happens(asset, event, now, record);
                self.leave_if_answered(asset, now, record);
            }
            Timer::Replay { asset, epoch } => {
                let state = &mut self.assets[asset as usize];
                if state.connection.epoch == epoch {
                    state.pace.timer = 0;
                    self.pump(asset, now);
                }
            }
        }
    }

    /// Tells a connection what happens to it, and does what follows.
    pub(crate) fn happens(&mut self, asset: u32, event: Event, now: Micros, record: &mut Record) {
        let draws = self.schedule.asset(self.first + asset).expect("the asset is of this plan");
        let places = self.cohort_of(asset).regions.len() as u16;
        let rules = Rules { plan: &self.plan.connection, places, draws };
        let state = &mut self.assets[asset as usize];
        let Effects { trouble, hang_up, ask, wake, up } = state.connection.step(event, now, &rules);
        let epoch = state.connection.epoch;
        if trouble {
            state.pace.behind = false;
        }
        if let Some(hang_up) = hang_up {
            self.outbox.forget(ConnId(asset));
            if let Some(how) = hang_up.how {
                self.lane.disconnect(ConnId(asset), how);
            }
            self.cohort_mut(asset).connected -= u64::from(hang_up.stood);
            self.recall(asset, hang_up.cut, record);
        }
        if let Some(before) = ask {
            self.outbox.ask(asset, epoch, before);
        }
        if let Some((at, why)) = wake {
            self.timers.set(at, Timer::Connection { asset, epoch, why });
        }
        if let Some(from) = up {
            let pace = &mut self.assets[asset as usize].pace;
            (pace.at, pace.behind) = (from, from < now);
            self.cohort_mut(asset).connected += 1;
            self.pump(asset, now);
        }
    }

    /// One that is leaving goes when everything under way is answered.
    pub(crate) fn leave_if_answered(&mut self, asset: u32, now: Micros, record: &mut Record) {
        let state = &self.assets[asset as usize];
        if state.connection.state == State::Leaving && state.under_way.is_empty() {
            self.happens(asset, Event::AllAnswered, now, record);
        }
    }

    pub(crate) fn cohort_of(&self, asset: u32) -> &HomeGroup {
        &self.cohorts[usize::from(self.assets[asset as usize].cohort)]
    }

    pub(crate) fn cohort_mut(&mut self, asset: u32) -> &mut HomeGroup {
        &mut self.cohorts[usize::from(self.assets[asset as usize].cohort)]
    }

    fn generate_later(&mut self, asset: u32, stream: u16, seq: u64) {
        let series = self
            .schedule
            .series(self.first + asset, stream)
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
            .series(self.first + asset, stream)
            .expect("the asset and the stream are of this plan");
        let bytes = series.payload(seq);
        let ready = self.contacts[usize::from(self.assets[asset as usize].cohort)].from(generated);
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
        let behind =
            self.plan.recorder.order == ReplayOrder::OldestFirst && state.recorder.has_stored();
        let online = state.connection.state == State::Online;
        let offline = !online && state.connection.acquired.get().is_none();
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
        self.assets[asset as usize].under_way.len()
            < usize::from(self.plan.connection.max_inflight.max(1))
    }

    /// Sends what may go.
    pub(crate) fn pump(&mut self, asset: u32, now: Micros) {
        loop {
            let room = self.has_room(asset);
            let state = &mut self.assets[asset as usize];
            if state.connection.state != State::Online || !room {
                return;
            }
            if let Some(reading) = state.recorder.pop_live() {
                self.send(asset, reading, false);
                continue;
            }
            let Some(gap) = self.replay_gap.filter(|_| state.recorder.has_stored()) else {
                state.pace.behind = false;
                return;
            };
            if now < state.pace.at {
                let epoch = state.connection.epoch;
                if std::mem::replace(&mut state.pace.timer, epoch) != epoch {
                    self.timers.set(state.pace.at, Timer::Replay { asset, epoch });
                }
                return;
            }
            state.pace.take(now, gap);
            let order = self.plan.recorder.order;
            let mut reading = state.recorder.pop_stored(order).expect("it has something stored");
            reading.stored = self.plan.recorder.mark_stored;
            reading.cut = false;
            // Others of its silence may have been dropped: then its turn comes earlier.
            reading.ready = reading.ready.min(now);
            self.send(asset, reading, false);
        }
    }

    fn send(&mut self, asset: u32, reading: Reading, idle: bool) {
        let ticket = self.in_flight.insert(Flight { asset, reading, handed: false, idle });
        self.assets[asset as usize].under_way.push(ticket);
        self.outbox.push(ticket);
    }
}

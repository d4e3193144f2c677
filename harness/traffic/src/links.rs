//! How assets come, go and move between regions.

use std::time::Duration;

use model::{
    Micros,
    schedule::{self, Draws, Purpose},
};
use seams::{Leave, Origin, Seat};

use crate::{asset::Link, fleet::Fleet, ledger::Record, timers::Timer};

impl Fleet {
    /// Tries again after the backoff of the tries so far.
    pub(crate) fn connect_later(&mut self, asset: u32, now: Micros) {
        let draws = self.draws(asset);
        let state = &mut self.assets[asset as usize];
        let wait =
            schedule::backoff(&self.plan.connection.backoff, state.tries, draws, state.draws);
        state.tries = state.tries.saturating_add(1);
        state.draws += 1;
        state.turn(Link::Off);
        self.timers.set(now + wait, Timer::Connect { asset, epoch: state.epoch });
    }

    pub(crate) fn connect(&mut self, asset: u32, epoch: u32, now: Micros) {
        let id = self.plan.first + asset;
        let state = &mut self.assets[asset as usize];
        if state.epoch != epoch {
            return;
        }
        state.turn(Link::Connecting);
        let regions = &self.cohorts[usize::from(state.cohort)].regions;
        let region = regions[state.place % regions.len()].clone();
        let (end, host) = self.plan.cell_of(id).expect("plan gives every home of a fleet a cell");
        self.seats.push(Seat { asset: id, from: Origin { end, host }, region });
        self.timers.set(
            now + self.plan.connection.connect_timeout,
            Timer::Patience { asset, epoch: state.epoch },
        );
    }

    pub(crate) fn up(&mut self, asset: u32, now: Micros) {
        let draws = self.draws(asset);
        let state = &mut self.assets[asset as usize];
        if state.link != Link::Connecting {
            return;
        }
        state.turn(Link::Online);
        state.tries = 0;
        // What the first try after a silence took is made up for: the replay's pace is counted from the acquisition of signal.
        state.replay_at = state.acquired.take().unwrap_or(now);
        state.replay_lag = now.since(state.replay_at);
        self.cohorts[usize::from(state.cohort)].connected += 1;
        if let Some(failback) = self.plan.connection.failback.filter(|_| state.place != 0) {
            let spread = failback.jitter.mul_f64(draws.unit(Purpose::Failback, state.draws));
            state.draws += 1;
            self.timers
                .set(now + failback.after + spread, Timer::Failback { asset, epoch: state.epoch });
        }
        self.pump(asset, now);
    }

    /// The lane says so: a try failed, or the connection is gone.
    pub(crate) fn down(&mut self, asset: u32, now: Micros, record: &mut Record) {
        let state = &self.assets[asset as usize];
        if state.link == Link::Off {
            return;
        }
        self.unplug(asset, false, record);
        self.connect_later(asset, now);
        self.failed(asset, now, record);
    }

    pub(crate) fn out_of_patience(
        &mut self,
        asset: u32,
        epoch: u32,
        now: Micros,
        record: &mut Record,
    ) {
        if self.assets[asset as usize].epoch == epoch {
            self.disconnect(asset, Leave::Close, record);
            self.connect_later(asset, now);
            self.failed(asset, now, record);
        }
    }

    /// One more failure in a row; after `attempts` of them the asset moves on along its list.
    pub(crate) fn failed(&mut self, asset: u32, now: Micros, record: &mut Record) {
        let state = &mut self.assets[asset as usize];
        state.troubled = true;
        // The replay makes up for what a silence cost, not for trouble of the platform.
        state.replay_lag = Duration::ZERO;
        if state.failed_at.replace(now) == Some(now) {
            return;
        }
        state.failures += 1;
        if state.failures < self.plan.connection.attempts.max(1) {
            return;
        }
        state.failures = 0;
        state.place = (state.place + 1) % self.cohorts[usize::from(state.cohort)].regions.len();
        if state.link != Link::Off {
            self.disconnect(asset, Leave::Close, record);
            self.connect_later(asset, now);
        }
    }

    /// It has been away long enough. One failure at home sends it on again.
    pub(crate) fn go_home(&mut self, asset: u32, epoch: u32, now: Micros, record: &mut Record) {
        let state = &mut self.assets[asset as usize];
        if state.epoch == epoch {
            state.turn(Link::Leaving);
            self.leave_if_answered(asset, now, record);
        }
    }

    pub(crate) fn leave_if_answered(&mut self, asset: u32, now: Micros, record: &mut Record) {
        let state = &mut self.assets[asset as usize];
        if state.link != Link::Leaving || !state.tickets.is_empty() {
            return;
        }
        state.place = 0;
        state.failures = self.plan.connection.attempts.saturating_sub(1);
        self.disconnect(asset, Leave::Close, record);
        let state = &mut self.assets[asset as usize];
        state.turn(Link::Off);
        self.timers.set(now, Timer::Connect { asset, epoch: state.epoch });
    }

    /// The fleet's own decision. The caller says what comes next.
    pub(crate) fn disconnect(&mut self, asset: u32, how: Leave, record: &mut Record) {
        if self.assets[asset as usize].link != Link::Off {
            let id = self.plan.first + asset;
            self.seats.retain(|seat| seat.asset != id);
            self.lane.disconnect(id, how);
            // An asset that saw the platform fail, and no answer since, cannot say what kept its readings.
            let cut = how == Leave::Silent && !self.assets[asset as usize].troubled;
            self.unplug(asset, cut, record);
        }
    }

    fn unplug(&mut self, asset: u32, cut: bool, record: &mut Record) {
        let state = &mut self.assets[asset as usize];
        if state.connected() {
            self.cohorts[usize::from(state.cohort)].connected -= 1;
        }
        state.turn(Link::Off);
        state.acquired = None;
        self.recall(asset, cut, record);
    }

    fn draws(&self, asset: u32) -> Draws {
        self.schedule.asset(self.plan.first + asset).expect("the asset is of this plan")
    }
}

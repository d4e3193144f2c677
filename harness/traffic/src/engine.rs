//! The one loop: timers, lanes, seconds. It runs on whatever current-thread runtime it is given, paused or not.

use std::{future::poll_fn, task::Poll, time::Duration};

use model::Micros;
use seams::{Clock, Drained, Progress};
use tokio::sync::{mpsc, oneshot};

use crate::{fleet::Fleet, ledger::Record};

/// Asks for the end. The answer comes when everything is written.
#[derive(Debug)]
pub(crate) struct Drain {
    pub(crate) latest: Micros,
    pub(crate) answer: oneshot::Sender<Drained>,
}

pub(crate) struct Engine {
    pub(crate) clock: Clock,
    pub(crate) fleets: Vec<Fleet>,
    pub(crate) record: Record,
}

const SECOND: Duration = Duration::from_secs(1);

impl Engine {
    /// Runs until it has drained. Without anybody left who could ask for that, it ends at once.
    pub(crate) async fn run(mut self, mut asks: mpsc::UnboundedReceiver<Drain>) {
        let began = self.clock.now();
        self.fleets.iter_mut().for_each(|fleet| fleet.begin(began, &mut self.record));
        let mut inboxes: Vec<Vec<Progress>> = self.fleets.iter().map(|_| Vec::new()).collect();
        let mut second = began.max(Micros::ZERO);
        let mut generated_until = None;
        let mut drain: Option<Drain> = None;
        let mut alone = false;
        loop {
            let now = self.clock.now();
            for fleet in &mut self.fleets {
                fleet.advance(now, &mut self.record);
                fleet.flush(now, &mut self.record);
            }
            if now >= second + SECOND {
                let until = generated_until.unwrap_or(now);
                self.record.cut(
                    second,
                    until,
                    self.fleets.iter_mut().flat_map(|fleet| &mut fleet.cohorts),
                );
                second = now;
            }
            if (drain.is_some() || alone) && generated_until.is_none() {
                self.fleets.iter_mut().for_each(Fleet::stop);
                generated_until = Some(now);
            }
            let over =
                drain.as_ref().is_some_and(|drain| self.is_decided(now) || now >= drain.latest);
            if over || alone {
                self.end(now, second, generated_until.unwrap_or(now), drain);
                return;
            }
            let wake = self.fleets.iter_mut().filter_map(Fleet::next).chain([second + SECOND]);
            let wake = wake
                .chain(drain.as_ref().map(|drain| drain.latest))
                .min()
                .expect("there is always a next second");
            tokio::select! {
                biased;
                ask = asks.recv(), if drain.is_none() => match ask {
                    Some(ask) => drain = Some(ask),
                    None => alone = true,
                },
                () = heard(&mut self.fleets, &mut inboxes) => {
                    let now = self.clock.now();
                    for (fleet, inbox) in self.fleets.iter_mut().zip(&mut inboxes) {
                        inbox.drain(..).for_each(|progress| fleet.heard(progress, now, &mut self.record));
                    }
                }
                () = self.clock.until(wake) => {}
            }
        }
    }

    /// Nothing is left that could still get an outcome.
    fn is_decided(&self, now: Micros) -> bool {
        self.record.undecided <= self.fleets.iter().map(|fleet| fleet.out_of_reach(now)).sum()
    }

    fn end(mut self, now: Micros, second: Micros, generated_until: Micros, drain: Option<Drain>) {
        let complete = self.record.undecided == 0;
        self.fleets.iter_mut().for_each(|fleet| fleet.end(now, &mut self.record));
        self.record.cut(
            second,
            generated_until,
            self.fleets.iter_mut().flat_map(|fleet| &mut fleet.cohorts),
        );
        let lag = &self.record.lag;
        let drained = Drained {
            complete,
            generated: self.record.generated,
            acked: self.record.acked,
            schedule_lag_p50_us: lag.value_at_quantile(0.5),
            schedule_lag_p99_us: lag.value_at_quantile(0.99),
            schedule_lag_max_us: lag.max(),
            trouble: self.record.trouble(),
        };
        if let Some(drain) = drain {
            // Nobody may be waiting any more; everything is written all the same.
            let _nobody_waits = drain.answer.send(drained);
        }
    }
}

/// Waits until some lane has something to say.
async fn heard(fleets: &mut [Fleet], inboxes: &mut [Vec<Progress>]) {
    poll_fn(|cx| {
        let mut any = false;
        for (fleet, inbox) in fleets.iter_mut().zip(inboxes.iter_mut()) {
            any |= fleet.lane.poll(cx, inbox).is_ready();
        }
        if any { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

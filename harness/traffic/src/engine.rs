//! The one loop: timers, lanes, seconds. It runs on whatever current-thread runtime it is given, paused or not.

use std::{future::poll_fn, task::Poll, time::Duration};

use model::{LabEvent, Micros, Stamped};
use rustix::time::{ClockId, clock_gettime};
use seams::{Clock, Progress, Pulse, Sent, Wanted};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::yield_now,
};

use crate::{fleet::Fleet, recording::Record, thread::Thread};

/// Asks for the end. The answer comes when everything is written.
#[derive(Debug)]
pub(crate) struct Drain {
    pub(crate) latest: Micros,
    pub(crate) answer: oneshot::Sender<Sent>,
}

pub(crate) struct Engine {
    pub(crate) clock: Clock,
    pub(crate) fleets: Vec<Fleet>,
    pub(crate) record: Record,
    pub(crate) want: watch::Receiver<Wanted>,
    pub(crate) seen: mpsc::UnboundedSender<Stamped>,
    pub(crate) pulse: Pulse,
    pub(crate) thread: Thread,
}

/// Why the loop came round.
enum Woken {
    Asked,
    Wanted,
    Said,
    Due,
}

const SECOND: Duration = Duration::from_secs(1);

/// What a lane said. A lane that loses everybody says so of all connections at once: it is heard in parts, and what is due meanwhile
/// comes between them.
#[derive(Debug, Default)]
struct Inbox {
    said: Vec<Progress>,
    /// How much of it was taken.
    taken: usize,
}

impl Inbox {
    const PART: usize = 512;

    fn has_more(&self) -> bool {
        self.taken < self.said.len()
    }

    /// Where a lane says more.
    fn room(&mut self) -> &mut Vec<Progress> {
        if !self.has_more() {
            self.said.clear();
            self.taken = 0;
        }
        &mut self.said
    }

    /// The next part.
    fn take(&mut self) -> impl Iterator<Item = Progress> {
        let from = self.taken;
        self.taken = self.said.len().min(from + Self::PART);
        self.said[from..self.taken].iter().copied()
    }
}

impl Engine {
    /// Runs until it has drained. Without anybody left who could ask for that, it ends at once.
    pub(crate) async fn run(mut self, mut asks: mpsc::UnboundedReceiver<Drain>) {
        let (began, spent) = (self.clock.now(), thread_cpu());
        self.obey(began);
        self.fleets.iter_mut().for_each(|fleet| fleet.begin(began, &mut self.record));
        let mut inboxes: Vec<Inbox> = self.fleets.iter().map(|_| Inbox::default()).collect();
        let mut second = began.max(Micros::ZERO);
        let mut generated_until = None;
        let mut drain: Option<Drain> = None;
        let mut alone = false;
        // Since when somebody has waited for this turn of the loop.
        let mut owed = began;
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
            let listens = self.clock.now();
            self.at_work(listens, now);
            // Before the origin nothing is due.
            self.record.loop_late(listens.since(owed.max(Micros::ZERO)));
            let over =
                drain.as_ref().is_some_and(|drain| self.is_decided(now) || now >= drain.latest);
            if over || alone {
                self.end(now, second, generated_until.unwrap_or(now), drain, spent);
                return;
            }
            let bounds = [second + SECOND, self.pulse.next()];
            let bounds = bounds.into_iter().chain(drain.as_ref().map(|drain| drain.latest));
            let wake = self.fleets.iter_mut().filter_map(Fleet::next).chain(bounds).min();
            let wake = wake.expect("there is always a next second");
            let more = inboxes.iter().any(Inbox::has_more);
            let why = tokio::select! {
                biased;
                () = yield_now(), if more => Woken::Said,
                ask = asks.recv(), if drain.is_none() => {
                    alone |= ask.is_none();
                    drain = ask;
                    Woken::Asked
                }
                // Without anybody left who wants something, the last world holds.
                Ok(()) = self.want.changed() => Woken::Wanted,
                () = heard(&mut self.fleets, &mut inboxes) => Woken::Said,
                () = self.clock.until(wake) => Woken::Due,
            };
            let woken = self.clock.now();
            self.at_work(woken, wake);
            owed = wake.min(woken);
            self.record.loop_waited(owed.since(listens));
            match why {
                Woken::Asked | Woken::Due => {}
                Woken::Wanted => self.obey(woken),
                Woken::Said => self.hear(&mut inboxes, woken),
            }
        }
    }

    /// Time in which the loop stood still is nobody's to lose: answers of that time are heard before anybody gives up on them.
    fn at_work(&mut self, now: Micros, due: Micros) {
        let (stood, span) = self.pulse.at_work(now, due);
        if let Some(lost) = stood {
            self.fleets.iter_mut().for_each(|fleet| fleet.wait_longer(lost));
        }
        self.say(span);
    }

    fn say(&self, standstill: Option<(Micros, Micros)>) {
        if let Some((from, to)) = standstill {
            // Whoever stopped listening has closed the run's journal.
            let _nobody_listens =
                self.seen.send(Stamped { at: to, what: LabEvent::Standstill { from, to } });
        }
    }

    /// The next part of what the lanes said.
    fn hear(&mut self, inboxes: &mut [Inbox], now: Micros) {
        for (fleet, inbox) in self.fleets.iter_mut().zip(inboxes) {
            for progress in inbox.take() {
                fleet.heard(progress, now, &mut self.record);
            }
        }
    }

    fn obey(&mut self, now: Micros) {
        let wanted = self.want.borrow_and_update().conditions.clone();
        for fleet in &mut self.fleets {
            fleet.obey(&wanted, now, &self.seen, &mut self.record);
        }
    }

    /// Nothing is left that could still get an outcome.
    fn is_decided(&self, now: Micros) -> bool {
        self.record.undecided <= self.fleets.iter().map(|fleet| fleet.out_of_reach(now)).sum()
    }

    fn end(
        mut self,
        now: Micros,
        second: Micros,
        generated_until: Micros,
        drain: Option<Drain>,
        spent: Duration,
    ) {
        let complete = self.record.undecided == 0;
        let still = self.pulse.end();
        self.say(still);
        self.fleets.iter_mut().for_each(|fleet| fleet.end(now, &mut self.record));
        self.record.cut(
            second,
            generated_until,
            self.fleets.iter_mut().flat_map(|fleet| &mut fleet.cohorts),
        );
        let trouble = self.record.writing.finish();
        let sent = Sent {
            complete,
            generated: self.record.generated,
            acked: self.record.acked,
            schedule_lag: self.record.lag,
            loop_lag: self.record.loop_lag,
            cpu: (self.thread == Thread::Own).then(|| thread_cpu().saturating_sub(spent)),
            trouble,
        };
        if let Some(drain) = drain {
            // Nobody may be waiting any more; everything is written all the same.
            let _nobody_waits = drain.answer.send(sent);
        }
    }
}

/// Waits until some lane has something to say.
async fn heard(fleets: &mut [Fleet], inboxes: &mut [Inbox]) {
    poll_fn(|cx| {
        let mut any = false;
        for (fleet, inbox) in fleets.iter_mut().zip(inboxes.iter_mut()) {
            any |= fleet.lane.poll(cx, inbox.room()).is_ready();
        }
        if any { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// CPU time of this thread so far.
fn thread_cpu() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs() as u32)
}

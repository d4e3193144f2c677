//! The connection of an asset as a state machine: what happens to it, and what follows. Pure: the time is told, and whoever calls does
//! what follows.
//!
//! | state | left by |
//! |---|---|
//! | Off | the moment of the next try; acquisition of signal; the wanted world |
//! | Connecting | the lane's Up or Down; the connect timeout |
//! | Online | Down; as many failures in a row as `attempts`; loss of signal; the way home; the wanted world |
//! | Leaving | every reading under way answered; Down; failures; loss of signal |

use std::time::Duration;

use model::{
    Micros, plan,
    schedule::{self, Draws, Purpose},
};
use seams::Disconnect;

use crate::maybe_at::MaybeAt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// Waits for its next try, or for signal.
    #[default]
    Off,
    Connecting,
    Online,
    /// Sends no more, and goes when everything under way is answered.
    Leaving,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) state: State,
    /// Which of its home's regions it goes to; 0 is home.
    pub(crate) place: u16,
    /// Grows with every change of `state`; voids timers.
    pub(crate) epoch: u32,
    /// Tries to connect since it was last connected.
    tries: u32,
    /// Tries to connect, ever.
    asked: u32,
    /// Attempts in a row that failed, connects and requests. Failures of one instant are one failure.
    failures: u16,
    failed_at: MaybeAt,
    /// Something failed since the last ack.
    troubled: bool,
    /// Backoff and failback draws so far.
    draws: u32,
    /// Signal was acquired then, and the first try to connect since is under way.
    pub(crate) acquired: MaybeAt,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The fleet begins, in contact.
    Begins,
    /// The moment of the next try.
    Due,
    Up,
    Down,
    /// The try has had its time.
    OutOfPatience,
    /// A request was refused, or nobody knows.
    Failed,
    /// It has been away for long enough.
    GoesHome,
    /// Nothing is under way.
    AllAnswered,
    SignalLost,
    SignalAcquired,
    /// The wanted world sends it away.
    SentAway(Disconnect),
    /// The wanted world lets it come back: at once, or after the first backoff.
    LetBack {
        at_once: bool,
    },
    RunEnds,
}

/// What the plan and the seed say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) plan: &'a plan::Connection,
    /// How many regions its home has to choose from, at least 1.
    pub(crate) places: u16,
    pub(crate) draws: Draws,
}

/// What follows, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// The replay makes up for what a silence cost, not for trouble of the platform.
    pub(crate) trouble: bool,
    pub(crate) hang_up: Option<HangUp>,
    /// Asks the lane to connect; how often it was asked before.
    pub(crate) ask: Option<u32>,
    pub(crate) wake: Option<(Micros, Wake)>,
    /// It stands now. The replay's pace is counted from this moment.
    pub(crate) up: Option<Micros>,
}

/// The connection is gone: what is under way is called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HangUp {
    /// How the lane is told; None where the lane said so itself.
    pub(crate) how: Option<Disconnect>,
    pub(crate) stood: bool,
    /// Only planned silence is to blame.
    pub(crate) cut: bool,
}

/// Why a connection has a timer. The timer is void when the state has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    Due,
    OutOfPatience,
    GoesHome,
}

impl Connection {
    pub(crate) fn stands(&self) -> bool {
        matches!(self.state, State::Online | State::Leaving)
    }

    pub(crate) fn step(&mut self, event: Event, now: Micros, rules: &Rules<'_>) -> Effects {
        let mut then = Effects::default();
        match event {
            Event::Begins => self.later(now, rules, &mut then),
            Event::Due => {
                self.turn(State::Connecting);
                then.ask = Some(self.asked);
                self.asked = self.asked.wrapping_add(1);
                then.wake = Some((now + rules.plan.connect_timeout, Wake::OutOfPatience));
            }
            Event::Up if self.state == State::Connecting => self.up(now, rules, &mut then),
            Event::Down if self.state != State::Off => {
                self.hang_up(None, &mut then);
                self.later(now, rules, &mut then);
                self.failed(now, rules, &mut then);
            }
            // Word of a connection that the asset has given up.
            Event::Up | Event::Down => {}
            Event::OutOfPatience => {
                self.hang_up(Some(Disconnect::Close), &mut then);
                self.later(now, rules, &mut then);
                self.failed(now, rules, &mut then);
            }
            Event::Failed => self.failed(now, rules, &mut then),
            Event::GoesHome => self.turn(State::Leaving),
            Event::AllAnswered if self.state == State::Leaving => {
                self.place = 0;
                // One failure at home sends it on again.
                self.failures = rules.plan.attempts.saturating_sub(1);
                self.hang_up(Some(Disconnect::Close), &mut then);
                then.wake = Some((now, Wake::Due));
            }
            Event::AllAnswered => {}
            Event::SignalLost => {
                self.hang_up(Some(Disconnect::Silent), &mut then);
                // Also one that was waiting to connect: its timers are void.
                self.turn(State::Off);
                self.acquired = MaybeAt::NEVER;
            }
            Event::SignalAcquired => {
                (self.tries, self.acquired) = (0, now.into());
                self.turn(State::Off);
                then.wake = Some((now, Wake::Due));
            }
            Event::SentAway(how) => {
                self.hang_up(Some(how), &mut then);
                // A fault is nobody's plan: what it cuts off takes no turn of a planned replay.
                then.hang_up = then.hang_up.map(|hang_up| HangUp { cut: false, ..hang_up });
                self.turn(State::Off);
                self.acquired = MaybeAt::NEVER;
            }
            Event::LetBack { at_once } => {
                self.tries = 0;
                if at_once {
                    self.turn(State::Off);
                    then.wake = Some((now, Wake::Due));
                } else {
                    self.later(now, rules, &mut then);
                }
            }
            Event::RunEnds => self.hang_up(Some(Disconnect::Close), &mut then),
        }
        then
    }

    /// A reading was acked: nothing follows, so this needs no rules.
    pub(crate) fn acked(&mut self) {
        (self.failures, self.troubled) = (0, false);
    }

    /// Moves to another state; timers of the one before are void.
    fn turn(&mut self, state: State) {
        self.state = state;
        self.epoch = self.epoch.wrapping_add(1);
    }

    fn up(&mut self, now: Micros, rules: &Rules<'_>, then: &mut Effects) {
        self.turn(State::Online);
        self.tries = 0;
        // What the first try after a silence took is made up for: the replay's pace is counted from the acquisition of signal.
        then.up = Some(self.acquired.take().unwrap_or(now));
        if let Some(failback) = rules.plan.failback.filter(|_| self.place != 0) {
            let spread =
                failback.jitter.mul_f64(rules.draws.unit(Purpose::Failback, self.draws.into()));
            self.draws = self.draws.wrapping_add(1);
            then.wake = Some((now + failback.after + spread, Wake::GoesHome));
        }
    }

    /// Tries again after the backoff of the tries so far.
    fn later(&mut self, now: Micros, rules: &Rules<'_>, then: &mut Effects) {
        let wait: Duration =
            schedule::backoff(&rules.plan.backoff, self.tries, rules.draws, self.draws.into());
        self.tries = self.tries.saturating_add(1);
        self.draws = self.draws.wrapping_add(1);
        self.turn(State::Off);
        then.wake = Some((now + wait, Wake::Due));
    }

    /// One more failure in a row; after `attempts` of them the asset moves on along its list.
    fn failed(&mut self, now: Micros, rules: &Rules<'_>, then: &mut Effects) {
        self.troubled = true;
        then.trouble = true;
        if std::mem::replace(&mut self.failed_at, now.into()).get() == Some(now) {
            return;
        }
        self.failures += 1;
        if self.failures < rules.plan.attempts.max(1) {
            return;
        }
        self.failures = 0;
        self.place = (self.place + 1) % rules.places.max(1);
        if self.state != State::Off {
            self.hang_up(Some(Disconnect::Close), then);
            self.later(now, rules, then);
        }
    }

    fn hang_up(&mut self, how: Option<Disconnect>, then: &mut Effects) {
        if self.state == State::Off {
            return;
        }
        // An asset that saw the platform fail, and no answer since, cannot say what kept its readings.
        let cut = how == Some(Disconnect::Silent) && !self.troubled;
        then.hang_up = Some(HangUp { how, stood: self.stands(), cut });
        self.turn(State::Off);
        self.acquired = MaybeAt::NEVER;
    }
}

#[cfg(test)]
mod tests {
    use model::plan::{Backoff, BackoffJitter, Failback};

    use super::*;

    const NOW: Micros = Micros(10_000_000);
    const BASE: Duration = Duration::from_millis(100);
    const PATIENCE: Duration = Duration::from_secs(2);

    fn rules() -> plan::Connection {
        let jitter = BackoffJitter::None;
        plan::Connection {
            connect_timeout: PATIENCE,
            request_timeout: Duration::from_secs(5),
            shared_by: 1,
            backoff: Backoff { base: BASE, factor: 2.0, max: Duration::from_secs(60), jitter },
            max_inflight: 4,
            attempts: 2,
            failback: Some(Failback { after: Duration::from_secs(30), jitter: Duration::ZERO }),
        }
    }

    fn stepped(connection: &mut Connection, event: Event, now: Micros) -> Effects {
        let plan = rules();
        connection.step(event, now, &Rules { plan: &plan, places: 2, draws: Draws::of(1) })
    }

    fn at(state: State) -> Connection {
        Connection { state, ..Connection::default() }
    }

    fn hung(how: Option<Disconnect>, stood: bool, cut: bool) -> Option<HangUp> {
        Some(HangUp { how, stood, cut })
    }

    /// Every event in every state: the next state, and what follows.
    #[test]
    fn the_table() {
        use Disconnect::{Close, Silent};
        use Event::*;
        use State::{Connecting, Leaving, Off, Online};
        let nothing = Effects::default();
        let due = |wait: Duration| Some((NOW + wait, Wake::Due));
        let trouble = Effects { trouble: true, ..nothing };
        let again = |hang_up| Effects { trouble: true, hang_up, wake: due(BASE), ..nothing };
        let ask =
            Effects { ask: Some(0), wake: Some((NOW + PATIENCE, Wake::OutOfPatience)), ..nothing };
        let gone = |hang_up| Effects { hang_up, ..nothing };
        let home = Effects { wake: due(Duration::ZERO), ..gone(hung(Some(Close), true, false)) };
        let silent = |stood| gone(hung(Some(Silent), stood, true));
        let table = [
            (Off, Begins, Off, Effects { wake: due(BASE), ..nothing }),
            (Off, Due, Connecting, ask),
            (Connecting, Up, Online, Effects { up: Some(NOW), ..nothing }),
            (Off, Up, Off, nothing),
            (Online, Up, Online, nothing),
            (Leaving, Up, Leaving, nothing),
            (Off, Down, Off, nothing),
            (Connecting, Down, Off, again(hung(None, false, false))),
            (Online, Down, Off, again(hung(None, true, false))),
            (Leaving, Down, Off, again(hung(None, true, false))),
            (Connecting, OutOfPatience, Off, again(hung(Some(Close), false, false))),
            (Off, Failed, Off, trouble),
            (Online, Failed, Online, trouble),
            (Leaving, Failed, Leaving, trouble),
            (Online, GoesHome, Leaving, nothing),
            (Online, AllAnswered, Online, nothing),
            (Leaving, AllAnswered, Off, home),
            (Off, SignalLost, Off, nothing),
            (Connecting, SignalLost, Off, silent(false)),
            (Online, SignalLost, Off, silent(true)),
            (Leaving, SignalLost, Off, silent(true)),
            (Off, SignalAcquired, Off, Effects { wake: due(Duration::ZERO), ..nothing }),
            (Off, SentAway(Close), Off, nothing),
            (Connecting, SentAway(Close), Off, gone(hung(Some(Close), false, false))),
            (Online, SentAway(Close), Off, gone(hung(Some(Close), true, false))),
            (Online, SentAway(Silent), Off, gone(hung(Some(Silent), true, false))),
            (Leaving, SentAway(Silent), Off, gone(hung(Some(Silent), true, false))),
            (Off, LetBack { at_once: true }, Off, Effects { wake: due(Duration::ZERO), ..nothing }),
            (Off, LetBack { at_once: false }, Off, Effects { wake: due(BASE), ..nothing }),
            (Off, RunEnds, Off, nothing),
            (Connecting, RunEnds, Off, gone(hung(Some(Close), false, false))),
            (Online, RunEnds, Off, gone(hung(Some(Close), true, false))),
            (Leaving, RunEnds, Off, gone(hung(Some(Close), true, false))),
        ];
        for (before, event, after, then) in table {
            let mut connection = at(before);
            assert_eq!(stepped(&mut connection, event, NOW), then, "{before:?}, {event:?}");
            assert_eq!(connection.state, after, "{before:?}, {event:?}");
            assert_eq!(
                connection.epoch == 0,
                before == after
                    && then.wake.is_none()
                    && !matches!(event, SignalLost | SentAway(_)),
                "timers of a state end with it: {before:?}, {event:?}"
            );
        }
    }

    #[test]
    fn failures_in_a_row_send_it_on_and_those_of_one_instant_are_one() {
        let mut connection = at(State::Online);
        let later = NOW + BASE;
        assert_eq!(stepped(&mut connection, Event::Failed, NOW).hang_up, None);
        assert_eq!(stepped(&mut connection, Event::Failed, NOW).hang_up, None, "the same instant");
        let moved = stepped(&mut connection, Event::Failed, later);
        assert_eq!(moved.hang_up, hung(Some(Disconnect::Close), true, false));
        assert_eq!((moved.wake, connection.place), (Some((later + BASE, Wake::Due)), 1));
        // Round and round.
        for (n, place) in [(1, 1), (2, 0), (3, 0), (4, 1)] {
            stepped(&mut connection, Event::Due, later + n * BASE);
            stepped(&mut connection, Event::Down, later + n * BASE);
            assert_eq!(connection.place, place, "failure {n}");
        }
    }

    #[test]
    fn an_ack_forgets_failures_and_an_up_forgets_tries() {
        let mut connection = at(State::Online);
        stepped(&mut connection, Event::Failed, NOW);
        connection.acked();
        stepped(&mut connection, Event::Failed, NOW + BASE);
        assert_eq!(connection.state, State::Online);
        let waits = |connection: &mut Connection, n: u32| {
            let now = NOW + n * PATIENCE;
            stepped(connection, Event::Due, now);
            let (at, _) = stepped(connection, Event::Down, now).wake.expect("it tries again");
            at.since(now)
        };
        let mut connection = at(State::Off);
        assert_eq!([1, 2, 3].map(|n| waits(&mut connection, n)), [BASE, 2 * BASE, 4 * BASE]);
        stepped(&mut connection, Event::Due, NOW);
        stepped(&mut connection, Event::Up, NOW);
        stepped(&mut connection, Event::Down, NOW + BASE);
        assert_eq!(waits(&mut connection, 9), 2 * BASE);
    }

    #[test]
    fn away_it_goes_home_after_a_while_and_one_failure_there_sends_it_on() {
        let mut connection = Connection { place: 1, ..at(State::Connecting) };
        let up = stepped(&mut connection, Event::Up, NOW);
        assert_eq!(up.wake, Some((NOW + Duration::from_secs(30), Wake::GoesHome)));
        stepped(&mut connection, Event::GoesHome, NOW);
        stepped(&mut connection, Event::AllAnswered, NOW);
        assert_eq!(connection.place, 0);
        stepped(&mut connection, Event::Due, NOW);
        stepped(&mut connection, Event::Down, NOW);
        assert_eq!(connection.place, 1);
    }

    #[test]
    fn planned_silence_is_to_blame_only_where_nothing_failed_before() {
        let mut connection = at(State::Online);
        stepped(&mut connection, Event::Failed, NOW);
        let lost = stepped(&mut connection, Event::SignalLost, NOW + BASE);
        assert_eq!(lost.hang_up, hung(Some(Disconnect::Silent), true, false));
        let back = NOW + PATIENCE;
        stepped(&mut connection, Event::SignalAcquired, back);
        stepped(&mut connection, Event::Due, back);
        let up = stepped(&mut connection, Event::Up, back + BASE);
        assert_eq!(up.up, Some(back), "the replay's pace is counted from the acquisition");
        assert_eq!(connection.acquired.get(), None);
    }

    #[test]
    fn each_ask_says_how_many_were_before() {
        let mut connection = at(State::Off);
        for n in 0..3 {
            assert_eq!(stepped(&mut connection, Event::Due, NOW).ask, Some(n));
            stepped(&mut connection, Event::Up, NOW);
            stepped(&mut connection, Event::Down, NOW + BASE);
        }
    }
}

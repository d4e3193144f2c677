//! The easy way to write a driver: one async session per asset. [`SessionLane`] turns it into a [`Lane`].
//!
//! It spawns a local task per session and per reading under way, so it belongs inside a tokio `LocalSet`. No deadline, no retry and
//! no backoff here: those are the fleet's.

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt,
    future::Future,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use model::{Identity, Micros, NodeId, Outcome};
use tokio::task::{AbortHandle, spawn_local, yield_now};

use crate::{Batch, Clock, Lane, Leave, Progress, Seat};

/// Makes sessions. It may hold what they share, such as one connection per node.
pub trait Dial: 'static {
    type Session: Session;

    /// One try to connect; `Err` says why not. Dropped when the fleet has lost patience.
    fn connect(&self, seat: &Seat) -> impl Future<Output = Result<Self::Session, String>>;
}

/// A live connection of one asset.
pub trait Session: 'static {
    /// The node at its other side.
    fn node(&self) -> NodeId;

    /// Sends one reading and waits for its answer. Several are under way at once, as many as the fleet's `max_inflight`; the futures
    /// are first polled in order of sending. It is dropped only with its session: one that the fleet has given up on runs on, since
    /// breaking off half a request would break the connection for the others.
    fn send(&self, letter: Letter) -> impl Future<Output = Answer>;

    /// Waits until the connection is gone by itself, and says why. What is still under way then becomes `Unknown`.
    fn closed(&self) -> impl Future<Output = String>;

    /// The asset goes. Readings under way are dropped before.
    fn leave(&self, how: Leave);
}

/// One attempt of one reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub identity: Identity,
    /// From 1.
    pub attempt: u16,
    /// Envelope first.
    pub payload: Bytes,
}

/// What came of it; the fields are those of [`Progress::Done`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub outcome: Outcome,
    /// Stamped where the answer's bytes were read.
    pub at: Micros,
    pub by: Option<NodeId>,
    pub position: Option<u64>,
}

impl Answer {
    /// Definitely not done.
    pub fn refused(at: Micros) -> Self {
        Self { outcome: Outcome::Refused, at, by: None, position: None }
    }

    /// It may have been done.
    pub fn unknown(at: Micros) -> Self {
        Self { outcome: Outcome::Unknown, at, by: None, position: None }
    }
}

/// The sessions of one thread.
pub struct SessionLane<D: Dial> {
    dial: Rc<D>,
    state: Rc<State<D::Session>>,
}

struct State<S> {
    clock: Clock,
    inner: RefCell<Inner<S>>,
}

struct Inner<S> {
    seats: HashMap<u32, Held<S>>,
    out: Vec<Progress>,
    waker: Option<Waker>,
}

/// An asset that is connecting or connected.
struct Held<S> {
    /// The task that connects and then waits for the end.
    life: AbortHandle,
    session: Option<Rc<S>>,
    /// Readings under way, by ticket.
    under_way: HashMap<u64, AbortHandle>,
}

impl<D: Dial> SessionLane<D> {
    pub fn new(dial: D, clock: Clock) -> Self {
        let inner = Inner { seats: HashMap::new(), out: Vec::new(), waker: None };
        Self { dial: Rc::new(dial), state: Rc::new(State { clock, inner: RefCell::new(inner) }) }
    }
}

impl<D: Dial> Lane for SessionLane<D> {
    fn connect(&mut self, seats: &[Seat]) {
        for seat in seats {
            self.disconnect(seat.asset, Leave::Close);
            let life = spawn_local(live(self.dial.clone(), self.state.clone(), seat.clone()))
                .abort_handle();
            let held = Held { life, session: None, under_way: HashMap::new() };
            self.state.inner.borrow_mut().seats.insert(seat.asset, held);
        }
    }

    fn disconnect(&mut self, asset: u32, how: Leave) {
        let mut inner = self.state.inner.borrow_mut();
        // The fleet has decided: what was about to be said of this connection would be taken for the next one.
        inner.out.retain(|progress| !matches!(progress, Progress::Up { asset: a, .. } | Progress::Down { asset: a, .. } if *a == asset));
        let Some(held) = inner.seats.remove(&asset) else { return };
        drop(inner);
        held.stop();
        if let Some(session) = held.session {
            session.leave(how);
        }
    }

    fn submit(&mut self, batch: Batch<'_>) -> usize {
        let arena = Bytes::copy_from_slice(batch.arena);
        let at = self.state.clock.now();
        for reading in batch.readings {
            let mut inner = self.state.inner.borrow_mut();
            let ticket = reading.ticket;
            let asset = reading.identity.asset;
            let Some(session) = inner.seats.get(&asset).and_then(|held| held.session.clone())
            else {
                // It went down while the fleet did not know yet: nothing has left.
                inner.out.push(Progress::Done {
                    ticket,
                    outcome: Outcome::Refused,
                    at,
                    by: None,
                    position: None,
                });
                continue;
            };
            inner.out.push(Progress::Sent { ticket, at });
            let payload =
                arena.slice(reading.start as usize..(reading.start + reading.length) as usize);
            let letter = Letter { identity: reading.identity, attempt: reading.attempt, payload };
            let state = self.state.clone();
            let task = spawn_local(async move {
                let answer = session.send(letter).await;
                state.answered(asset, ticket, answer);
            });
            let held = inner.seats.get_mut(&asset).expect("its session was found above");
            held.under_way.insert(ticket, task.abort_handle());
        }
        batch.readings.len()
    }

    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<Progress>) -> Poll<()> {
        let mut inner = self.state.inner.borrow_mut();
        if inner.out.is_empty() {
            inner.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        out.append(&mut inner.out);
        Poll::Ready(())
    }

    /// Nothing to do: see [`Session::send`]. The fleet ignores tickets that it has closed.
    fn abandon(&mut self, _ticket: u64) {}
}

impl<D: Dial> Drop for SessionLane<D> {
    fn drop(&mut self) {
        for (_, held) in self.state.inner.borrow_mut().seats.drain() {
            held.stop();
        }
    }
}

impl<D: Dial> fmt::Debug for SessionLane<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLane")
            .field("seats", &self.state.inner.borrow().seats.len())
            .finish_non_exhaustive()
    }
}

/// The whole life of an asset's connection.
async fn live<D: Dial>(dial: Rc<D>, state: Rc<State<D::Session>>, seat: Seat) {
    let asset = seat.asset;
    let why = match dial.connect(&seat).await {
        Err(why) => why,
        Ok(session) => {
            let session = Rc::new(session);
            state.up(asset, session.clone());
            let why = session.closed().await;
            // Answers that were read before the end are handed out before it.
            yield_now().await;
            why
        }
    };
    state.down(asset, why);
}

impl<S: Session> State<S> {
    fn up(&self, asset: u32, session: Rc<S>) {
        let node = session.node();
        let mut inner = self.inner.borrow_mut();
        if let Some(held) = inner.seats.get_mut(&asset) {
            held.session = Some(session);
            inner.say(Progress::Up { asset, node });
        }
    }

    fn answered(&self, asset: u32, ticket: u64, answer: Answer) {
        let mut inner = self.inner.borrow_mut();
        let known = inner.seats.get_mut(&asset).and_then(|held| held.under_way.remove(&ticket));
        if known.is_some() {
            let Answer { outcome, at, by, position } = answer;
            inner.say(Progress::Done { ticket, outcome, at, by, position });
        }
    }

    fn down(&self, asset: u32, why: String) {
        let at = self.clock.now();
        let mut inner = self.inner.borrow_mut();
        let Some(held) = inner.seats.remove(&asset) else { return };
        held.stop();
        let mut lost: Vec<u64> = held.under_way.into_keys().collect();
        lost.sort_unstable();
        for ticket in lost {
            inner.say(Progress::Done {
                ticket,
                outcome: Outcome::Unknown,
                at,
                by: None,
                position: None,
            });
        }
        inner.say(Progress::Down { asset, why });
    }
}

impl<S> Inner<S> {
    fn say(&mut self, progress: Progress) {
        self.out.push(progress);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl<S> Held<S> {
    fn stop(&self) {
        self.life.abort();
        self.under_way.values().for_each(AbortHandle::abort);
    }
}

#[cfg(test)]
mod tests;

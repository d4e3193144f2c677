//! The easy way to write a driver: one async session per connection. [`SessionLane`] turns it into a [`Lane`].
//!
//! It spawns a local task per session, so it belongs inside a tokio `LocalSet`; readings under way are polled by the lane itself. No
//! deadline, no retry and no backoff here: those are the fleet's. It refuses nothing: a session that is full keeps its readings waiting
//! in their futures.

use std::{
    cell::RefCell,
    fmt,
    future::Future,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use model::{Identity, Micros, NodeIndex, Outcome};
use tokio::task::{AbortHandle, spawn_local};

use self::places::{Places, Taken, Woken};
use crate::{Batch, Clock, ConnId, ConnectRequest, Disconnect, Lane, Progress};

mod lines;
mod places;

pub use lines::{Lines, Opened, Protocol, Shared};

/// Makes sessions. It may hold what they share, such as one connection per node.
pub trait Connect: 'static {
    type Session: Session;

    /// One try to connect; `Err` says why not. Dropped when the fleet has lost patience.
    fn connect(
        &self,
        request: &ConnectRequest,
    ) -> impl Future<Output = Result<Self::Session, &'static str>>;
}

/// A live connection.
pub trait Session: 'static {
    /// The node at its other side.
    fn node(&self) -> NodeIndex;

    /// Sends one reading and waits for its answer. Several are under way at once, as many as the fleet's `max_inflight`; the futures
    /// are first polled in order of sending. It is dropped only with its session: one that the fleet has given up on runs on, since
    /// breaking off half a request would break the connection for the others.
    fn send(&self, attempt: Attempt) -> impl Future<Output = Answer>;

    /// Waits until the connection is gone by itself, and says why. What is still under way then becomes `Unknown`.
    fn closed(&self) -> impl Future<Output = &'static str>;

    /// The fleet gives the connection up. Readings under way are dropped before.
    fn disconnect(&self, how: Disconnect);
}

/// One attempt of one reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub identity: Identity,
    /// From 1.
    pub number: u16,
    /// Envelope first.
    pub payload: Bytes,
}

/// What came of it; the fields are those of [`Progress::Done`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub outcome: Outcome,
    /// Stamped where the answer's bytes were read.
    pub at: Micros,
    pub by: Option<NodeIndex>,
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

    fn to(self, ticket: u32) -> Progress {
        let Self { outcome, at, by, position } = self;
        Progress::Done { ticket, outcome, at, by, position }
    }
}

/// The sessions of one thread.
pub struct SessionLane<C: Connect> {
    connect: Rc<C>,
    state: Rc<State<C::Session>>,
}

struct State<S> {
    clock: Clock,
    woken: Arc<Woken>,
    inner: RefCell<Inner<S>>,
}

struct Inner<S> {
    /// By connection.
    slots: Vec<Slot<S>>,
    places: Places<S>,
    /// What was said, and the life of the connection of which it was said.
    out: Vec<(u32, Progress)>,
}

/// A connection's place.
struct Slot<S> {
    /// Grows whenever the fleet decides: what was about to be said before of the connection would be taken for the next one.
    life: u32,
    held: Option<Held<S>>,
}

/// A connection that stands or is being made.
struct Held<S> {
    /// The task that connects and then waits for the end.
    life: AbortHandle,
    session: Option<Rc<S>>,
    under_way: Taken,
}

impl<C: Connect> SessionLane<C> {
    pub fn new(connect: C, clock: Clock) -> Self {
        let woken = Arc::<Woken>::default();
        let places = Places::new(woken.clone());
        let inner = RefCell::new(Inner { slots: Vec::new(), places, out: Vec::new() });
        Self { connect: Rc::new(connect), state: Rc::new(State { clock, woken, inner }) }
    }
}

impl<C: Connect> Lane for SessionLane<C> {
    fn connect(&mut self, wanted: &[ConnectRequest]) {
        for request in wanted {
            self.disconnect(request.conn, Disconnect::Close);
            let task = live(self.connect.clone(), self.state.clone(), request.clone());
            let life = spawn_local(task).abort_handle();
            let held = Held { life, session: None, under_way: Taken::default() };
            self.state.inner.borrow_mut().slot(request.conn).held = Some(held);
        }
    }

    fn disconnect(&mut self, conn: ConnId, how: Disconnect) {
        let mut inner = self.state.inner.borrow_mut();
        let slot = inner.slot(conn);
        slot.life = slot.life.wrapping_add(1);
        let Some(held) = slot.held.take() else { return };
        inner.places.drop_all(held.under_way);
        drop(inner);
        held.life.abort();
        if let Some(session) = held.session {
            session.disconnect(how);
        }
    }

    fn submit(&mut self, batch: Batch<'_>, _refused: &mut Vec<u32>) {
        let at = self.state.clock.now();
        let mut inner = self.state.inner.borrow_mut();
        let Inner { slots, places, out } = &mut *inner;
        for reading in batch.readings {
            let (ticket, conn) = (reading.ticket, reading.conn);
            let held = slots.get_mut(conn.0 as usize).and_then(|slot| slot.held.as_mut());
            let Some((held, session)) =
                held.and_then(|held| held.session.clone().map(|session| (held, session)))
            else {
                // It went down while the fleet did not know yet: nothing has left.
                out.push((0, Answer::refused(at).to(ticket)));
                continue;
            };
            out.push((0, Progress::Sent { ticket, at }));
            let attempt = Attempt {
                identity: reading.identity,
                number: reading.attempt,
                payload: batch.share(reading),
            };
            places.begin(session, attempt, (conn, ticket), &mut held.under_way);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<Progress>) -> Poll<()> {
        let mut inner = self.state.inner.borrow_mut();
        let before = out.len();
        let mut said = std::mem::take(&mut inner.out);
        out.extend(said.drain(..).filter(|said| inner.is_current(said)).map(|(_, what)| what));
        // Its room is kept.
        inner.out = said;
        inner.take_turn(out);
        if out.len() > before {
            return Poll::Ready(());
        }
        self.state.woken.listen(cx.waker());
        Poll::Pending
    }

    /// Nothing to do: see [`Session::send`]. The fleet ignores tickets that it has closed.
    fn abandon(&mut self, _ticket: u32) {}
}

impl<C: Connect> Drop for SessionLane<C> {
    fn drop(&mut self) {
        let inner = &mut *self.state.inner.borrow_mut();
        for held in inner.slots.drain(..).filter_map(|slot| slot.held) {
            inner.places.drop_all(held.under_way);
            held.life.abort();
        }
    }
}

impl<C: Connect> fmt::Debug for SessionLane<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLane")
            .field("slots", &self.state.inner.borrow().slots.len())
            .finish_non_exhaustive()
    }
}

/// The whole life of a connection.
async fn live<C: Connect>(connect: Rc<C>, state: Rc<State<C::Session>>, request: ConnectRequest) {
    let why = match connect.connect(&request).await {
        Err(why) => why,
        Ok(session) => {
            let session = Rc::new(session);
            state.up(request.conn, session.clone());
            session.closed().await
        }
    };
    state.down(request.conn, why);
}

impl<S: Session> State<S> {
    fn up(&self, conn: ConnId, session: Rc<S>) {
        let node = session.node();
        let mut inner = self.inner.borrow_mut();
        let slot = inner.slot(conn);
        if let Some(held) = &mut slot.held {
            held.session = Some(session);
            let life = slot.life;
            inner.out.push((life, Progress::Up { conn, node }));
            self.woken.wake(None);
        }
    }

    fn down(&self, conn: ConnId, why: &'static str) {
        let at = self.clock.now();
        let mut inner = self.inner.borrow_mut();
        let slot = inner.slot(conn);
        let life = slot.life;
        let Some(held) = slot.held.take() else { return };
        for (ticket, answer) in inner.places.end_all(held.under_way) {
            inner.out.push((0, answer.unwrap_or(Answer::unknown(at)).to(ticket)));
        }
        inner.out.push((life, Progress::Down { conn, why }));
        drop(inner);
        self.woken.wake(None);
    }
}

impl<S: Session> Inner<S> {
    fn slot(&mut self, conn: ConnId) -> &mut Slot<S> {
        let place = conn.0 as usize;
        if self.slots.len() <= place {
            self.slots.resize_with(place + 1, || Slot { life: 0, held: None });
        }
        &mut self.slots[place]
    }

    /// Whether the fleet has not decided otherwise since. Of attempts everything may be said: it knows those that it has closed.
    fn is_current(&self, (life, what): &(u32, Progress)) -> bool {
        match what {
            Progress::Up { conn, .. } | Progress::Down { conn, .. } => {
                self.slots[conn.0 as usize].life == *life
            }
            Progress::Sent { .. } | Progress::Done { .. } => true,
        }
    }

    /// Polls the readings that can go on, and says what was answered.
    fn take_turn(&mut self, out: &mut Vec<Progress>) {
        let turn = self.places.turn();
        for number in &turn {
            if let Some((conn, ticket, answer)) = self.places.poll(*number) {
                if let Some(held) = &mut self.slots[conn.0 as usize].held {
                    self.places.end(*number, &mut held.under_way);
                }
                out.push(answer.to(ticket));
            }
        }
        self.places.turned(turn);
    }
}

#[cfg(test)]
mod tests;

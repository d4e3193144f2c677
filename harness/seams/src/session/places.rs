//! The readings under way in a lane. Each is a future in a place that the next reading uses again: a reading costs neither a task nor
//! memory of its own.

use std::{
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use tokio::task::unconstrained;

use super::{Answer, Attempt, Session};
use crate::ConnId;

pub(super) struct Places<S> {
    places: Vec<Place<S>>,
    free: Vec<u32>,
    /// Places to poll at the next turn, in this order.
    due: Vec<u32>,
    woken: Arc<Woken>,
}

struct Place<S> {
    call: Box<dyn Call<S>>,
    waker: Waker,
    ticket: u32,
    conn: ConnId,
    /// Where the connection's [`Taken`] names this place.
    index: u32,
}

/// The places of one connection.
#[derive(Debug, Default)]
pub(super) struct Taken(Vec<u32>);

/// Which futures can go on, and who wants to know. Wakers may be called from any thread.
#[derive(Debug, Default)]
pub(super) struct Woken(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    places: Vec<u32>,
    lane: Option<Waker>,
}

impl<S: Session> Places<S> {
    pub(super) fn new(woken: Arc<Woken>) -> Self {
        Self { places: Vec::new(), free: Vec::new(), due: Vec::new(), woken }
    }

    /// Puts a reading under way. It is polled at the next turn, behind those that were put there before.
    pub(super) fn begin(
        &mut self,
        session: Rc<S>,
        attempt: Attempt,
        (conn, ticket): (ConnId, u32),
        taken: &mut Taken,
    ) {
        let number = self.free.pop().unwrap_or_else(|| {
            let number = self.places.len() as u32;
            let waker = Waker::from(Arc::new(PlaceWaker { number, woken: self.woken.clone() }));
            self.places.push(Place { call: call(), waker, ticket, conn, index: 0 });
            number
        });
        let place = &mut self.places[number as usize];
        (place.conn, place.ticket, place.index) = (conn, ticket, taken.0.len() as u32);
        place.call.begin(session, attempt);
        taken.0.push(number);
        self.due.push(number);
    }

    /// Begins a turn: the places to poll now. Who is woken meanwhile has the next turn.
    pub(super) fn turn(&mut self) -> Vec<u32> {
        let mut due = std::mem::take(&mut self.due);
        due.append(&mut self.woken.lock().places);
        due
    }

    /// Ends a turn: its room is used again.
    pub(super) fn turned(&mut self, mut turn: Vec<u32>) {
        turn.clear();
        self.due = turn;
    }

    /// Whose reading has got its answer now; none if the place is free by now, or its future still waits.
    pub(super) fn poll(&mut self, number: u32) -> Option<(ConnId, u32, Answer)> {
        let place = &mut self.places[number as usize];
        match place.call.poll(&mut Context::from_waker(&place.waker)) {
            Poll::Ready(answer) => Some((place.conn, place.ticket, answer)),
            Poll::Pending => None,
        }
    }

    /// Frees the place of an answered reading.
    pub(super) fn end(&mut self, number: u32, taken: &mut Taken) {
        let index = self.places[number as usize].index;
        self.free.push(number);
        taken.0.swap_remove(index as usize);
        if let Some(moved) = taken.0.get(index as usize) {
            self.places[*moved as usize].index = index;
        }
    }

    /// Frees all places of a connection that is gone; in order of tickets, what was answered all the same.
    pub(super) fn end_all(&mut self, taken: Taken) -> Vec<(u32, Option<Answer>)> {
        let mut ended = Vec::with_capacity(taken.0.len());
        for number in &taken.0 {
            let answer = self.poll(*number).map(|(_, _, answer)| answer);
            ended.push((self.places[*number as usize].ticket, answer));
        }
        self.drop_all(taken);
        ended.sort_unstable_by_key(|(ticket, _)| *ticket);
        ended
    }

    /// Frees all places of a connection, and drops what is under way there.
    pub(super) fn drop_all(&mut self, taken: Taken) {
        for number in taken.0 {
            self.places[number as usize].call.clear();
            self.free.push(number);
        }
    }
}

impl Woken {
    /// There is something for the lane to do or to say.
    pub(super) fn wake(&self, place: Option<u32>) {
        let mut waiting = self.lock();
        waiting.places.extend(place);
        let lane = waiting.lane.take();
        drop(waiting);
        if let Some(lane) = lane {
            lane.wake();
        }
    }

    /// From now on this waker is called; at once if somebody was woken before.
    pub(super) fn listen(&self, waker: &Waker) {
        let mut waiting = self.lock();
        if waiting.places.is_empty() {
            waiting.lane = Some(waker.clone());
        } else {
            drop(waiting);
            waker.wake_by_ref();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that is done under the lock leaves it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct PlaceWaker {
    number: u32,
    woken: Arc<Woken>,
}

impl Wake for PlaceWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.wake(Some(self.number));
    }
}

/// One [`Session::send`] after the other, in the same memory. The type of its future has no name, hence the trait.
trait Call<S> {
    fn begin(&mut self, session: Rc<S>, attempt: Attempt);
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answer>;
    fn clear(&mut self);
}

struct Reused<M, F> {
    make: M,
    future: Pin<Box<Option<F>>>,
}

fn call<S: Session>() -> Box<dyn Call<S>> {
    fn reused<S, F, M>(make: M) -> Box<dyn Call<S>>
    where
        M: Fn(Rc<S>, Attempt) -> F + 'static,
        F: Future<Output = Answer> + 'static,
    {
        Box::new(Reused { make, future: Box::pin(None) })
    }
    reused(|session: Rc<S>, attempt| async move { session.send(attempt).await })
}

impl<S, M: Fn(Rc<S>, Attempt) -> F, F: Future<Output = Answer>> Call<S> for Reused<M, F> {
    fn begin(&mut self, session: Rc<S>, attempt: Attempt) {
        self.future.set(Some((self.make)(session, attempt)));
    }

    /// The lane polls many in one turn of its task, so a task's share of polls is not theirs.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        let Some(future) = self.future.as_mut().as_pin_mut() else { return Poll::Pending };
        let polled = pin!(unconstrained(future)).poll(cx);
        if polled.is_ready() {
            self.clear();
        }
        polled
    }

    fn clear(&mut self) {
        self.future.set(None);
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::poll_fn};

    use model::{Identity, Micros, NodeIndex};

    use super::*;
    use crate::Disconnect;

    /// Answers when it is open, and leaves its waker for that; a reading of stream 1 is answered at once.
    #[derive(Default)]
    struct Door {
        open: Cell<bool>,
        waker: Cell<Option<Waker>>,
    }

    impl Session for Door {
        fn node(&self) -> NodeIndex {
            NodeIndex(0)
        }
        async fn send(&self, attempt: Attempt) -> Answer {
            poll_fn(|cx| {
                if self.open.get() || attempt.identity.stream == 1 {
                    return Poll::Ready(Answer::refused(Micros(0)));
                }
                self.waker.set(Some(cx.waker().clone()));
                Poll::Pending
            })
            .await
        }
        async fn closed(&self) -> &'static str {
            std::future::pending().await
        }
        fn disconnect(&self, _: Disconnect) {}
    }

    const CONN: ConnId = ConnId(4);

    struct Room {
        door: Rc<Door>,
        places: Places<Door>,
        taken: Taken,
    }

    impl Room {
        fn new() -> Self {
            let places = Places::new(Arc::default());
            Self { door: Rc::default(), places, taken: Taken::default() }
        }

        fn begin(&mut self, ticket: u32, stream: u16) {
            let identity = Identity { asset: 0, stream, boot: 1, seq: 0 };
            let attempt = Attempt { identity, number: 1, payload: bytes::Bytes::new() };
            self.places.begin(self.door.clone(), attempt, (CONN, ticket), &mut self.taken);
        }

        /// The tickets that are answered at a turn.
        fn turn(&mut self) -> Vec<u32> {
            let turn = self.places.turn();
            let mut answered = vec![];
            for number in &turn {
                if let Some((conn, ticket, _)) = self.places.poll(*number) {
                    assert_eq!(conn, CONN);
                    self.places.end(*number, &mut self.taken);
                    answered.push(ticket);
                }
            }
            self.places.turned(turn);
            answered
        }
    }

    #[test]
    fn places_of_answered_readings_are_used_again() {
        let mut room = Room::new();
        (0..3).for_each(|ticket| room.begin(ticket, u16::from(ticket == 0)));
        assert_eq!(room.turn(), [0]);
        room.begin(3, 0);
        assert_eq!(room.places.places.len(), 3);
        let left = room.places.end_all(std::mem::take(&mut room.taken));
        assert_eq!(left, [(1, None), (2, None), (3, None)]);
        assert_eq!(room.places.free.len(), 3);
    }

    #[test]
    fn who_is_woken_is_polled_at_the_next_turn_and_others_are_not() {
        let mut room = Room::new();
        room.begin(7, 0);
        assert_eq!(room.turn(), [0; 0]);
        room.door.open.set(true);
        assert_eq!(room.turn(), [0; 0], "nobody was woken");
        let waker = room.door.waker.take().expect("it waits");
        waker.wake_by_ref();
        waker.wake();
        assert_eq!(room.turn(), [7], "once, though it was woken twice");
    }

    #[test]
    fn an_answer_that_is_there_when_the_connection_goes_counts() {
        let mut room = Room::new();
        room.begin(2, 0);
        room.begin(1, 1);
        let ended = room.places.end_all(std::mem::take(&mut room.taken));
        assert_eq!(ended, [(1, Some(Answer::refused(Micros(0)))), (2, None)]);
        assert_eq!(room.turn(), [0; 0], "nothing is left of them");
    }
}

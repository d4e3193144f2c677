use std::{future::poll_fn, time::Duration};

use model::End;
use tokio::{sync::Notify, task::LocalSet, time::Instant};

use super::*;
use crate::{Origin, Outgoing};

/// Answers after 10 ms; asset 9 is never let in; sequence number 100 closes the connection.
struct Slow(Clock);

struct Line {
    clock: Clock,
    broken: Notify,
}

impl Dial for Slow {
    type Session = Line;
    async fn connect(&self, seat: &Seat) -> Result<Line, String> {
        if seat.asset == 9 {
            Err("not you".into())
        } else {
            Ok(Line { clock: self.0.clone(), broken: Notify::new() })
        }
    }
}

impl Session for Line {
    fn node(&self) -> NodeId {
        "n1".into()
    }
    async fn send(&self, letter: Letter) -> Answer {
        if letter.identity.seq == 100 {
            self.broken.notify_one();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let position = Some(letter.payload.len() as u64);
        Answer { outcome: Outcome::Acked, at: self.clock.now(), by: Some(self.node()), position }
    }
    async fn closed(&self) -> String {
        self.broken.notified().await;
        "reset".into()
    }
    fn leave(&self, _how: Leave) {}
}

fn seat(asset: u32) -> Seat {
    Seat { asset, from: Origin { end: End::Cell("c".into()), host: asset }, region: "r".into() }
}

fn outgoing(ticket: u64, asset: u32, seq: u64) -> Outgoing {
    Outgoing {
        ticket,
        identity: Identity { asset, stream: 0, boot: 1, seq },
        attempt: 1,
        start: 0,
        length: 4,
    }
}

async fn next(lane: &mut SessionLane<Slow>) -> Vec<Progress> {
    let mut out = vec![];
    poll_fn(|cx| lane.poll(cx, &mut out)).await;
    out
}

/// Runs `body` with a lane under a paused clock.
fn played(body: impl AsyncFnOnce(&mut SessionLane<Slow>)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let clock = Clock::new(Instant::now());
        body(&mut SessionLane::new(Slow(clock.clone()), clock)).await;
    });
}

fn done(ticket: u64, outcome: Outcome, at: i64) -> Progress {
    let (by, position) =
        if outcome == Outcome::Acked { (Some("n1".into()), Some(4)) } else { (None, None) };
    Progress::Done { ticket, outcome, at: Micros(at), by, position }
}

#[test]
fn answers_come_with_their_own_time() {
    played(async |lane| {
        lane.connect(&[seat(1), seat(9)]);
        let (up, down) = (
            Progress::Up { asset: 1, node: "n1".into() },
            Progress::Down { asset: 9, why: "not you".into() },
        );
        assert_eq!(next(lane).await, [up, down]);
        assert_eq!(
            lane.submit(Batch {
                readings: &[outgoing(5, 1, 0), outgoing(6, 9, 0)],
                arena: b"abcd"
            }),
            2
        );
        assert_eq!(
            next(lane).await,
            [Progress::Sent { ticket: 5, at: Micros(0) }, done(6, Outcome::Refused, 0)]
        );
        assert_eq!(next(lane).await, [done(5, Outcome::Acked, 10_000)]);
    });
}

#[test]
fn what_is_under_way_when_the_connection_goes_is_unknown_and_told_first() {
    played(async |lane| {
        lane.connect(&[seat(1)]);
        next(lane).await;
        lane.submit(Batch { readings: &[outgoing(1, 1, 0), outgoing(2, 1, 100)], arena: b"abcd" });
        next(lane).await;
        let lost = [
            done(1, Outcome::Unknown, 0),
            done(2, Outcome::Unknown, 0),
            Progress::Down { asset: 1, why: "reset".into() },
        ];
        assert_eq!(next(lane).await, lost);
    });
}

#[test]
fn after_a_disconnect_nothing_more_is_said() {
    played(async |lane| {
        lane.connect(&[seat(1)]);
        next(lane).await;
        lane.submit(Batch { readings: &[outgoing(1, 1, 100)], arena: b"abcd" });
        yield_now().await;
        lane.disconnect(1, Leave::Silent);
        lane.connect(&[seat(1)]);
        let mut heard = vec![];
        let deadline = tokio::time::sleep(Duration::from_secs(1));
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                out = next(lane) => heard.extend(out),
                () = &mut deadline => break,
            }
        }
        assert_eq!(
            heard,
            [
                Progress::Sent { ticket: 1, at: Micros(0) },
                Progress::Up { asset: 1, node: "n1".into() }
            ]
        );
    });
}

use std::{future::poll_fn, time::Duration};

use model::End;
use tokio::{
    sync::Notify,
    task::{LocalSet, yield_now},
    time::Instant,
};

use super::*;
use crate::{Origin, Outgoing};

/// Answers after 10 ms; asset 9 is never let in; sequence number 100 closes the connection.
struct Slow(Clock);

struct Line {
    clock: Clock,
    broken: Notify,
}

impl Connect for Slow {
    type Session = Line;
    async fn connect(&self, request: &ConnectRequest) -> Result<Line, &'static str> {
        if request.conn == ConnId(9) {
            Err("not you")
        } else {
            Ok(Line { clock: self.0.clone(), broken: Notify::new() })
        }
    }
}

impl Session for Line {
    fn node(&self) -> NodeIndex {
        NodeIndex(1)
    }
    async fn send(&self, attempt: Attempt) -> Answer {
        if attempt.identity.seq == 100 {
            self.broken.notify_one();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let position = Some(attempt.payload.len() as u64);
        Answer { outcome: Outcome::Acked, at: self.clock.now(), by: Some(self.node()), position }
    }
    async fn closed(&self) -> &'static str {
        self.broken.notified().await;
        "reset"
    }
    fn disconnect(&self, _how: Disconnect) {}
}

fn request(conn: u32) -> ConnectRequest {
    let from = Origin { end: End::Cell("c".into()), host: conn };
    ConnectRequest {
        conn: ConnId(conn),
        assets: conn..conn + 1,
        from,
        region: "r".into(),
        attempt: 0,
    }
}

fn outgoing(ticket: u32, asset: u32, seq: u64) -> Outgoing {
    Outgoing {
        ticket,
        conn: ConnId(asset),
        identity: Identity { asset, stream: 0, boot: 1, seq },
        attempt: 1,
        start: 0,
        length: 4,
    }
}

/// A session takes everything.
fn submit(lane: &mut SessionLane<Slow>, readings: &[Outgoing]) {
    let mut refused = vec![];
    lane.submit(Batch { readings, arena: &Bytes::from_static(b"abcd") }, &mut refused);
    assert_eq!(refused, [0u32; 0]);
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

fn done(ticket: u32, outcome: Outcome, at: i64) -> Progress {
    let (by, position) =
        if outcome == Outcome::Acked { (Some(NodeIndex(1)), Some(4)) } else { (None, None) };
    Progress::Done { ticket, outcome, at: Micros(at), by, position }
}

#[test]
fn answers_come_with_their_own_time() {
    played(async |lane| {
        lane.connect(&[request(1), request(9)]);
        let (up, down) = (
            Progress::Up { conn: ConnId(1), node: NodeIndex(1) },
            Progress::Down { conn: ConnId(9), why: "not you" },
        );
        assert_eq!(next(lane).await, [up, down]);
        submit(lane, &[outgoing(5, 1, 0), outgoing(6, 9, 0)]);
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
        lane.connect(&[request(1)]);
        next(lane).await;
        submit(lane, &[outgoing(1, 1, 0), outgoing(2, 1, 100)]);
        next(lane).await;
        let lost = [
            done(1, Outcome::Unknown, 0),
            done(2, Outcome::Unknown, 0),
            Progress::Down { conn: ConnId(1), why: "reset" },
        ];
        assert_eq!(next(lane).await, lost);
    });
}

#[test]
fn after_a_disconnect_nothing_more_is_said() {
    played(async |lane| {
        lane.connect(&[request(1)]);
        next(lane).await;
        submit(lane, &[outgoing(1, 1, 100)]);
        yield_now().await;
        lane.disconnect(ConnId(1), Disconnect::Silent);
        lane.connect(&[request(1)]);
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
                Progress::Up { conn: ConnId(1), node: NodeIndex(1) }
            ]
        );
    });
}

#[test]
fn what_was_about_to_be_said_of_a_connection_is_not_said_of_the_next() {
    played(async |lane| {
        lane.connect(&[request(1), request(9)]);
        // Both tasks have spoken, and nobody has listened yet.
        for _ in 0..3 {
            yield_now().await;
        }
        lane.disconnect(ConnId(1), Disconnect::Close);
        lane.disconnect(ConnId(9), Disconnect::Close);
        lane.connect(&[request(2)]);
        assert_eq!(next(lane).await, [Progress::Up { conn: ConnId(2), node: NodeIndex(1) }]);
    });
}

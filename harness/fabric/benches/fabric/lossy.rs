//! Goodput of TCP under loss, with segmentation offload and without. A fabric that draws per super-packet would be far too kind; one
//! that draws per segment makes no difference.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fabric::{Engine, Policy, Rule};
use model::{Chance, LinkQuality};
use rustix::net::sockopt::set_tcp_congestion;

use crate::args::Effort;
use crate::figures::{spread, until};
use crate::net::{A_TO_B, B_TO_A, Net};
use crate::table::{Goal, Goals, Row};
use crate::way::{self, Way};

/// Several at once see more losses in the same time, which steadies the sum.
const STREAMS: usize = 8;
/// Whose goodput depends on loss by a known law (Mathis 1997), and which every kernel has; the host's own choice may hardly care.
const CONGESTION: &str = "reno";
const DELAY: Duration = Duration::from_millis(5);
/// Slow start is over by then.
const WARM_UP: Duration = Duration::from_millis(500);
/// So long may a read or a write block before its thread looks whether it is over.
const GLANCE: Duration = Duration::from_millis(50);
const CHUNK_BYTES: usize = 32 << 10;

pub(crate) fn rows(engine: Engine, effort: &Effort) -> io::Result<Vec<Row>> {
    let net = way::net(engine)?;
    let mut rows = Vec::new();
    for &lost in effort.lossy {
        let mut rounds: [Vec<f64>; 2] = Default::default();
        for _ in 0..effort.lossy_rounds {
            for (offload, rounds) in [true, false].into_iter().zip(&mut rounds) {
                net.set_offload(offload)?;
                rounds.push(goodput(&net, Chance(lost), effort.lossy_stream)?);
            }
        }
        let [with, without] = rounds.each_ref().map(|rounds| spread(rounds) * 100.0);
        rows.push(Row {
            note: format!(
                "{STREAMS} {CONGESTION} streams, 5 ms each way, loss to the receiver; spread {with:.0} % with, {without:.0} % without"
            ),
            ..Row::ratio(
                format!("TCP goodput at {} % loss, with offload", f64::from(lost) / 1e4),
                "Mbit/s",
                rounds,
                "without",
                Goals::both(Goal::Within(0.1)),
            )
        });
    }
    Ok(rows)
}

/// Mbit/s of all streams.
fn goodput(net: &Net, lost: Chance, time: Duration) -> io::Result<f64> {
    // Connections are made before anything is lost: a lost SYN costs a second and says nothing about offload.
    net.fabric.apply(Policy::default()).map_err(io::Error::other)?;
    let way = Way::through(net)?;
    let ends = (0..STREAMS).map(|_| way.connect()).collect::<io::Result<Vec<_>>>()?;
    // All that can fail comes before the first thread: the scope would wait for threads that nobody tells that it is over.
    for (near, far) in &ends {
        set_tcp_congestion(near, CONGESTION)?;
        near.set_write_timeout(Some(GLANCE))?;
        far.set_read_timeout(Some(GLANCE))?;
    }
    let delayed = LinkQuality { delay: DELAY, ..LinkQuality::default() };
    let lossy = LinkQuality { loss: vec![lost], ..delayed.clone() };
    let links = [(A_TO_B, Rule::from(lossy)), (B_TO_A, Rule::from(delayed))];
    net.fabric.apply(Policy { links: links.into() }).map_err(io::Error::other)?;

    let (over, bytes) = (AtomicBool::new(false), AtomicU64::new(0));
    Ok(thread::scope(|scope| {
        let (over, bytes, way) = (&over, &bytes, &way);
        for (near, far) in ends {
            scope.spawn(move || send(way, near, over));
            scope.spawn(move || receive(way, far, over, bytes));
        }
        let start = Instant::now() + WARM_UP;
        until(start);
        let before = bytes.load(Ordering::Relaxed);
        until(start + time);
        let (moved, time) = (bytes.load(Ordering::Relaxed) - before, start.elapsed());
        over.store(true, Ordering::Relaxed);
        moved as f64 * 8.0 / 1e6 / time.as_secs_f64()
    }))
}

/// Ends with the measurement, or with its connection: then nothing is counted, which shows.
fn send(way: &Way, mut near: TcpStream, over: &AtomicBool) {
    way.a.pin();
    let chunk = [7; CHUNK_BYTES];
    while !over.load(Ordering::Relaxed) {
        match near.write(&chunk) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
            _ => {}
        }
    }
}

fn receive(way: &Way, mut far: TcpStream, over: &AtomicBool, bytes: &AtomicU64) {
    way.b.pin();
    let mut chunk = [0; CHUNK_BYTES];
    while !over.load(Ordering::Relaxed) {
        match far.read(&mut chunk) {
            Ok(0) => return,
            Ok(length) => drop(bytes.fetch_add(length as u64, Ordering::Relaxed)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

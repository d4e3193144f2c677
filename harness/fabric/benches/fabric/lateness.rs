//! How well a delay is kept, at 1 000 packets per second: by the fabric's own account, and by that of a probe at the far end.

use std::io;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use fabric::{Engine, Rule};
use model::LinkQuality;

use crate::args::Effort;
use crate::figures::{micros, quantile, until};
use crate::net::{A_TO_B, Net};
use crate::table::{Goal, Goals, Row};
use crate::way::{self, Way};

const PERIOD: Duration = Duration::from_millis(1);
const P50: Goals = Goals { free: Goal::AtMost(5.0), two_cores: Goal::ReportOnly };
const P99: Goals = Goals { free: Goal::AtMost(100.0), two_cores: Goal::AtMost(2_000.0) };

pub(crate) fn rows(engine: Engine, effort: &Effort) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for delay_ms in [1, 10] {
        // p50 and p99 of the fabric's account, then of the probe's.
        let mut rounds: [Vec<f64>; 4] = Default::default();
        for _ in 0..effort.paced_rounds {
            // A new fabric has an empty histogram.
            let net = way::net(engine)?;
            let off = probe(&net, Duration::from_millis(delay_ms), effort.paced)?;
            let lateness = net.fabric.stats().map_err(io::Error::other)?.lateness;
            let own = [lateness.p50_ns, lateness.p99_ns].map(|ns| ns as f64 / 1e3);
            let seen = [0.5, 0.99].map(|q| quantile(&off, q));
            for (rounds, figure) in rounds.iter_mut().zip(own.into_iter().chain(seen)) {
                rounds.push(figure);
            }
        }
        let [own_p50, own_p99, seen_p50, seen_p99] = rounds;
        rows.push(Row::plain(format!("own lateness at {delay_ms} ms, p50"), "us", own_p50, P50));
        rows.push(Row::plain(format!("own lateness at {delay_ms} ms, p99"), "us", own_p99, P99));
        rows.push(Row::plain(
            format!("end to end beyond {delay_ms} ms, p50"),
            "us",
            seen_p50,
            Goals::REPORT,
        ));
        rows.push(Row::plain(
            format!("end to end beyond {delay_ms} ms, p99"),
            "us",
            seen_p99,
            Goals::REPORT,
        ));
    }
    Ok(rows)
}

/// Microseconds by which each packet took longer than the delay, from before it was sent until it was read.
fn probe(net: &Net, delay: Duration, packets: u32) -> io::Result<Vec<f64>> {
    net.apply(A_TO_B, Rule::from(LinkQuality { delay, ..LinkQuality::default() }))?;
    let way = Way::through(net)?;
    let (a, b) = way.udp()?;
    let origin = Instant::now();
    thread::scope(|scope| {
        let far = scope.spawn(|| {
            way.b.pin();
            (0..packets).map(|_| arrival(&b, origin, delay)).collect()
        });
        let near = scope.spawn(|| {
            way.a.pin();
            for packet in 0..packets {
                until(origin + PERIOD * packet);
                a.send(&(origin.elapsed().as_nanos() as u64).to_be_bytes())?;
            }
            Ok::<_, io::Error>(())
        });
        near.join().expect("the sender does not panic")?;
        far.join().expect("the receiver does not panic")
    })
}

fn arrival(socket: &UdpSocket, origin: Instant, delay: Duration) -> io::Result<f64> {
    let mut sent = [0; 8];
    socket.recv(&mut sent)?;
    Ok(micros(origin.elapsed()) - u64::from_be_bytes(sent) as f64 / 1e3 - micros(delay))
}

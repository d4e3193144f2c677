//! A UDP packet there and back with nothing asked of the fabric: what its presence costs.

use std::io;
use std::thread;
use std::time::Instant;

use fabric::Engine;

use crate::args::Effort;
use crate::figures::{micros, quantile};
use crate::table::{Goal, Goals, Row};
use crate::way::{self, Way};

const ADDED: Goals = Goals { free: Goal::AtMost(80.0), two_cores: Goal::AtMost(150.0) };

pub(crate) fn rows(engine: Engine, effort: &Effort) -> io::Result<Vec<Row>> {
    let net = way::net(engine)?;
    let ways = [Way::through(&net)?, Way::veth()?];
    let (mut p50, mut p99): ([Vec<f64>; 2], [Vec<f64>; 2]) = Default::default();
    for _ in 0..effort.rounds {
        for (index, way) in ways.iter().enumerate() {
            let times = ping(way, effort.pings)?;
            p50[index].push(quantile(&times, 0.5));
            p99[index].push(quantile(&times, 0.99));
        }
    }
    Ok(vec![
        Row::added("round trip at zero policy, p50", "us", p50, "veth", ADDED),
        Row::added("round trip at zero policy, p99", "us", p99, "veth", Goals::REPORT),
    ])
}

/// Microseconds of each round trip, one after the other.
fn ping(way: &Way, rounds: usize) -> io::Result<Vec<f64>> {
    let (a, b) = way.udp()?;
    thread::scope(|scope| {
        let echo = scope.spawn(move || {
            way.b.pin();
            let mut bytes = [0; 64];
            for _ in 0..rounds {
                let length = b.recv(&mut bytes)?;
                b.send(&bytes[..length])?;
            }
            Ok::<_, io::Error>(())
        });
        let caller = scope.spawn(move || {
            way.a.pin();
            let (mut bytes, mut times) = ([0; 64], Vec::with_capacity(rounds));
            for _ in 0..rounds {
                let start = Instant::now();
                a.send(b"ping")?;
                a.recv(&mut bytes)?;
                times.push(micros(start.elapsed()));
            }
            Ok::<_, io::Error>(times)
        });
        let times = caller.join().expect("the caller does not panic");
        echo.join().expect("the echo does not panic")?;
        times
    })
}

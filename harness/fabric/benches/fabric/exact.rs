//! Loss and rate: how near to what was asked.

use std::io;
use std::time::{Duration, Instant};

use fabric::{Engine, Rule};
use model::{BitRate, Chance, LinkQuality};

use crate::args::Effort;
use crate::capture::Capture;
use crate::figures::until;
use crate::net::{A_TO_B, wait_for};
use crate::table::{Goal, Goals, Row};
use crate::way::{self, Way};

const LOSS_ROUNDS: u64 = 3;
/// Packets that any socket buffer holds.
const BATCH: u64 = 50;
const LOST: Chance = Chance(100_000);
const RATE: BitRate = BitRate(8_000_000);
/// 1 000 bytes of IP: a millisecond each at the rate.
const PAYLOAD_BYTES: usize = 972;
const PACKET_BYTES: f64 = 1_000.0;
const UDP: u8 = 17;
const SECOND_NS: u64 = 1_000_000_000;

pub(crate) fn rows(engine: Engine, effort: &Effort) -> io::Result<Vec<Row>> {
    let sigmas = loss(engine, effort.loss_packets)?;
    let off = rate(engine, effort.rate_windows)?;
    Ok(vec![
        Row {
            note: format!("worst of {LOSS_ROUNDS} x {} UDP packets at 10 %", effort.loss_packets),
            ..Row::deviation("loss off its share", "sigma", sigmas, Goals::both(Goal::AtMost(4.0)))
        },
        Row {
            note: format!(
                "worst of {} windows of 1 s at 8 Mbit/s, kernel stamps",
                effort.rate_windows
            ),
            ..Row::deviation("rate off", "%", off, Goals::both(Goal::AtMost(1.0)))
        },
    ])
}

/// Of each round: standard deviations of the binomial distribution between the packets that did not arrive and their share. One
/// fabric serves all rounds, since a new one would draw the same from its seed.
fn loss(engine: Engine, packets: u64) -> io::Result<Vec<f64>> {
    let net = way::net(engine)?;
    let way = Way::through(&net)?;
    let (a, b) = way.udp()?;
    net.apply(A_TO_B, Rule::from(LinkQuality { loss: vec![LOST], ..LinkQuality::default() }))?;
    let (mut sent, mut received, mut sigmas) = (0, 0, Vec::new());
    for round in 1..=LOSS_ROUNDS {
        let before = (sent, received);
        while sent < round * packets {
            for _ in 0..BATCH {
                a.send(b"x")?;
            }
            sent += BATCH;
            // One batch at a time: what is lost is lost to the draw, and to no buffer.
            wait_for("all packets to reach the fabric", || {
                Ok(net.counters(A_TO_B)?.arrived.packets == sent)
            })?;
            while received < net.counters(A_TO_B)?.passed.packets {
                b.recv(&mut [0; 8])?;
                received += 1;
            }
        }
        sigmas.push(off_share((sent - before.0) as f64, (received - before.1) as f64));
    }
    Ok(sigmas)
}

fn off_share(sent: f64, received: f64) -> f64 {
    let chance = LOST.as_f64();
    (sent - received - sent * chance) / (sent * chance * (1.0 - chance)).sqrt()
}

/// Per cent between the rate and the bytes of each second, sent at twice the rate.
fn rate(engine: Engine, windows: u64) -> io::Result<Vec<f64>> {
    let net = way::net(engine)?;
    let way = Way::through(&net)?;
    let (a, _b) = way.udp()?;
    let capture = way.b.enter(Capture::open)?;
    net.apply(A_TO_B, Rule::from(LinkQuality { rate: Some(RATE), ..LinkQuality::default() }))?;
    let mut stamps: Vec<u64> = Vec::new();
    let (origin, mut sent) = (Instant::now(), 0);
    // The first packets fill the queue; a window begins behind them.
    let warm = |first: u64| first + SECOND_NS / 5;
    while stamps
        .first()
        .is_none_or(|first| stamps[stamps.len() - 1] < warm(*first) + windows * SECOND_NS)
    {
        if origin.elapsed() > Duration::from_secs(windows + 10) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "too little arrives at 8 Mbit/s"));
        }
        until(origin + Duration::from_micros(500) * sent);
        a.send(&[7; PAYLOAD_BYTES])?;
        sent += 1;
        stamps.extend(
            capture
                .drain()?
                .iter()
                .filter(|arrival| arrival.protocol == UDP)
                .map(|arrival| arrival.at_ns),
        );
    }
    let start = warm(stamps[0]);
    let bits = |window: u64| {
        let from = start + window * SECOND_NS;
        stamps.iter().filter(|at| (from..from + SECOND_NS).contains(*at)).count() as f64
            * PACKET_BYTES
            * 8.0
    };
    Ok((0..windows).map(|window| (bits(window) / RATE.0 as f64 - 1.0) * 100.0).collect())
}

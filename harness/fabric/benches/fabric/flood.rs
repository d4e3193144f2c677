//! Small packets, as fast as a machine can send them: what one worker delivers, and what a packet costs it.

use std::io;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fabric::{Engine, EngineStats, Snapshot};

use crate::args::Effort;
use crate::figures::{micros, until};
use crate::net::{A_TO_B, Net};
use crate::table::{Goal, Goals, Row};
use crate::way::{self, Way};

const PAYLOAD_BYTES: usize = 64;
const WARM_UP: Duration = Duration::from_millis(50);
const SPEED: Goals = Goals { free: Goal::AtLeast(100.0), two_cores: Goal::AtLeast(50.0) };

struct Flood {
    /// Thousands per second, handed to the receiving machine.
    delivered: f64,
    /// Of the fabric's threads, per delivered packet.
    cpu_us: f64,
    /// Share of what was sent that the kernel dropped before the fabric could read it, in per cent.
    dropped: f64,
}

pub(crate) fn rows(engine: Engine, effort: &Effort) -> io::Result<Vec<Row>> {
    let mut floods = Vec::new();
    for _ in 0..effort.rounds {
        // A queue that is full of the last round's packets would be part of this one.
        floods.push(flood(&way::net(engine)?, effort.flood)?);
    }
    let each = |figure: fn(&Flood) -> f64| floods.iter().map(figure).collect();
    Ok(vec![
        Row {
            note: "64 B of UDP from one sender; delivered is what the fabric handed to the far machine".into(),
            ..Row::plain("packets per worker", "k/s", each(|flood| flood.delivered), SPEED)
        },
        Row::plain("fabric CPU per packet", "us", each(|flood| flood.cpu_us), Goals::REPORT),
        Row {
            noisy: false,
            note: "the sender is faster than any worker; what counts is that they are counted".into(),
            ..Row::plain("dropped before the fabric", "%", each(|flood| flood.dropped), Goals::REPORT)
        },
    ])
}

fn flood(net: &Net, time: Duration) -> io::Result<Flood> {
    let way = Way::through(net)?;
    // Nobody reads at the far end: its stack takes every packet and drops what its socket cannot hold, at no cost of a wake-up.
    let (a, _b) = way.udp()?;
    let over = AtomicBool::new(false);
    let (before, after) = thread::scope(|scope| {
        let sender = scope.spawn(|| send(&way, &a, &over));
        until(Instant::now() + WARM_UP);
        let before = look(net);
        until(Instant::now() + time);
        let after = look(net);
        over.store(true, Ordering::Relaxed);
        sender.join().expect("the sender does not panic")?;
        Ok::<_, io::Error>((before?, after?))
    })?;
    let seconds = (after.0.at_ns - before.0.at_ns) as f64 / 1e9;
    let packets = |(snapshot, _): &(Snapshot, EngineStats)| {
        let link = snapshot.links.get(&A_TO_B).copied().unwrap_or_default();
        (link.passed.packets as f64, link.arrived.packets as f64)
    };
    let (passed, arrived) =
        (packets(&after).0 - packets(&before).0, packets(&after).1 - packets(&before).1);
    let dropped = (after.1.kernel_drops - before.1.kernel_drops) as f64;
    Ok(Flood {
        delivered: passed / seconds / 1e3,
        cpu_us: micros(after.1.cpu - before.1.cpu) / passed.max(1.0),
        dropped: dropped / (dropped + arrived).max(1.0) * 100.0,
    })
}

fn look(net: &Net) -> io::Result<(Snapshot, EngineStats)> {
    let snapshot = net.fabric.counters().map_err(io::Error::other)?;
    Ok((snapshot, net.fabric.stats().map_err(io::Error::other)?))
}

/// Until it is over.
pub(crate) fn send(way: &Way, socket: &UdpSocket, over: &AtomicBool) -> io::Result<()> {
    way.a.pin();
    while !over.load(Ordering::Relaxed) {
        match socket.send(&[7; PAYLOAD_BYTES]) {
            // The device's queue is full: what a flood is for.
            Err(error) if !matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EAGAIN)) => {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(())
}

//! The generator and its peers against the same server, over loopback.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;

use crate::{
    Bench,
    ours::{Asked, Found, To},
    peers::{Load, Outcome, Peer, QUANTILES},
    rows::{Goal, Row},
    server::Server,
    truth::{Latencies, Truth},
};

const SECOND: Duration = Duration::from_secs(1);
/// Of the tools that are asked for a rate.
const RATE: u32 = 5_000;
/// Of one more run of ours: what is due together is sent together.
const HIGH_RATE: u32 = 20_000;
const CONNECTIONS: u32 = 64;
/// In a run with stalls.
const STALLED_RATE: u32 = 2_000;
/// Each always-on connection sends once in so many seconds.
const EVERY_S: u32 = 5;

impl Bench {
    fn ours(&self, server: &Server, how: &Http) -> Result<Found> {
        let Http { version, path, connections, rate, lasts } = *how;
        let (version, path) = (version.to_owned(), path.to_owned());
        let to = To::Http { server: server.address, version, path };
        let every = SECOND * connections / rate;
        let asked = Asked::new(to, connections, every, lasts, self.scratch.path());
        // Thousands of connections take a moment; what waits at the end of a stall has its answer soon.
        let ahead = Duration::from_millis(500) + Duration::from_micros(400) * connections;
        Asked { ahead, drains: Duration::from_secs(5), ..asked }.run()
    }

    /// The peers that are here, but in a quick bench only these.
    fn peers(&self, quick: &[Peer]) -> impl Iterator<Item = (Peer, &PathBuf)> {
        let asked = self.peers.iter().map(|(peer, program)| (*peer, program));
        asked
            .filter(move |(peer, _)| !self.quick || quick.contains(peer))
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// What a peer did; None, and a printed line, if it could not.
    #[allow(clippy::print_stdout, reason = "a bench talks to the person who runs it")]
    fn peer(&self, peer: Peer, program: &Path, load: &Load) -> Option<Outcome> {
        let ran = peer.run(program, load, self.scratch.path());
        ran.inspect_err(|error| println!("left out {}: {error:#}", peer.name())).ok()
    }
}

struct Http {
    version: &'static str,
    path: &'static str,
    connections: u32,
    rate: u32,
    lasts: Duration,
}

fn us_each(cpu: Duration, requests: f64) -> f64 {
    cpu.as_secs_f64() * 1e6 / requests
}

/// CPU of the whole process for a request. wrk sends as fast as it can, all others at the same rate.
pub(crate) fn cost(bench: &Bench) -> Result<Vec<Row>> {
    let seconds = if bench.quick { 3 } else { 8 };
    let server = Server::start(&[], None)?;
    let lasts = Duration::from_secs(seconds);
    let ours = |version, connections, rate| {
        let how = Http { version, path: "/null", connections, rate, lasts };
        let found = bench.ours(&server, &how)?;
        let us = us_each(found.cpu, found.acked as f64);
        let what = format!("{version}, {connections} connections, {rate}/s: CPU a request");
        let lost = found.generated - found.acked;
        let note = format!("{lost} of {} not acked", found.generated);
        anyhow::Ok(Row::new(what, us, "us").note(note))
    };
    let mut rows = vec![ours("http1", CONNECTIONS, RATE)?, ours("http2", 8, RATE)?];
    rows.push(ours("http1", CONNECTIONS, HIGH_RATE)?);
    let us = rows[0].figure;
    for (peer, program) in bench.peers(&[Peer::Wrk, Peer::Wrk2, Peer::Oha, Peer::Vegeta]) {
        let load = Load {
            server: server.address,
            rate: RATE,
            seconds,
            connections: CONNECTIONS,
            always_on_s: None,
            corrected: false,
        };
        let Some(outcome) = bench.peer(peer, program, &load) else { continue };
        let theirs = us_each(outcome.cpu, outcome.requests);
        let per_second = outcome.requests / seconds as f64;
        let goal = match peer {
            Peer::Wrk2 => Goal::AtMost(1.5),
            Peer::K6 => Goal::AtMost(0.2),
            Peer::Wrk | Peer::Oha | Peer::Vegeta | Peer::Hey => Goal::ReportOnly,
        };
        rows.push(
            Row::new(format!("http1: CPU a request, beside {}", peer.name()), us, "us")
                .beside(peer.name(), theirs)
                .goal(goal)
                .note(format!("it sent {per_second:.0} a second")),
        );
    }
    server.stop()?;
    Ok(rows)
}

/// What is said of latency while the server stands still for a second in every ten, beside what was: the schedule and the server's stamps.
pub(crate) fn truth(bench: &Bench) -> Result<Vec<Row>> {
    let (stalls, seconds) = match bench.quick {
        true => (["--stall=500ms", "--every=5s"], 10),
        false => (["--stall=1s", "--every=10s"], 20),
    };
    let stamps = bench.scratch.path().join("stalls.csv");
    let server = Server::start(&stalls, Some(&stamps))?;
    let lasts = Duration::from_secs(seconds);
    let how = Http {
        version: "http1",
        path: "/readings",
        connections: CONNECTIONS,
        rate: STALLED_RATE,
        lasts,
    };
    let found = bench.ours(&server, &how)?;
    server.stop()?;
    let Truth { said, was, unanswered } = Truth::of(&found, &stamps)?;
    let worst = said.worst(&was);
    let mut rows = vec![
        Row::new("stalls: worst quantile of ours, in tolerances", worst, "x")
            .goal(Goal::AtMost(1.0))
            .note("of 2 % or 2 ms, whichever is more"),
        Row::new("stalls: p99 of ours", said.ms[3], "ms")
            .beside("truth", was.ms[3])
            .note(format!("{said}; truth {was}; {unanswered} without an answer")),
    ];
    for (peer, program) in bench.peers(&[Peer::Vegeta]) {
        let tries: &[bool] = match peer {
            Peer::Oha | Peer::Vegeta | Peer::K6 if !bench.quick => &[true, false],
            _ => &[false],
        };
        for corrected in tries {
            let server = Server::start(&stalls, None)?;
            let load = Load {
                server: server.address,
                rate: STALLED_RATE,
                seconds,
                connections: CONNECTIONS,
                always_on_s: None,
                corrected: *corrected,
            };
            let outcome = bench.peer(peer, program, &load);
            server.stop()?;
            let Some(Outcome { ms, requests, .. }) = outcome else { continue };
            let Some(p99) = ms[3] else { continue };
            let how = match (peer, corrected) {
                (Peer::Oha, true) => " --latency-correction",
                (Peer::Vegeta, true) => ", workers unbounded",
                (Peer::K6, true) => ", 3 000 users ready",
                (Peer::Wrk, _) => ", closed loop",
                _ => ", 64 connections",
            };
            let said: Vec<String> = QUANTILES
                .iter()
                .zip(ms)
                .map(|(q, ms)| {
                    format!("p{} {}", q * 100.0, ms.map_or("-".to_owned(), |ms| format!("{ms:.1}")))
                })
                .collect();
            rows.push(
                Row::new(format!("stalls: p99 of {}{how}", peer.name()), p99, "ms")
                    .beside("truth", was.ms[3])
                    .note(format!("{}; {requests:.0} requests", said.join(", "))),
            );
        }
    }
    Ok(rows)
}

/// User memory of a connection that is always there, and sends once in five seconds.
pub(crate) fn connections(bench: &Bench) -> Result<Vec<Row>> {
    let connections =
        if bench.quick { 2_000 } else { bench.files.saturating_sub(1_000).min(15_000) };
    let lasts = Duration::from_secs(if bench.quick { 6 } else { 15 });
    let server = Server::start(&[], None)?;
    let rate = connections / EVERY_S;
    let how = Http { version: "http1", path: "/null", connections, rate, lasts };
    let found = bench.ours(&server, &how)?;
    server.stop()?;
    let bytes = found.memory as f64 / f64::from(connections);
    let lost = found.generated - found.acked;
    let mut rows = vec![
        Row::new("always-on connections in one process", f64::from(connections), "")
            .goal(if bench.quick { Goal::ReportOnly } else { Goal::AtLeast(15_000.0) })
            .note(format!(
                "{lost} of {} readings not acked; {} files allowed",
                found.generated, bench.files
            )),
        Row::new("a connection: memory, asset included", bytes / 1e3, "kB").goal(Goal::AtMost(4.0)),
        Row::new(
            "a connection: CPU a message, connecting included",
            us_each(found.cpu, found.acked as f64),
            "us",
        ),
    ];
    let few = connections.min(2_000);
    for (peer, program) in
        bench.peers(&[]).filter(|(peer, _)| matches!(peer, Peer::K6 | Peer::Hey | Peer::Oha))
    {
        let server = Server::start(&[], None)?;
        let load = |connections| Load {
            server: server.address,
            rate: 0,
            seconds: 12,
            connections,
            always_on_s: Some(EVERY_S),
            corrected: false,
        };
        // What the program itself holds is no connection's.
        let outcomes =
            bench.peer(peer, program, &load(10)).zip(bench.peer(peer, program, &load(few)));
        server.stop()?;
        let Some((idle, outcome)) = outcomes else { continue };
        let each = outcome.memory.saturating_sub(idle.memory) as f64 / f64::from(few - 10);
        let goal = if peer == Peer::K6 { Goal::AtMost(1.0 / 30.0) } else { Goal::ReportOnly };
        rows.push(
            Row::new(format!("a connection: memory, beside {}", peer.name()), bytes / 1e3, "kB")
                .beside(peer.name(), each / 1e3)
                .goal(goal)
                .note(format!("with {few} of its own")),
        );
    }
    Ok(rows)
}

/// How late readings are, as the server sees it.
pub(crate) fn pacing(bench: &Bench) -> Result<Vec<Row>> {
    let lasts = Duration::from_secs(if bench.quick { 3 } else { 8 });
    let most = if bench.cores >= 4 { 1.0 } else { 5.0 };
    let mut rows = vec![];
    for rate in [1_000, 20_000].into_iter().take(if bench.quick { 1 } else { 2 }) {
        let stamps = bench.scratch.path().join("pacing.csv");
        let server = Server::start(&[], Some(&stamps))?;
        let connections = rate / 50;
        let how = Http { version: "http1", path: "/readings", connections, rate, lasts };
        let found = bench.ours(&server, &how)?;
        server.stop()?;
        let Truth { was, unanswered, .. } = Truth::of(&found, &stamps)?;
        let own = found.late.map(|us| us as f64 / 1e3);
        rows.push(
            Row::new(format!("pacing at {rate}/s: late at the server, p99"), was.ms[3], "ms")
                .goal(Goal::AtMost(most))
                .note(format!(
                    "{was}; its own lateness p99 {:.2}, max {:.1}; {unanswered} without an answer",
                    own[1], own[2]
                )),
        );
    }
    Ok(rows)
}

impl Latencies {
    /// The quantile that is furthest off, in tolerances.
    fn worst(&self, truth: &Self) -> f64 {
        let off = self.ms.iter().zip(&truth.ms);
        off.map(|(said, was)| (said - was).abs() / (was * 0.02).max(2.0)).fold(0.0, f64::max)
    }
}

//! One TCP stream, through the fabric and through a veth pair in turn: what it moves, and what the whole machine works for it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use fabric::Engine;

use crate::args::Effort;
use crate::figures::{median, until};
use crate::iperf;
use crate::machine::Ticks;
use crate::net::A_TO_B;
use crate::table::{Goal, Goals, Row};
use crate::way::{self, Way};

const CHUNK_BYTES: usize = 128 << 10;
/// How long the machine is watched doing nothing, to know what is not ours.
const IDLE: Duration = Duration::from_millis(250);
const SPEED: Goals = Goals { free: Goal::AtLeast(0.75), two_cores: Goal::ReportOnly };
const WORK: Goals = Goals { free: Goal::AtMost(1.5), two_cores: Goal::AtMost(1.7) };

/// What one stream did.
struct Moved {
    gbit_per_s: f64,
    /// CPU seconds per Gbit: of the whole machine without its background, and of this process.
    machine: f64,
    own: f64,
    /// Cores that others kept busy just before.
    background: f64,
}

/// With more than this the background cannot be subtracted: it gives way to the traffic, and returns behind it.
const QUIET: f64 = 0.2;

pub(crate) fn rows(engine: Engine, effort: &Effort) -> io::Result<Vec<Row>> {
    let net = way::net(engine)?;
    let ways = [Way::through(&net)?, Way::veth()?];
    let mut moved: [Vec<Moved>; 2] = Default::default();
    // The first streams find cold caches and sleeping cores.
    for way in &ways {
        stream(way, effort.stream / 4)?;
    }
    for _ in 0..effort.rounds {
        for (way, moved) in ways.iter().zip(&mut moved) {
            moved.push(stream(way, effort.stream)?);
        }
    }
    let passed = net.counters(A_TO_B)?.passed;
    let speed = Row {
        note: format!(
            "the fabric's packets hold {:.1} kB on average",
            passed.bytes as f64 / passed.packets.max(1) as f64 / 1e3
        ),
        ..Row::ratio(
            "TCP one stream, own probe",
            "Gbit/s",
            each(&moved, |moved| moved.gbit_per_s),
            "veth",
            SPEED,
        )
    };
    let [total, own] = cpu_rows(&moved);
    Ok(vec![speed, iperf_row(&ways, effort)?, total, own])
}

/// The goal is the whole machine's as long as it can be told from what others do, else that of the own clock.
fn cpu_rows(moved: &[Vec<Moved>; 2]) -> [Row; 2] {
    let background = median(&each(moved, |moved| moved.background).concat());
    let quiet = background <= QUIET;
    let (machine, process) = if quiet { (WORK, Goals::REPORT) } else { (Goals::REPORT, WORK) };
    let total =
        Row::ratio("total CPU per Gbit", "s", each(moved, |moved| moved.machine), "veth", machine);
    let total = Row {
        noisy: total.noisy || !quiet,
        note: format!(
            "/proc/stat of all cores with softirq, less a background of {background:.2} cores"
        ),
        ..total
    };
    let own = Row {
        note:
            "CPU clock of this process: blind to others' load, and to softirq outside its threads"
                .into(),
        ..Row::ratio("own CPU per Gbit", "s", each(moved, |moved| moved.own), "veth", process)
    };
    [total, own]
}

fn each(moved: &[Vec<Moved>; 2], figure: fn(&Moved) -> f64) -> [Vec<f64>; 2] {
    moved.each_ref().map(|moved| moved.iter().map(figure).collect())
}

fn iperf_row(ways: &[Way; 2], effort: &Effort) -> io::Result<Row> {
    let mut rounds: [Vec<f64>; 2] = Default::default();
    for _ in 0..effort.iperf_rounds {
        for (way, rounds) in ways.iter().zip(&mut rounds) {
            match iperf::gbit_per_s(way) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let note = "iperf3 is not installed (ci/install-servers installs it)".into();
                    return Ok(Row {
                        note,
                        ..Row::plain("TCP one stream, iperf3", "Gbit/s", Vec::new(), Goals::REPORT)
                    });
                }
                moved => rounds.push(moved?),
            }
        }
    }
    Ok(Row::ratio("TCP one stream, iperf3", "Gbit/s", rounds, "veth", SPEED))
}

/// Moves as much as it can for a while.
fn stream(way: &Way, time: Duration) -> io::Result<Moved> {
    let ends = way.connect()?;
    let idle = Ticks::now()?;
    until(Instant::now() + IDLE);
    let background = idle.since()?.cores();

    let start = Ticks::now()?;
    let bytes = pour(way, ends, time)?;
    let work = start.since()?;

    let gbit = bytes as f64 * 8.0 / 1e9;
    let machine = (work.busy.as_secs_f64() - background * work.wall.as_secs_f64()).max(0.0);
    Ok(Moved {
        gbit_per_s: gbit / work.wall.as_secs_f64(),
        machine: machine / gbit,
        own: work.own.as_secs_f64() / gbit,
        background,
    })
}

/// Bytes that arrived.
fn pour(way: &Way, (mut near, mut far): (TcpStream, TcpStream), time: Duration) -> io::Result<u64> {
    thread::scope(|scope| {
        let sender = scope.spawn(move || {
            way.a.pin();
            let (chunk, start) = (vec![7; CHUNK_BYTES], Instant::now());
            while start.elapsed() < time {
                near.write_all(&chunk)?;
            }
            Ok::<_, io::Error>(())
        });
        let receiver = scope.spawn(move || {
            way.b.pin();
            let (mut chunk, mut bytes) = (vec![0; CHUNK_BYTES], 0);
            loop {
                match far.read(&mut chunk)? {
                    0 => return Ok::<u64, io::Error>(bytes),
                    length => bytes += length as u64,
                }
            }
        });
        sender.join().expect("the sender does not panic")?;
        receiver.join().expect("the receiver does not panic")
    })
}

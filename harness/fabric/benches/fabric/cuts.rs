//! Cuts under load, watched inside both machines with the kernel's own stamps: how long after the call the last packet arrives, when
//! the call returns, and that nothing arrives afterwards.

use std::io::{self, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fabric::{Applied, Engine, Rule};
use model::{CutForm, LinkQuality, Ports};

use crate::args::Effort;
use crate::capture::{Arrival, Capture, Shut, Watch, real_now_ns};
use crate::figures::{quantile, until};
use crate::net::{A_TO_B, B_TO_A, Net, wait_for};
use crate::table::{Goal, Goals, Row};
use crate::way::{self, Way};

/// Between two probes of one direction.
const PERIOD: Duration = Duration::from_micros(500);
/// Every other cut falls on a link with packets in its delay queue.
const HELD: Duration = Duration::from_micros(1_500);
/// A cut that has swallowed so many in each direction came under load.
const BITTEN: u64 = 3;
const LAST: Goals = Goals { free: Goal::AtMost(1_000.0), two_cores: Goal::AtMost(50_000.0) };
/// Parts of the run whose percentiles show how steady they are.
const PARTS: usize = 5;

/// Microseconds after the call.
struct Seen {
    last: f64,
    acknowledged: f64,
    /// Packets that arrived after the acknowledgement, before the cut was lifted.
    late: Vec<String>,
}

pub(crate) fn rows(engine: Engine, effort: &Effort) -> io::Result<Vec<Row>> {
    let net = way::net(engine)?;
    let way = Way::through(&net)?;
    let load = Load::new(&way)?;
    let seen = thread::scope(|scope| {
        load.start(scope);
        let seen = cuts(&net, &way, &load, effort);
        load.over.store(true, Ordering::Relaxed);
        seen
    })?;
    let late: Vec<String> = seen
        .iter()
        .enumerate()
        .flat_map(|(cut, seen)| seen.late.iter().map(move |late| format!("; cut {cut}: {late}")))
        .collect();
    let note = format!("{} cuts under UDP both ways and a TCP stream{}", seen.len(), late.concat());
    Ok(vec![
        percentile("cut: call to last packet, p50", &seen, |seen| seen.last, 0.5, Goals::REPORT),
        percentile("cut: call to last packet, p99", &seen, |seen| seen.last, 0.99, LAST),
        percentile(
            "cut: call to acknowledgement, p50",
            &seen,
            |seen| seen.acknowledged,
            0.5,
            Goals::REPORT,
        ),
        percentile(
            "cut: call to acknowledgement, p99",
            &seen,
            |seen| seen.acknowledged,
            0.99,
            Goals::REPORT,
        ),
        Row {
            note,
            ..Row::plain(
                "cut: packets after the acknowledgement",
                "",
                vec![late.len() as f64],
                Goals::both(Goal::Never),
            )
        },
    ])
}

/// The percentile of all cuts; the parts of the run are its rounds.
fn percentile(name: &str, seen: &[Seen], figure: fn(&Seen) -> f64, q: f64, goals: Goals) -> Row {
    let all: Vec<f64> = seen.iter().map(figure).collect();
    let rounds =
        all.chunks(all.len().div_ceil(PARTS).max(1)).map(|part| quantile(part, q)).collect();
    let note = format!(
        "{:.0} us over all {}, at most {:.0} us",
        quantile(&all, q),
        all.len(),
        quantile(&all, 1.0)
    );
    Row { figure: quantile(&all, q), note, ..Row::plain(name, "us", rounds, goals) }
}

fn cuts(net: &Net, way: &Way, load: &Load, effort: &Effort) -> io::Result<Vec<Seen>> {
    let captures = [way.a.enter(Capture::open)?, way.b.enter(Capture::open)?];
    captures.iter().try_for_each(|capture| capture.settle().map(drop))?;
    let mut watch = Watch::new(captures);
    let (mut shuts, start) = (Vec::new(), Instant::now());
    open(net, way, load, &mut watch, Duration::ZERO)?;
    while shuts.len() < effort.cuts && start.elapsed() < effort.cutting {
        let called_ns = real_now_ns();
        let applied = net.apply_both(&Rule::cut(Ports::All, CutForm::Drop))?;
        let acknowledged_ns = real_now_ns();
        wait_for_bite(net, &applied)?;
        let delay = if shuts.len().is_multiple_of(2) { HELD } else { Duration::ZERO };
        let reopened_ns = open(net, way, load, &mut watch, delay)?;
        shuts.push(Shut { called_ns, acknowledged_ns, reopened_ns });
    }
    Ok(judge(&shuts, &watch))
}

/// Lifts the cut, and returns the moment before, once traffic passes again.
fn open(net: &Net, way: &Way, load: &Load, watch: &mut Watch, delay: Duration) -> io::Result<u64> {
    let reopened_ns = real_now_ns();
    net.apply_both(&Rule::from(LinkQuality { delay, ..LinkQuality::default() }))?;
    load.renew_stream(way)?;
    watch.wait_for_traffic(reopened_ns)?;
    Ok(reopened_ns)
}

fn judge(shuts: &[Shut], watch: &Watch) -> Vec<Seen> {
    let us = |from_ns: u64, to_ns: u64| (to_ns - from_ns) as f64 / 1e3;
    let unseen = |shut: &Shut| Seen {
        last: 0.0,
        acknowledged: us(shut.called_ns, shut.acknowledged_ns),
        late: Vec::new(),
    };
    let mut seen: Vec<Seen> = shuts.iter().map(unseen).collect();
    for (arrivals, machine) in watch.arrivals.iter().zip(["a", "b"]) {
        for &Arrival { at_ns, protocol } in arrivals {
            let Some(cut) = Shut::find(shuts, at_ns) else { continue };
            let (shut, seen) = (shuts[cut], &mut seen[cut]);
            seen.last = seen.last.max(us(shut.called_ns, at_ns));
            if at_ns > shut.acknowledged_ns {
                seen.late.push(format!(
                    "protocol {protocol} at {machine}, {:.0} us after",
                    us(shut.acknowledged_ns, at_ns)
                ));
            }
        }
    }
    seen
}

/// Holds the cut until it has bitten in both directions.
fn wait_for_bite(net: &Net, applied: &Applied) -> io::Result<()> {
    for link in [A_TO_B, B_TO_A] {
        wait_for("the cut to bite", || {
            let hits = net.counters(link)?.cut_hits();
            Ok(hits.since == applied.epoch && hits.packets >= BITTEN)
        })?;
    }
    Ok(())
}

/// Probes both ways, and a stream from a to b.
struct Load {
    probes: [UdpSocket; 2],
    stream: Mutex<Option<[TcpStream; 2]>>,
    over: AtomicBool,
}

impl Load {
    fn new(way: &Way) -> io::Result<Self> {
        let (a, b) = way.udp()?;
        Ok(Self { probes: [a, b], stream: Mutex::default(), over: AtomicBool::new(false) })
    }

    fn start<'scope>(&'scope self, scope: &'scope thread::Scope<'scope, '_>) {
        for probe in &self.probes {
            // A refusal cannot come, and what a full buffer swallows is no load; the captures see whether there is any.
            scope.spawn(|| self.paced(|| drop(probe.send(b"probe"))));
        }
        scope.spawn(|| {
            self.paced(|| {
                // The far end's buffer holds what nobody reads; a full one is no load, as above.
                if let Some([near, _]) = &mut *self.stream() {
                    let _ = near.write(&[7; 1 << 10]);
                }
            });
        });
    }

    /// Once per period, until it is over.
    fn paced(&self, mut send: impl FnMut()) {
        let mut due = Instant::now();
        while !self.over.load(Ordering::Relaxed) {
            send();
            due = (due + PERIOD).max(Instant::now());
            until(due);
        }
    }

    /// A new connection takes over: one that has just been cut would wait for its retransmission timer.
    fn renew_stream(&self, way: &Way) -> io::Result<()> {
        let (near, far) = way.connect()?;
        near.set_nonblocking(true)?;
        *self.stream() = Some([near, far]);
        Ok(())
    }

    fn stream(&self) -> std::sync::MutexGuard<'_, Option<[TcpStream; 2]>> {
        self.stream.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

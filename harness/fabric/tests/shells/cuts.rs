//! The promise of `apply`: when it has returned, nothing that the policy forbids arrives any more.
//! 200 cuts under UDP probes both ways at 1 kHz and a TCP stream, captured inside both machines
//! with the kernel's own stamps.

use std::io::{self, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fabric::{Applied, Engine, Rule};
use libtest_mimic::Failed;
use model::{CutForm, Lever, LinkQuality, Ports};

use crate::capture::{Capture, Shut, Watch, real_now_ns};
use crate::net::{A_TO_B, B_TO_A, Machine, Net, wait_for};
use crate::transfer::connect;

const CUTS: usize = 200;
const PERIOD: Duration = Duration::from_millis(1);

pub(crate) fn no_packet_after_the_acknowledgement(engine: Engine) -> Result<(), Failed> {
    let net = Net::new(engine)?;
    let captures = [net.a.enter(Capture::open)?, net.b.enter(Capture::open)?];
    let load = Load::start(&net)?;
    let settled = [captures[0].settle()?, captures[1].settle()?];
    let mut watch = Watch::new(captures);
    open(0, &net, &load, &mut watch)?;
    let mut shuts = Vec::new();
    for round in 1..=CUTS {
        let called_ns = real_now_ns();
        let applied = net.apply_both(&Rule::cut(Ports::All, CutForm::Drop))?;
        let acknowledged_ns = real_now_ns();
        wait_for_hits(&net, &applied)?;
        let reopened_ns = open(round, &net, &load, &mut watch)?;
        shuts.push(Shut { called_ns, acknowledged_ns, reopened_ns });
    }
    let seen = everything_that_passed(&net, &mut watch, settled)?;
    load.stop()?;

    let mut last_after_call_ns = 0;
    for arrival in watch.arrivals.iter().flatten() {
        if let Some(round) = Shut::find(&shuts, arrival.at_ns) {
            let shut = shuts[round];
            assert!(
                arrival.at_ns <= shut.acknowledged_ns,
                "cut {round}: {arrival:?} arrived during {shut:?}"
            );
            last_after_call_ns = last_after_call_ns.max(arrival.at_ns - shut.called_ns);
        }
    }
    eprintln!(
        "{engine:?}: {CUTS} cuts, {seen:?} packets captured, the last one {last_after_call_ns} ns after a call"
    );
    Ok(())
}

/// Lifts the cut, and returns the moment before, once traffic passes again.
fn open(round: usize, net: &Net, load: &Load, watch: &mut Watch) -> io::Result<u64> {
    // Every other cut falls on a link with packets in its delay queue.
    let delay = Duration::from_micros(if round.is_multiple_of(2) { 0 } else { 1_500 });
    let reopened_ns = real_now_ns();
    net.apply_both(&LinkQuality { delay, ..LinkQuality::default() }.into())?;
    load.renew_stream(net)?;
    watch.wait_for_traffic(reopened_ns)?;
    Ok(reopened_ns)
}

/// What the captures saw is all that passed to a and to b: no arrival can have escaped them.
fn everything_that_passed(net: &Net, watch: &mut Watch, settled: [u64; 2]) -> io::Result<[u64; 2]> {
    // Nothing passes any more.
    net.apply_both(&Rule::cut(Ports::All, CutForm::Drop))?;
    let passed = [net.counters(B_TO_A)?.passed.packets, net.counters(A_TO_B)?.passed.packets];
    let mut seen = settled;
    wait_for("the captures to have everything that passed", || {
        watch.drain()?;
        seen = [0, 1].map(|machine| settled[machine] + watch.arrivals[machine].len() as u64);
        Ok(seen[0] >= passed[0] && seen[1] >= passed[1])
    })?;
    assert_eq!(seen, passed);
    Ok(seen)
}

/// Holds the cut until it has bitten in both directions, the stream among them.
fn wait_for_hits(net: &Net, applied: &Applied) -> io::Result<()> {
    for (link, established) in [(A_TO_B, 1), (B_TO_A, 0)] {
        wait_for(&format!("the cut to bite on {link:?}"), || {
            let hits = net.counters(link)?.hits(Lever::Cut);
            assert_eq!(hits.since, applied.epoch);
            Ok(hits.packets >= 5 && hits.established >= established)
        })?;
    }
    Ok(())
}

/// Probes both ways and a stream from a to b. Each thread is paced by the timeout of its channel,
/// and ends with it.
struct Load {
    streams: Sender<[TcpStream; 2]>,
    probes: Vec<Sender<()>>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Load {
    fn start(net: &Net) -> io::Result<Self> {
        let bound = |machine: &Machine| machine.enter(|| UdpSocket::bind(machine.any()));
        let (a, b) = (bound(&net.a)?, bound(&net.b)?);
        a.connect(b.local_addr()?)?;
        b.connect(a.local_addr()?)?;
        let (streams, renewed) = mpsc::channel();
        let mut load = Self {
            streams,
            probes: Vec::new(),
            threads: vec![thread::spawn(move || stream(&renewed))],
        };
        for socket in [a, b] {
            let (probe, stopped) = mpsc::channel();
            load.probes.push(probe);
            load.threads.push(thread::spawn(move || probe_with(&socket, &stopped)));
        }
        Ok(load)
    }

    /// A new connection takes over: one that has just been cut would wait for its retransmission timer.
    fn renew_stream(&self, net: &Net) -> io::Result<()> {
        let (near, far) = connect(&net.a, &net.b)?;
        near.set_nonblocking(true)?;
        self.streams.send([near, far]).map_err(io::Error::other)
    }

    fn stop(self) -> io::Result<()> {
        drop((self.streams, self.probes));
        self.threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("the load does not panic"))
    }
}

fn probe_with(socket: &UdpSocket, stopped: &Receiver<()>) -> io::Result<()> {
    while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        socket.send(b"probe")?;
    }
    Ok(())
}

/// Writes 1 KiB per period into the newest stream; the far end's buffer holds what nobody reads.
fn stream(renewed: &Receiver<[TcpStream; 2]>) -> io::Result<()> {
    let mut ends: Option<[TcpStream; 2]> = None;
    loop {
        match (renewed.recv_timeout(PERIOD), &mut ends) {
            (Ok(new), _) => ends = Some(new),
            (Err(RecvTimeoutError::Disconnected), _) => return Ok(()),
            (Err(RecvTimeoutError::Timeout), None) => {}
            (Err(RecvTimeoutError::Timeout), Some([near, _])) => match near.write(&[7; 1 << 10]) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            },
        }
    }
}

//! The null target: an echo over the same host and the same fabric that never touches the stack and that no fault aims at. What it
//! suffers is the noise of this machine, and nothing else's.
//!
//! It runs on a plain thread with sockets of its own, so that no runtime of ours is measured with it. Both ends are of that thread:
//! a round trip is two ways through the fabric and two wake-ups by the kernel, as a server's is.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind, PipeReader, PipeWriter},
    net::{Ipv4Addr, UdpSocket},
    num::NonZero,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use fabric::PortId;
use hdrhistogram::Histogram;
use model::event::Health;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{
    attachment::{Addresses, Attacher, Place},
    lock::lock,
    namespace::udp_socket,
};

/// Between two probes.
const EVERY: Duration = Duration::from_millis(20);
/// Longer without an answer is lost, until the answer comes after all.
const LOST_AFTER: Duration = Duration::from_secs(1);
/// Longer than this nothing waits for an answer.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// Addresses that no plan gives to a node: those begin at 198.18.1.1.
const PROBER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 253);
const ECHO: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 254);
/// RFC 862.
const ECHO_PORT: u16 = 7;

/// Dropped to end it.
#[derive(Debug)]
pub(crate) struct NullTarget {
    tally: Arc<Mutex<Tally>>,
    attacher: Attacher,
    places: [Place; 2],
    /// The thread looks at its other end.
    open: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl NullTarget {
    /// `ports` are the fabric's numbers of its two ends.
    pub(crate) fn open(attacher: &Attacher, ports: [PortId; 2]) -> io::Result<Self> {
        let place = |name, id, first| attacher.place(name, id, Addresses { first, prefix: 32 });
        let places = [place("null probe", ports[0], PROBER)?, place("null echo", ports[1], ECHO)?];
        let near = places[0].namespace.run(|| udp_socket(PROBER, 0))?.into();
        let far = places[1].namespace.run(|| udp_socket(ECHO, ECHO_PORT))?.into();
        let tally = Arc::new(Mutex::new(Tally::new()));
        let (closing, open) = io::pipe()?;
        let prober = Prober { near, far, tally: tally.clone(), closing };
        let thread =
            thread::Builder::new().name("null target".into()).spawn(move || prober.live())?;
        Ok(Self {
            tally,
            attacher: attacher.clone(),
            places,
            open: Some(open),
            thread: Some(thread),
        })
    }

    pub(crate) fn tally(&self) -> Arc<Mutex<Tally>> {
        self.tally.clone()
    }

    /// A place of the lab that nobody else uses.
    pub(crate) fn place(&self) -> &Place {
        &self.places[0]
    }
}

impl Drop for NullTarget {
    fn drop(&mut self) {
        self.open = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it was printed when it happened.
            let _ = thread.join();
        }
        for place in &self.places {
            // The fabric may have stopped before us, and has then let go of every device.
            let _ = self.attacher.discard(place.clone());
        }
    }
}

/// What became of the probes.
#[derive(Debug)]
pub(crate) struct Tally {
    /// When each was due, and when it was sent.
    waiting: BTreeMap<u64, (Instant, Instant)>,
    /// From the moment at which a probe was due to its answer, in microseconds: a prober that was late itself hides nothing.
    answers: Histogram<u64>,
    forgotten: u64,
    /// Why it ended before the lab did.
    trouble: Option<String>,
}

impl Tally {
    fn new() -> Self {
        let answers = Histogram::new_with_bounds(1, FORGOTTEN_AFTER.as_micros() as u64, 3)
            .expect("the bounds are in order");
        Self { waiting: BTreeMap::new(), answers, forgotten: 0, trouble: None }
    }

    /// Forgets what it has seen; answers to probes that are still under way count no more.
    pub(crate) fn begin(&mut self) {
        self.waiting.clear();
        self.answers.reset();
        self.forgotten = 0;
    }

    fn sent(&mut self, number: u64, due: Instant, now: Instant) {
        self.waiting.insert(number, (due, now));
        while let Some(oldest) =
            self.waiting.first_entry().filter(|oldest| now - oldest.get().1 > FORGOTTEN_AFTER)
        {
            oldest.remove();
            self.forgotten += 1;
        }
    }

    fn answered(&mut self, number: u64, now: Instant) {
        if let Some((due, _)) = self.waiting.remove(&number) {
            self.answers
                .saturating_record(u64::try_from((now - due).as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// Puts its figures down.
    pub(crate) fn report(&self, now: Instant, health: &mut Health) {
        let late = self
            .waiting
            .values()
            .filter(|(_, sent)| now.saturating_duration_since(*sent) > LOST_AFTER)
            .count() as u64;
        health.null_lost = self.forgotten + late;
        health.null_count = self.answers.len() + health.null_lost;
        health.null_p50_us = self.answers.value_at_quantile(0.5);
        health.null_p99_us = self.answers.value_at_quantile(0.99);
        health.null_max_us = self.answers.max();
        health
            .degraded
            .extend(self.trouble.iter().map(|why| format!("The null target ended early: {why}.")));
    }
}

#[derive(Debug)]
struct Prober {
    near: UdpSocket,
    far: UdpSocket,
    tally: Arc<Mutex<Tally>>,
    closing: PipeReader,
}

impl Prober {
    fn live(self) {
        // Without it the kernel may wake us 50 us late to save power, and that would be measured.
        let _a_little_coarser = rustix::thread::set_current_timer_slack(NonZero::new(1));
        if let Err(error) = self.probe_until_closed() {
            lock(&self.tally).trouble = Some(error.to_string());
        }
    }

    /// One probe per turn at most: after a pause of ours they follow each other, and each waited since it was due.
    fn probe_until_closed(&self) -> io::Result<()> {
        let (mut due, mut number) = (Instant::now(), 0u64);
        while self.wait_until(due)? {
            each(&self.far, |probe, from| drop(self.far.send_to(probe, from)));
            each(&self.near, |answer, _| {
                if let Ok(number) = answer.try_into().map(u64::from_le_bytes) {
                    lock(&self.tally).answered(number, Instant::now());
                }
            });
            let now = Instant::now();
            if due <= now {
                lock(&self.tally).sent(number, due, now);
                // What the kernel does not take will have no answer.
                let _ = self.near.send_to(&number.to_le_bytes(), (ECHO, ECHO_PORT));
                number += 1;
                due += EVERY;
            }
        }
        Ok(())
    }

    /// Until something came or `due` is there. False when the lab closes.
    fn wait_until(&self, due: Instant) -> io::Result<bool> {
        let mut polled = [
            PollFd::new(&self.closing, PollFlags::empty()),
            PollFd::new(&self.near, PollFlags::IN),
            PollFd::new(&self.far, PollFlags::IN),
        ];
        let left = Timespec::try_from(due.saturating_duration_since(Instant::now()))
            .map_err(io::Error::other)?;
        match poll(&mut polled, Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {
                Ok(!polled[0].revents().contains(PollFlags::HUP))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Every message that has come.
fn each(socket: &UdpSocket, mut hear: impl FnMut(&[u8], std::net::SocketAddr)) {
    let mut message = [0; 64];
    loop {
        match socket.recv_from(&mut message) {
            Ok((length, from)) => hear(&message[..length], from),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Nothing more for now; a socket that stays broken has its probes count as lost.
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_answer_is_late_and_not_lost() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut tally = Tally::new();
        for number in 0..3 {
            tally.sent(number, start, start + ms(5));
        }
        tally.answered(0, start + ms(8));
        let figures = |tally: &Tally, at| {
            let mut health = Health::default();
            tally.report(at, &mut health);
            (health.null_count, health.null_lost)
        };
        assert_eq!(figures(&tally, start + ms(1_000)), (1, 0), "two are still on their way");
        assert_eq!(figures(&tally, start + ms(1_006)), (3, 2));
        tally.answered(1, start + ms(2_000));
        assert_eq!(figures(&tally, start + ms(2_000)), (3, 1));
        assert!(tally.answers.max() >= 2_000_000, "counted from when it was due");
        tally.sent(3, start + ms(61_000), start + ms(61_000));
        assert_eq!((tally.waiting.len(), tally.forgotten), (1, 1));
        tally.begin();
        tally.answered(3, start + ms(61_001));
        assert_eq!(figures(&tally, start + ms(70_000)), (0, 0), "of the time before");
    }
}

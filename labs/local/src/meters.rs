//! Where the lab's knowledge of its own faults comes from, while it is open.

use std::{
    sync::{Arc, Mutex},
    thread::available_parallelism,
    time::{Duration, Instant},
};

use fabric::{Fabric, PortId};
use model::event::Health;

use crate::{
    noise::Noise,
    null_target::{self, Tally},
};

/// Up to so many cores the fabric sleeps until a packet is due, and does not spin the last of it: it would keep the stack from running.
const SCARCE_CORES: usize = 2;

#[derive(Debug)]
pub(crate) struct Meters {
    pub fabric: Arc<Fabric>,
    pub null_target: Arc<Mutex<Tally>>,
    /// Ports of the null target.
    pub null_ports: [PortId; 2],
    /// When the lab was opened.
    pub noise: Noise,
    /// As a place of the lab says: a new namespace takes it from the machine's first one, not from the harness's.
    pub congestion: String,
}

impl Meters {
    pub(crate) fn report(&self, health: &mut Health) {
        let noise = Noise::now();
        health.steal = noise.steal(&self.noise);
        health.cpu_pressure = noise.pressure(&self.noise);
        health.congestion.clone_from(&self.congestion);
        null_target::lock(&self.null_target).report(Instant::now(), health);
        let (Ok(stats), Ok(counters)) = (self.fabric.stats(), self.fabric.counters()) else { return };
        health.fabric_drops = stats.kernel_drops + stats.overflows;
        health.fabric_late_p50_us = stats.lateness.p50_ns / 1000;
        health.fabric_late_p99_us = stats.lateness.p99_ns / 1000;
        health.fabric_late_max_us = stats.lateness.max_ns / 1000;
        health.fabric_cpu = stats.cpu.as_secs_f64() / stats.wall.as_secs_f64().max(f64::MIN_POSITIVE);
        let of_the_stack = counters.links.iter().filter(|(link, _)| !self.null_ports.contains(&link.from));
        health.packets = of_the_stack.map(|(_, counters)| counters.arrived.packets).sum();
        if stats.super_packets_on_lossy_link > 0 {
            health.notes.push(format!("{} super-packets met loss or rate as one", stats.super_packets_on_lossy_link));
        }
        if health.fabric_late_p99_us > Health::LATE_US {
            let late = Duration::from_micros(health.fabric_late_p99_us);
            health.degraded.push(format!("The fabric let packets go {late:?} late at its p99."));
        }
        let cores = available_parallelism().map_or(1, usize::from);
        if cores <= SCARCE_CORES && stats.lateness.count > 0 {
            health.degraded.push(format!("With {cores} cores the fabric does not spin until a packet is due, and is a little later."));
        }
    }
}

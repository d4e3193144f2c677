//! Where the lab's knowledge of its own faults comes from, while it is open.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use fabric::{Fabric, PortId};
use model::event::Health;

use crate::{host_pressure::HostPressure, lock::lock, null_disk, null_target};

#[derive(Debug)]
pub(crate) struct OwnHealth {
    pub fabric: Arc<Fabric>,
    pub null_target: Arc<Mutex<null_target::Tally>>,
    pub null_disk: Arc<Mutex<null_disk::Tally>>,
    /// Ports of the null target.
    pub null_ports: [PortId; 2],
    /// When traffic was armed; until then, when the lab was opened.
    pub host_pressure: HostPressure,
    /// As a place of the lab says: a new namespace takes it from the machine's first one, not from the harness's.
    pub congestion: String,
}

impl OwnHealth {
    /// Traffic is armed: what servers did to this machine while they started is nobody's latency.
    pub(crate) fn begin(&mut self) {
        self.host_pressure = HostPressure::now();
        lock(&self.null_target).begin();
        lock(&self.null_disk).begin();
    }

    pub(crate) fn report(&self, health: &mut Health) {
        let host_pressure = HostPressure::now();
        health.steal = host_pressure.steal(&self.host_pressure);
        health.cpu_pressure = host_pressure.pressure(&self.host_pressure);
        health.congestion.clone_from(&self.congestion);
        lock(&self.null_target).report(Instant::now(), health);
        lock(&self.null_disk).report(Instant::now(), health);
        let (Ok(stats), Ok(counters)) = (self.fabric.stats(), self.fabric.counters()) else {
            return;
        };
        health.fabric_drops = stats.kernel_drops + stats.overflows;
        health.fabric_late_p50_us = stats.lateness.p50_ns / 1000;
        health.fabric_late_p99_us = stats.lateness.p99_ns / 1000;
        health.fabric_late_max_us = stats.lateness.max_ns / 1000;
        health.fabric_cpu =
            stats.cpu.as_secs_f64() / stats.wall.as_secs_f64().max(f64::MIN_POSITIVE);
        let of_the_stack =
            counters.links.iter().filter(|(link, _)| !self.null_ports.contains(&link.from));
        health.packets = of_the_stack.map(|(_, counters)| counters.arrived.packets).sum();
        if stats.undivided > 0 {
            health.degraded.push(format!(
                "{} super-packets that cannot be taken apart met a draw as one.",
                stats.undivided
            ));
        }
        if health.fabric_late_p99_us > Health::LATE_US {
            let late = Duration::from_micros(health.fabric_late_p99_us);
            health.degraded.push(format!("The fabric let packets go {late:?} late at its p99."));
        }
        if !stats.spins && stats.lateness.count > 0 {
            health
                .notes
                .push("cores are scarce: the fabric sleeps until a packet is due, and is a little later than one that spins".into());
        }
    }
}

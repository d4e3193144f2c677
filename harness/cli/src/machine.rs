//! What a plan asks of this machine at the least, against what it has. A scenario loads everywhere; whether it can run is said here,
//! before anything starts.
//!
//! Descriptors are counted by the lab, which knows the drivers. Addresses are the same everywhere and are refused as a scenario loads.

use std::fs;

use model::{
    Micros, Plan,
    load::{NOMINAL, Warp},
    plan::Fleet,
};

use crate::{console, exit::Exit, labs};

/// What the sending threads hold of an asset, of the next reading of each of its streams, and of a connection: what
/// `cargo xtask bench traffic` shows is more, and a driver adds what it holds itself.
const BYTES_OF_AN_ASSET: u64 = 32;
const BYTES_OF_A_STREAM: u64 = 12;
const BYTES_OF_A_CONNECTION: u64 = 64;
/// CPU time of the generator for one reading, driver and record left out: what `cargo xtask bench traffic` shows into a sink is more.
const US_OF_A_READING: f64 = 1.5;

struct Machine {
    cores: usize,
    /// None where the system does not say.
    memory: Option<u64>,
}

impl Machine {
    fn here() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
        Self { cores, memory }
    }
}

/// Bytes that can be had without swapping.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// # Errors
/// The plan asks for more than there is; that is told, and this is the exit code.
pub(crate) fn carries(plan: &Plan) -> Result<(), Exit> {
    let simulated = labs::CATALOG.find(&plan.lab.kind).is_some_and(|lab| lab.make.simulated());
    let refused = refused(plan, simulated, &Machine::here());
    match &refused[..] {
        [] => Ok(()),
        lines => {
            console::error(&format!(
                "this machine cannot carry what the scenario asks for:\n  {}\nTake fewer assets, longer intervals, less load, or a larger machine",
                lines.join("\n  ")
            ));
            Err(Exit::NotUp)
        }
    }
}

/// A line for each thing that does not fit, with the place of the fleet that asks for the most of it.
fn refused(plan: &Plan, simulated: bool, machine: &Machine) -> Vec<String> {
    let mut lines = vec![];
    let place = |of: &dyn Fn(&Fleet) -> f64| {
        let most = plan.fleets.iter().max_by(|a, b| of(a.1).total_cmp(&of(b.1)));
        let written = most.and_then(|(name, _)| plan.source.written.fleets.get(name));
        written.map_or(String::new(), |line| format!("{line}: "))
    };
    let assets: u64 = plan.fleets.values().map(|fleet| u64::from(fleet.assets)).sum();
    let needed: u64 = plan.fleets.values().map(bytes).sum();
    if let Some(memory) = machine.memory.filter(|memory| needed > *memory) {
        let mib = |bytes: u64| bytes >> 20;
        lines.push(format!(
            "{}{assets} assets need {} MiB of memory at the least, and {} MiB are free",
            place(&|fleet| f64::from(fleet.assets)),
            mib(needed),
            mib(memory)
        ));
    }
    // On a paused clock any rate can be had.
    let peak: f64 = plan.fleets.values().map(|fleet| peak(fleet, plan)).sum();
    let most = machine.cores as f64 * 1e6 / US_OF_A_READING;
    if !simulated && peak > most {
        lines.push(format!(
            "{}{peak:.0} readings/s at the highest load take {:.1} cores of the generator at the least, and there are {}",
            place(&|fleet| self::peak(fleet, plan)),
            peak * US_OF_A_READING / 1e6,
            machine.cores
        ));
    }
    lines
}

/// Memory that the sending threads need for a fleet.
fn bytes(fleet: &Fleet) -> u64 {
    let of_streams = fleet.streams.len() as u64 * BYTES_OF_A_STREAM;
    let of_home = |assets: &u32| u64::from(fleet.connections_of(*assets));
    let connections: u64 = fleet.home.values().map(of_home).sum();
    u64::from(fleet.assets) * (BYTES_OF_AN_ASSET + of_streams) + connections * BYTES_OF_A_CONNECTION
}

/// Readings per second at the highest load of the run.
fn peak(fleet: &Fleet, plan: &Plan) -> f64 {
    let (_, most) = Warp::of(&fleet.load).rates((Micros::ZERO, Micros::after(plan.stop())));
    f64::from(fleet.assets) * fleet.nominal_per_s() * f64::from(most) / f64::from(NOMINAL)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plan(assets: u32, every: Duration) -> Plan {
        let mut plan =
            kit::plan::of(kit::plan::fleet(assets, vec![kit::plan::stream("status", every)]));
        let line = model::plan::Line { file: "drill.yaml".into(), line: 7, column: 5 };
        plan.source.written.fleets.insert("terminals".into(), line);
        plan
    }

    #[test]
    fn what_fits_is_let_in_and_what_does_not_is_told_with_its_line() {
        let machine = Machine { cores: 2, memory: Some(1 << 20) };
        assert!(refused(&plan(9_709, Duration::from_secs(1)), false, &machine).is_empty());
        let lines = refused(&plan(9_710, Duration::from_millis(1)), false, &machine);
        assert!(lines.iter().all(|line| line.starts_with("drill.yaml:7:5: ")), "{lines:?}");
        assert!(lines[0].contains("9710 assets need 1 MiB"), "{lines:?}");
        assert!(lines[1].contains("9710000 readings/s"), "{lines:?}");
        let unknown = Machine { cores: 2, memory: None };
        assert!(refused(&plan(9_710, Duration::from_millis(1)), true, &unknown).is_empty());
    }

    #[test]
    fn free_memory_is_read_as_the_kernel_writes_it() {
        let text = "MemTotal:       8000000 kB\nMemFree:         10 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(available(text), Some(2 << 20));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
    }
}

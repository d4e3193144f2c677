//! What the rest of this machine takes from us: time that a hypervisor gave to others, and how often tasks waited for a CPU.

use std::{fs, time::Instant};

/// Counters of the kernel at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostPressure {
    at: Instant,
    ticks: Option<Ticks>,
    /// Microseconds in which some task waited for a CPU.
    waited_us: Option<u64>,
}

/// Of all CPUs, in the kernel's own unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    all: u64,
    stolen: u64,
}

impl HostPressure {
    pub(crate) fn now() -> Self {
        let read = |path| fs::read_to_string(path).ok();
        Self {
            at: Instant::now(),
            ticks: read("/proc/stat").and_then(|text| ticks(&text)),
            waited_us: read("/proc/pressure/cpu").and_then(|text| waited(&text)),
        }
    }

    /// Share (0-1) of all CPU time since then that was stolen.
    pub(crate) fn steal(&self, since: &Self) -> Option<f64> {
        let (now, then) = (self.ticks?, since.ticks?);
        let all = now.all.checked_sub(then.all).filter(|all| *all > 0)?;
        Some(now.stolen.checked_sub(then.stolen)? as f64 / all as f64)
    }

    /// Share (0-1) of the wall time since then in which some task waited for a CPU.
    pub(crate) fn pressure(&self, since: &Self) -> Option<f64> {
        let waited_us = self.waited_us?.checked_sub(since.waited_us?)?;
        let wall_us = (self.at - since.at).as_micros();
        (wall_us > 0).then(|| (waited_us as f64 / wall_us as f64).min(1.0))
    }
}

/// The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal; guests' time is in user and nice already.
fn ticks(stat: &str) -> Option<Ticks> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
    let fields: Vec<u64> = fields.map(|field| field.parse().ok()).collect::<Option<_>>()?;
    Some(Ticks { all: fields.iter().sum(), stolen: *fields.get(7)? })
}

/// `total` of the line `some` of /proc/pressure/cpu.
fn waited(pressure: &str) -> Option<u64> {
    let some = pressure.lines().find(|line| line.starts_with("some "))?;
    some.split_whitespace().find_map(|field| field.strip_prefix("total="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let stat = "cpu  100 1 20 300 4 5 6 64 7 8\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(ticks(stat), Some(Ticks { all: 500, stolen: 64 }));
        assert_eq!(ticks("cpu  1 2 3\n"), None, "a kernel without steal");
        assert_eq!(
            waited("some avg10=0.00 avg60=0.10 avg300=0.00 total=4242\nfull avg10=0.00 total=0\n"),
            Some(4242)
        );
    }

    #[test]
    fn shares_are_of_what_passed_since() {
        let at = Instant::now();
        let then = HostPressure {
            at,
            ticks: Some(Ticks { all: 100, stolen: 10 }),
            waited_us: Some(1_000),
        };
        let now = HostPressure {
            at: at + Duration::from_millis(10),
            ticks: Some(Ticks { all: 300, stolen: 60 }),
            waited_us: Some(6_000),
        };
        assert_eq!((now.steal(&then), now.pressure(&then)), (Some(0.25), Some(0.5)));
        assert_eq!(now.steal(&now), None, "nothing passed");
    }
}

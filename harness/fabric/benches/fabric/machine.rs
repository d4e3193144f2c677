//! The machine: what it is, and how busy it was. `/proc/stat` counts every core and the kernel's own work (softirq), which no
//! process owns.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::cores;

/// `/proc/stat` counts in hundredths of a second on every architecture in use (USER_HZ, proc_stat(5)).
const TICK: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticks {
    /// Everything but idle, waiting for I/O, and steal.
    busy: u64,
    steal: u64,
    at: Instant,
    /// CPU time of this process.
    own: Duration,
}

/// What lies between two [`Ticks`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) busy: Duration,
    pub(crate) steal: Duration,
    pub(crate) wall: Duration,
    pub(crate) own: Duration,
}

impl Ticks {
    pub(crate) fn now() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/stat")?;
        let (busy, steal) = read_ticks(&text)
            .ok_or_else(|| io::Error::other("/proc/stat has no line for all cores"))?;
        let own = clock_gettime(ClockId::ProcessCPUTime);
        Ok(Self {
            busy,
            steal,
            at: Instant::now(),
            own: Duration::new(own.tv_sec.cast_unsigned(), own.tv_nsec as u32),
        })
    }

    pub(crate) fn since(self) -> io::Result<Work> {
        let now = Self::now()?;
        let time = |ticks: u64| TICK * u32::try_from(ticks).unwrap_or(u32::MAX);
        Ok(Work {
            busy: time(now.busy - self.busy),
            steal: time(now.steal.saturating_sub(self.steal)),
            wall: now.at - self.at,
            own: now.own - self.own,
        })
    }
}

impl Work {
    /// Cores kept busy, on average.
    pub(crate) fn cores(&self) -> f64 {
        self.busy.as_secs_f64() / self.wall.as_secs_f64()
    }
}

/// Busy and stolen ticks of all cores. Guests' time is part of the user's.
fn read_ticks(stat: &str) -> Option<(u64, u64)> {
    let fields: Vec<u64> = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = fields[..] else {
        return None;
    };
    Some((user + nice + system + irq + softirq, steal))
}

/// Facts without which no figure means anything. What cannot be read is null.
pub(crate) fn facts() -> Value {
    let line = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let model = line("/proc/cpuinfo").and_then(|text| {
        let named = text.lines().find(|line| line.starts_with("model name"))?;
        Some(named.split_once(':')?.1.trim().to_owned())
    });
    json!({
        "cores": cores::allowed().len(),
        "cpu": model,
        "kernel": line("/proc/sys/kernel/osrelease"),
        "load_average": line("/proc/loadavg"),
        "governor": line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "congestion_control": line("/proc/sys/net/ipv4/tcp_congestion_control"),
    })
}

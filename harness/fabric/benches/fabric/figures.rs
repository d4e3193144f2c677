//! Order statistics, and waiting by the clock.

use std::time::{Duration, Instant};

use rustix::thread::clock_nanosleep_relative;
use rustix::time::{ClockId, Timespec};

/// The `q`-quantile with linear interpolation between neighbours (type 7 of Hyndman and Fan); 0 of nothing.
pub(crate) fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = q * last as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The distance of the quartiles as a share of the median.
pub(crate) fn spread(values: &[f64]) -> f64 {
    let middle = median(values).abs();
    if middle > 0.0 { (quantile(values, 0.75) - quantile(values, 0.25)) / middle } else { 0.0 }
}

/// Lets the clock come to `due`: traffic that is paced, and windows of a stated length, wait for nothing else.
pub(crate) fn until(due: Instant) {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let request =
            Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        // When a signal cuts it short, the loop looks at what is left.
        let _ = clock_nanosleep_relative(ClockId::Monotonic, &request);
    }
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

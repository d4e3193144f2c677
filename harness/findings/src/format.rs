//! Quantities as a person reads them.

use crate::facts::Us;

/// A duration with three figures, such as `12.6 s`, `250 ms`, `80 us`.
#[must_use]
pub fn duration(us: Us) -> String {
    let (value, unit) = match us.unsigned_abs() {
        1_000_000.. => (us as f64 / 1e6, "s"),
        1_000.. => (us as f64 / 1e3, "ms"),
        _ => return format!("{us} us"),
    };
    let places = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let text = format!("{value:.places$}");
    let text = if places > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}

/// A moment on the run's clock, in seconds with one digit.
#[must_use]
pub fn moment(us: Us) -> String {
    format!("{:.1} s", us as f64 / 1e6)
}

/// `1 asset`, `2 assets`.
#[must_use]
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    #[test]
    fn three_figures_and_a_unit() {
        let shown =
            [0, 80, 1_500, 250_000, 12_600_000, 75_000_000, 600_000_000].map(super::duration);
        assert_eq!(shown, ["0 us", "80 us", "1.5 ms", "250 ms", "12.6 s", "75 s", "600 s"]);
    }
}

//! How long before a packet is due a worker stops sleeping. A sleeping thread wakes late by an amount that depends on the host, so it
//! is learnt: the margin follows the 95th percentile of what was overslept (stochastic approximation of a quantile, Robbins and
//! Monro 1951), within bounds that keep spinning cheap.

const LEAST_NS: u64 = 5_000;
const MOST_NS: u64 = 200_000;
/// A step up for each sleep that was overslept by more, against 19 steps down: at rest 5 of 100 are.
const STEP_NS: u64 = 100;

#[derive(Debug)]
pub(crate) struct Margin {
    ns: u64,
}

impl Default for Margin {
    fn default() -> Self {
        Self { ns: 60_000 }
    }
}

impl Margin {
    pub(crate) fn ns(&self) -> u64 {
        self.ns
    }

    /// The thread meant to wake so many nanoseconds earlier.
    pub(crate) fn overslept(&mut self, late_ns: u64) {
        self.ns = if late_ns > self.ns { self.ns + 19 * STEP_NS } else { self.ns - STEP_NS }
            .clamp(LEAST_NS, MOST_NS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_settles_above_most_of_what_is_overslept_and_stays_in_bounds() {
        let mut margin = Margin::default();
        // 94 of 100 sleeps end within 20 us, the others within 90 us.
        let late = |n: u64| if n % 100 < 94 { 1_000 + n % 19_000 } else { 70_000 + n % 20_000 };
        (0..50_000).for_each(|n| margin.overslept(late(n * 7_919)));
        assert!((20_000..=90_000).contains(&margin.ns()), "{}", margin.ns());
        (0..10_000).for_each(|_| margin.overslept(0));
        assert_eq!(margin.ns(), LEAST_NS);
        (0..10_000).for_each(|_| margin.overslept(1_000_000));
        assert_eq!(margin.ns(), MOST_NS);
    }
}

//! Exact binomial tails and the bounds of Clopper and Pearson.

/// Which bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Upper,
    Lower,
}

/// `P(X >= k)` for X binomial(n, p).
pub(crate) fn tail(k: u64, n: u64, p: f64) -> f64 {
    if k == 0 || (p >= 1.0 && k <= n) {
        return 1.0;
    }
    if k > n || p <= 0.0 {
        return 0.0;
    }
    if k <= n / 2 { (1.0 - range(0, k - 1, n, p)).max(0.0) } else { range(k, n, n, p) }
}

/// `P(from <= X <= to)`, summed outwards from its largest term until nothing is added: about sqrt(n) terms.
fn range(from: u64, to: u64, n: u64, p: f64) -> f64 {
    let mode = (((n + 1) as f64 * p) as u64).clamp(from, to);
    let first = term(mode, n, p);
    let odds = p / (1.0 - p);
    let (mut sum, mut up, mut i) = (first, first, mode);
    while i < to && up > sum * f64::EPSILON * 1e-3 {
        up *= (n - i) as f64 / (i + 1) as f64 * odds;
        sum += up;
        i += 1;
    }
    let (mut down, mut i) = (first, mode);
    while i > from && down > sum * f64::EPSILON * 1e-3 {
        down *= i as f64 / (n - i + 1) as f64 / odds;
        sum += down;
        i -= 1;
    }
    sum
}

/// `P(X = i)` by logarithms of the gamma function.
fn term(i: u64, n: u64, p: f64) -> f64 {
    let (i, n) = (i as f64, n as f64);
    (libm::lgamma(n + 1.0) - libm::lgamma(i + 1.0) - libm::lgamma(n - i + 1.0)
        + i * p.ln()
        + (n - i) * (-p).ln_1p())
    .exp()
}

/// One-sided 95 % bound on a share of which `k` of `n` were seen, by bisection. Upper: P(X <= k) = 5 %. Lower: P(X >= k) = 5 %.
#[must_use]
pub fn clopper_pearson(k: u64, n: u64, side: Side) -> f64 {
    const ALPHA: f64 = 0.05;
    match side {
        Side::Upper if k >= n => return 1.0,
        Side::Lower if k == 0 => return 0.0,
        _ => {}
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let p = f64::midpoint(low, high);
        let too_low = match side {
            Side::Upper => 1.0 - tail(k + 1, n, p) > ALPHA,
            Side::Lower => tail(k, n, p) < ALPHA,
        };
        if too_low { low = p } else { high = p }
    }
    if side == Side::Upper { high } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 6: the least effective samples that prove a quantile without a single miss.
    #[test]
    fn least_samples_without_a_miss() {
        for (allowed, least) in [(0.01, 299), (0.001, 2_995), (0.000_1, 29_956)] {
            assert!(clopper_pearson(0, least, Side::Upper) <= allowed, "{least} prove {allowed}");
            assert!(
                clopper_pearson(0, least - 1, Side::Upper) > allowed,
                "one less than {least} does not prove {allowed}"
            );
        }
    }
}

//! Arithmetic of half-open intervals, and the rank that every percentile here uses.

use crate::facts::Us;

pub(crate) type Span = (Us, Us);

/// Intersection of two lists of intervals.
pub(crate) fn overlap(left: &[Span], right: &[Span]) -> Vec<Span> {
    let pairs = left.iter().flat_map(|l| right.iter().map(move |r| (l.0.max(r.0), l.1.min(r.1))));
    pairs.filter(|(a, b)| a < b).collect()
}

/// Sorted union; touching intervals join.
pub(crate) fn union(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for (a, b) in spans {
        match joined.last_mut() {
            Some(last) if a <= last.1 => last.1 = last.1.max(b),
            _ => joined.push((a, b)),
        }
    }
    joined
}

/// Total time.
pub(crate) fn length(spans: &[Span]) -> Us {
    spans.iter().map(|(a, b)| b - a).sum()
}

/// Smallest value with at least a share `q` at or below it. The product is rounded first, so that 0.9 x 10 is 9 and not
/// 9.000000000000002. `None` of nothing.
pub(crate) fn nearest_rank<T: Copy>(ordered: &[T], q: f64) -> Option<T> {
    let rank = ((q * ordered.len() as f64 * 1e6).round() / 1e6).ceil() as usize;
    ordered.get(rank.saturating_sub(1)).copied()
}

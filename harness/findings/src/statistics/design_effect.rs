//! How many times more readings a burst needs: slow readings come together, and are worth less than as many apart.

/// `max Var(slow per block) / (n_block p (1 - p))` over block sizes, from per-second counts; and the sizes, in seconds, that have
/// fewer than 12 blocks and were not checked.
pub(crate) fn design_effect(total: &[u64], slow: &[u64], clock: usize) -> (f64, Vec<u64>) {
    let p = sum(slow) as f64 / sum(total) as f64;
    let sizes: std::collections::BTreeSet<usize> = [1, 2, 5, 10, 30, clock].into();
    let (mut effect, mut unchecked) = (1f64, Vec::new());
    for size in sizes {
        let blocks = total.len() / size;
        if blocks < 12 {
            unchecked.push(size as u64);
        } else if p > 0.0 && p < 1.0 {
            effect =
                effect.max(of_blocks(&total[..blocks * size], &slow[..blocks * size], size, p));
        }
    }
    (effect, unchecked)
}

fn of_blocks(total: &[u64], slow: &[u64], size: usize, p: f64) -> f64 {
    let blocks = (total.len() / size) as f64;
    let (mean, n_block) = (sum(slow) as f64 / blocks, sum(total) as f64 / blocks);
    let squares: f64 = slow.chunks(size).map(|block| (sum(block) as f64 - mean).powi(2)).sum();
    squares / (blocks - 1.0) / (n_block * p * (1.0 - p))
}

fn sum(counts: &[u64]) -> u64 {
    counts.iter().sum()
}

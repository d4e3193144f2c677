//! Holm's correction: a statistical FAIL stands only if it survives all tests of the run together at 5 %.

use super::limit::{LimitTest, Undecided};
use crate::verdict::Verdict;

/// Turns the FAILs that Holm drops into inconclusive ones. Passing needs no correction, since every gate must pass.
pub fn holm(tests: Vec<&mut LimitTest>) {
    const ALPHA: f64 = 0.05;
    let p = |t: &LimitTest| t.sample.as_ref().map(|s| s.p_fail);
    let mut ranked: Vec<(f64, &mut LimitTest)> =
        tests.into_iter().filter_map(|t| Some((p(t)?, t))).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (count, mut alive) = (ranked.len(), true);
    for (i, (p, test)) in ranked.into_iter().enumerate() {
        alive = alive && p <= ALPHA / (count - i) as f64;
        if test.verdict == Verdict::Fail && !alive {
            test.verdict = Verdict::Inconclusive;
            test.why = Some(Undecided::Holm);
        }
    }
}

//! Drills whose failure is known: whether exactly that came out.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// What was known to come out, beside what did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Kinds of gates.
    pub fails: Vec<String>,
    /// Exactly those failed, and nothing is open.
    pub came_out: Verdict,
    /// In words, such as `as expected: acked_lost failed`.
    pub sentence: String,
}

impl Expected {
    /// Pass where exactly the expected kinds failed; inconclusive where that cannot be told.
    /// `verdict` is the run's; `gates` are the kind and the verdict of each.
    pub(crate) fn of(fails: &[String], verdict: Verdict, gates: &[(&str, Verdict)]) -> Self {
        let kinds = |wanted: Verdict| {
            let mine = gates.iter().filter(move |(_, verdict)| *verdict == wanted);
            mine.map(|(kind, _)| *kind).collect::<BTreeSet<_>>()
        };
        let (failed, open) = (kinds(Verdict::Fail), kinds(Verdict::Inconclusive));
        let wanted: BTreeSet<&str> = fails.iter().map(String::as_str).collect();
        let list = |kinds: Vec<&str>| kinds.join(", ");
        let surprising: Vec<&str> = failed.difference(&wanted).copied().collect();
        let absent: Vec<&str> = wanted.difference(&failed).copied().collect();
        let (came_out, sentence) = if !surprising.is_empty() {
            (Verdict::Fail, format!("not as expected: {} failed too", list(surprising)))
        } else if absent.iter().any(|kind| !open.contains(kind)) {
            (Verdict::Fail, format!("not as expected: {} did not fail", list(absent)))
        } else if verdict == Verdict::Inconclusive || !open.is_empty() || !absent.is_empty() {
            (Verdict::Inconclusive, "whether it came out as expected is not decided".to_owned())
        } else {
            (Verdict::Pass, format!("as expected: {} failed", list(failed.into_iter().collect())))
        };
        Self { fails: fails.to_vec(), came_out, sentence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exactly_what_is_known_to_fail_is_as_expected() {
        use Verdict::{Fail, Inconclusive, NotApplicable, Pass};
        let loss = |lost, rto| [("acked_lost", lost), ("rto", rto)];
        for (lost, rto, verdict, came_out) in [
            (Fail, Pass, Fail, Pass),
            (Fail, NotApplicable, Fail, Pass),
            (Fail, Fail, Fail, Fail),
            (Pass, Pass, Pass, Fail),
            (Pass, Inconclusive, Inconclusive, Fail),
            (Inconclusive, Pass, Inconclusive, Inconclusive),
            (Fail, Inconclusive, Fail, Inconclusive),
        ] {
            let expected = Expected::of(&["acked_lost".into()], verdict, &loss(lost, rto));
            assert_eq!(expected.came_out, came_out, "{lost:?} {rto:?}: {}", expected.sentence);
        }
    }
}

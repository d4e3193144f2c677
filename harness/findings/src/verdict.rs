//! What a gate says, and a run. The worst wins.

use serde::{Deserialize, Serialize};

/// What a gate or a run says. Ordered from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The plan itself declares that there is nobody to judge. The gate is shown with its reason and counts for nothing; lack of data is
    /// never this, but inconclusive. Only a gate says so, a run never does.
    NotApplicable,
    Pass,
    /// Too little evidence, either way.
    Inconclusive,
    Fail,
}

impl Verdict {
    /// The verdict of a run: the worst of its gates, `least` at best. Gates that are not applicable count for nothing; where no other
    /// gate was asked, nothing was shown, and the run is inconclusive.
    #[must_use]
    pub fn worst(gates: impl IntoIterator<Item = Self>, least: Self) -> Self {
        let asked = gates.into_iter().filter(|verdict| *verdict != Self::NotApplicable);
        asked.max().unwrap_or(Self::Inconclusive).max(least)
    }
}

#[test]
fn what_does_not_apply_counts_for_nothing() {
    use Verdict::{Fail, Inconclusive, NotApplicable, Pass};
    assert_eq!(Verdict::worst([Pass, NotApplicable], Pass), Pass);
    assert_eq!(Verdict::worst([NotApplicable, Fail, Pass], Pass), Fail);
    assert_eq!(Verdict::worst([Pass, NotApplicable], Inconclusive), Inconclusive);
    assert_eq!(Verdict::worst([NotApplicable], Pass), Inconclusive, "nothing was asked");
    assert_eq!(Verdict::worst([Fail], Inconclusive), Fail);
}

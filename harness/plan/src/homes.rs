//! Where the assets of a fleet live, and where they go when that does not answer.

use std::collections::BTreeMap;

use document::{Problem, Sp, units::Share};
use model::RegionId;

use crate::{fleets::Builder, names};

/// Shares of a whole, in parts per million.
const WHOLE: u32 = 1_000_000;

impl Builder<'_> {
    /// Assets per region: exact, by the largest remainder. `whole`: no share was left out for a mistake of its own.
    pub(crate) fn home(
        &mut self,
        raw: Option<&Sp<BTreeMap<Sp<String>, Share>>>,
        assets: u32,
        reachable: &[RegionId],
        whole: bool,
    ) -> BTreeMap<RegionId, u32> {
        let Some(raw) = raw else {
            let each: Vec<(RegionId, u32)> =
                reachable.iter().map(|region| (region.clone(), 1)).collect();
            return apportion(assets, &each);
        };
        for region in raw.keys() {
            names::known("region", region, region.span, self.built.region_names(), self.problems);
        }
        let sum: u64 = raw.values().map(|share| u64::from(share.0)).sum();
        // Thirds cannot be written exactly: half a per mille is forgiven.
        if whole && sum.abs_diff(WHOLE.into()) > 500 {
            let message =
                format!("the shares of `home` add up to {}%, not to 100%", sum as f64 / 1e4);
            self.problems.push(
                Problem::new("range", raw.span, message)
                    .label("these shares")
                    .help("Shares of a whole make 100%"),
            );
        }
        let each: Vec<(RegionId, u32)> =
            raw.iter().map(|(region, share)| (region.as_str().into(), share.0)).collect();
        apportion(assets, &each)
    }

    pub(crate) fn failover(
        &mut self,
        raw: Option<&BTreeMap<Sp<String>, Vec<Sp<String>>>>,
        home: &BTreeMap<RegionId, u32>,
        reachable: &[RegionId],
    ) -> BTreeMap<RegionId, Vec<RegionId>> {
        // Default: the next region by name first, around the circle.
        let others = |region: &RegionId| {
            let (before, after): (Vec<_>, Vec<_>) = reachable
                .iter()
                .filter(|other| *other != region)
                .partition(|other| *other < region);
            after.into_iter().chain(before).cloned().collect()
        };
        let mut lists: BTreeMap<RegionId, Vec<RegionId>> =
            home.keys().map(|region| (region.clone(), others(region))).collect();
        for (region, list) in raw.into_iter().flatten() {
            if names::known("region", region, region.span, self.built.region_names(), self.problems)
                && !home.contains_key(region.as_str())
            {
                self.problems.push(
                    Problem::new(
                        "logic",
                        region.span,
                        format!(
                            "no asset of this fleet lives in `{}`, so none fails over from there",
                            region.as_str()
                        ),
                    )
                    .label("nobody's home")
                    .help("take it away, or let assets live there with `home`"),
                );
            }
            for other in list {
                if names::known(
                    "region",
                    other,
                    other.span,
                    self.built.region_names(),
                    self.problems,
                ) && other.value == region.value
                {
                    self.problems.push(
                        Problem::new("logic", other.span, "a region is its own failover")
                            .label("the same region"),
                    );
                }
            }
            lists.insert(
                region.as_str().into(),
                list.iter().map(|other| other.as_str().into()).collect(),
            );
        }
        lists
    }
}

/// Exact shares of a whole by the largest remainder; ties go to the earlier name.
fn apportion(total: u32, weights: &[(RegionId, u32)]) -> BTreeMap<RegionId, u32> {
    let sum: u64 = weights.iter().map(|(_, weight)| u64::from(*weight)).sum::<u64>().max(1);
    let exact = |weight: u32| u64::from(total) * u64::from(weight);
    let mut shares: Vec<(RegionId, u32, u64)> = weights
        .iter()
        .map(|(region, weight)| {
            (region.clone(), (exact(*weight) / sum) as u32, exact(*weight) % sum)
        })
        .collect();
    let left = total - shares.iter().map(|(_, share, _)| share).sum::<u32>();
    shares.sort_by(|a, b| b.2.cmp(&a.2).then(a.0.cmp(&b.0)));
    for (_, share, _) in shares.iter_mut().take(left as usize) {
        *share += 1;
    }
    shares.into_iter().map(|(region, share, _)| (region, share)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact() {
        let weights = |list: &[(&str, u32)]| {
            list.iter().map(|(name, weight)| (RegionId::from(*name), *weight)).collect::<Vec<_>>()
        };
        let shares = apportion(10, &weights(&[("a", 1), ("b", 1), ("c", 1)]));
        assert_eq!(shares.values().copied().collect::<Vec<_>>(), [4, 3, 3]);
        let shares =
            apportion(5000, &weights(&[("eu", 150_000), ("east", 350_000), ("west", 500_000)]));
        assert_eq!(shares.values().sum::<u32>(), 5000);
        assert_eq!(shares[&RegionId::from("east")], 1750);
    }
}

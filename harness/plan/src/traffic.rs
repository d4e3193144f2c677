//! Who sends: the section as a whole.

use std::{collections::BTreeMap, time::Duration};

use document::{Node, Problems, Sp};
use model::{
    FleetId,
    plan::{Fleet, Phase},
};

use crate::{
    addresses, bounds, built::Built, catalogs::Catalogs, fleets, grammar, names, tracks::Clockwork,
};

/// Availability deadline unless the scenario names one.
const THETA: Duration = Duration::from_secs(1);

type Fleets = BTreeMap<FleetId, Fleet>;

/// Addresses that are left, the fleets, and the deadline.
pub(crate) fn build(
    root: &Node,
    raw: Option<&Sp<grammar::Traffic>>,
    catalogs: &Catalogs,
    clockwork: Clockwork,
    phases: &[Phase],
    built: &mut Built,
    problems: &mut Problems,
) -> (addresses::Cells, Fleets, Duration) {
    let Some(raw) = raw else { return Default::default() };
    let theta = raw.deadline.map_or(THETA, Into::into);
    let (cells, fleets) = (addresses::Cells::default(), Fleets::new());
    let mut builder =
        fleets::Builder { catalogs, built, cells, clockwork, phases, fleets, next: 0, problems };
    match raw.fleets.as_ref().and_then(|part| root.find(part.id)) {
        Some(fleets) if !fleets.entries().is_empty() => {
            let count = fleets.entries().len();
            if !bounds::within("fleets", count, bounds::FLEETS_MAX, fleets.span, builder.problems) {
                return Default::default();
            }
            for entry in fleets.entries() {
                builder.fleet(
                    &Sp { value: entry.key.text.clone(), span: entry.key.span },
                    &entry.value,
                );
            }
        }
        _ => names::missing(
            "`traffic`",
            "fleets",
            raw.span,
            "{terminals: {profile: user_terminal, assets: 300}}",
            builder.problems,
        ),
    }
    if let Some(probe) = &raw.probe {
        builder.probe(probe);
    }
    (builder.cells, builder.fleets, theta)
}

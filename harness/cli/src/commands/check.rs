//! `wetdress check`: every mistake of a scenario at once.

use serde_json::json;

use crate::{args::Scenario, console, exit::Exit, scenario};

pub(crate) fn check(args: &Scenario, color: bool) -> Result<Exit, Exit> {
    let plan = scenario::read(args, color)?.plan;
    if args.reading.json {
        console::json(
            &json!({"mistakes": [], "scenario": plan.scenario, "sha256": plan.source.sha256}),
        )?;
    } else {
        console::talk(&format!("{}: no mistakes", args.file.display()));
    }
    Ok(Exit::Pass)
}

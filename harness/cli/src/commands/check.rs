//! `wetdress check`: every mistake of a scenario at once.

use serde_json::json;

use crate::{args::Scenario, exit::Exit, say, scenario};

pub(crate) fn check(args: &Scenario, color: bool) -> Exit {
    match scenario::read(args, color) {
        Err(exit) => exit,
        Ok(read) => {
            let plan = read.plan;
            if args.json {
                say::json(
                    &json!({"mistakes": [], "scenario": plan.scenario, "sha256": plan.source.sha256}),
                );
            } else {
                say::talk(&format!("{}: no mistakes", args.file.display()));
            }
            Exit::Pass
        }
    }
}

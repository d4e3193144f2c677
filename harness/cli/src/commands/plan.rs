//! `wetdress plan`: what a drill would do; nothing is started.

use serde_json::json;

use crate::{args::Scenario, catalogs::catalogs, console, exit::Exit, scenario};

pub(crate) fn plan(args: &Scenario, expand: bool, color: bool) -> Exit {
    if expand {
        return match scenario::expanded(args, color) {
            Err(exit) => exit,
            Ok(text) => {
                console::data(&text);
                Exit::Pass
            }
        };
    }
    match scenario::read(args, color) {
        Err(exit) => exit,
        Ok(read) => {
            let described = plan::describe(&read.plan, &catalogs());
            if args.json {
                console::json(&json!({"plan": read.plan, "described": described}));
            } else {
                console::data(&described.to_string());
            }
            Exit::Pass
        }
    }
}

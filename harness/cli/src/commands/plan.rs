//! `wetdress plan`: what a drill would do; nothing is started.

use serde_json::json;

use crate::{
    args::Scenario, catalogs::catalogs, console, exit::Exit, machine, scenario, secrets, servers,
};

pub(crate) fn plan(args: &Scenario, expand: bool, color: bool) -> Result<Exit, Exit> {
    if expand {
        console::data(&scenario::expanded(args, color)?)?;
        return Ok(Exit::Pass);
    }
    let plan = scenario::read(args, color)?.plan;
    let described = plan::describe(&plan, &catalogs());
    machine::carries(&plan)?;
    if args.reading.json {
        console::json(&json!({"plan": plan, "described": described}))?;
    } else {
        console::data(&described.to_string())?;
    }
    secrets::are_there(&plan)?;
    servers::are_installed(&plan)?;
    Ok(Exit::Pass)
}

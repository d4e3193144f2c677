//! `wetdress capacity`: raises the load in steps until the stack no longer keeps up, without a fault.

use std::fmt::Write;

use document::units::Frequency;
use findings::{capacity::Capacity, format, read_run};
use plan::Stair;
use serde_json::json;

use crate::{args, console, exit::Exit, judge, run, scenario};

/// Finds mu and its knee, and prints the line for the scenario.
pub(crate) fn capacity(args: &args::Capacity, color: bool) -> Result<Exit, Exit> {
    let scenario::Read { plan, text } = scenario::read(&args.scenario, color)?;
    let stair = Stair { to: args.to, steps: args.steps, lasts: args.step };
    let plan = plan::capacity_run(&plan, &stair).map_err(|why| {
        console::error(&format!("cannot look for the capacity: {why}"));
        Exit::Usage
    })?;
    let asked = run::Asked { text: &text, lab: &args.lab, runs: &args.runs };
    let (folder, ended) = run::record(plan, &asked, color)?;
    if ended != Exit::Pass {
        console::talk(&format!("the run folder is {}", folder.path().display()));
        return Ok(ended);
    }
    let told = |why: &dyn std::fmt::Display| {
        console::error(&format!("the run cannot be judged: {why}"));
        Exit::BrokeOff
    };
    let judged = judge::judge(folder.path()).map_err(|why| told(&why))?;
    let facts = read_run::facts(&judged.loaded).map_err(|why| told(&why))?;
    let reports = judged.report(&judged.loaded.plan.reports);
    if let Err(why) = judged.stored.and(reports) {
        console::error(&why);
    }
    let found = findings::capacity::capacity(&facts, args.factor);
    let line = found.mu.map(paste);
    if args.scenario.reading.json {
        let folder = folder.path().to_string_lossy();
        console::json(&json!({"folder": folder, "capacity": found, "line": line}))?;
    } else {
        console::data(&text_of(&found, line.as_deref()))?;
        console::talk(&format!("the run folder is {}", folder.path().display()));
    }
    let is_found = found.mu.is_some() && found.generator.is_empty();
    Ok(if is_found { Exit::Pass } else { Exit::Inconclusive })
}

/// What belongs below `traffic` in the scenario.
fn paste(mu: f64) -> String {
    let readings = match mu {
        1.0.. => Frequency { count: mu as u64, per: std::time::Duration::from_secs(1) },
        _ => Frequency {
            count: ((mu * 3600.0) as u64).max(1),
            per: std::time::Duration::from_secs(3600),
        },
    };
    format!("capacity: {{readings: {readings}}}")
}

fn text_of(found: &Capacity, line: Option<&str>) -> String {
    let mut text = String::from("   due/s   good/s   p99 of the ack\n");
    for (number, step) in found.steps.iter().enumerate() {
        let p99 = step.p99.map_or("never".to_owned(), format::duration);
        let mark = match () {
            () if found.knee == Some(number) => "   <- the knee",
            () if !step.holds => "   does not hold",
            () => "",
        };
        let _never_fails =
            writeln!(text, "{:>8.1} {:>8.1}   {p99}{mark}", step.due_per_s, step.good_per_s);
    }
    let limit = format::duration(found.p99_max);
    text += &format!(
        "A step holds if 99 % of what is due is acked in time, with a p99 of at most {limit}.\n"
    );
    text += &match (found.mu, found.knee) {
        (None, _) => "Not even the first step holds: let the fleets send less.\n".to_owned(),
        (Some(mu), None) => format!(
            "mu is {mu:.1} readings/s or more: every step holds; raise `--to` to find the knee.\n"
        ),
        (Some(mu), Some(knee)) => {
            format!("mu is {mu:.1} readings/s; {:.1} are too many.\n", found.steps[knee].due_per_s)
        }
    };
    if found.generator.is_empty() {
        text += "Nothing says that the generator was at its own limit.\n";
    } else {
        text += &format!(
            "The generator may have been at its own limit, so mu is a lower bound: {}.\n",
            found.generator.join("; ")
        );
    }
    match line {
        Some(line) => text + &format!("Below `traffic` of the scenario:\n  {line}\n"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_line_is_one_that_a_scenario_takes() {
        let lines = [4000.7, 1.0, 0.5, 0.0].map(super::paste);
        let expected = ["4000/s", "1/s", "1800/1h", "1/1h"];
        assert_eq!(lines, expected.map(|rate| format!("capacity: {{readings: {rate}}}")));
    }
}

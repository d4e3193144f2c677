//! Commands that only read and print.

use std::{fs, path::Path};

use serde_json::json;

use crate::{
    args::{Judging, Scenario},
    catalogs::catalogs,
    exit::Exit,
    judge, say, scenario,
};

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

pub(crate) fn plan(args: &Scenario, expand: bool, color: bool) -> Exit {
    if expand {
        return match scenario::expanded(args, color) {
            Err(exit) => exit,
            Ok(text) => {
                say::data(&text);
                Exit::Pass
            }
        };
    }
    match scenario::read(args, color) {
        Err(exit) => exit,
        Ok(read) => {
            let described = plan::describe(&read.plan, &catalogs());
            if args.json {
                say::json(&json!({"plan": read.plan, "described": described}));
            } else {
                say::data(&described.to_string());
            }
            Exit::Pass
        }
    }
}

pub(crate) fn judged(folder: &Path, judging: Judging) -> Exit {
    match judge::judge(folder) {
        Err(why) => {
            say::error(&why);
            Exit::BrokeOff
        }
        Ok(judged) => {
            say::styled(&reports::summary(&judged.view()));
            judged.exit(judging)
        }
    }
}

/// The reports of the scenario, or these.
pub(crate) fn report(folder: &Path, formats: &[String]) -> Exit {
    let written = judge::judge(folder).and_then(|judged| {
        let formats = if formats.is_empty() { &judged.loaded.plan.reports } else { formats };
        judged.report(formats)?;
        say::talk(&format!("wrote {} in {}", formats.join(", "), folder.display()));
        Ok(())
    });
    match written {
        Ok(()) => Exit::Pass,
        Err(why) => {
            say::error(&why);
            Exit::BrokeOff
        }
    }
}

pub(crate) fn explain(kind: Option<&str>, all: bool, into: Option<&Path>) -> Exit {
    let catalogs = catalogs();
    if let Some(folder) = into {
        return write_reference(folder, &plan::reference(&catalogs));
    }
    if all {
        plan::reference(&catalogs).iter().for_each(|(_, page)| say::data(page));
        return Exit::Pass;
    }
    let Some(kind) = kind else {
        say::error(
            "which kind? `wetdress list` shows them all, `wetdress explain partition` documents one",
        );
        return Exit::Usage;
    };
    match plan::explain(kind, &catalogs) {
        Some(text) => {
            say::data(&text);
            Exit::Pass
        }
        None => {
            say::error(&format!(
                "there is no kind `{kind}` in this build; `wetdress list` shows them all"
            ));
            Exit::Usage
        }
    }
}

/// The pages of docs/reference.
fn write_reference(folder: &Path, pages: &[(String, String)]) -> Exit {
    let written = fs::create_dir_all(folder).and_then(|()| {
        pages.iter().try_for_each(|(file, text)| fs::write(folder.join(file), text))
    });
    match written {
        Ok(()) => Exit::Pass,
        Err(error) => {
            say::error(&format!("failed to write to {}: {error}", folder.display()));
            Exit::Usage
        }
    }
}

pub(crate) fn schema() -> Exit {
    say::json(&plan::schema(&catalogs()));
    Exit::Pass
}

pub(crate) fn list(as_json: bool) -> Exit {
    let kinds = plan::list(&catalogs());
    if as_json {
        say::json(
            &kinds
                .iter()
                .map(|(noun, name, about)| json!({"noun": noun, "name": name, "about": about}))
                .collect(),
        );
        return Exit::Pass;
    }
    let width = kinds.iter().map(|(_, name, _)| name.len()).max().unwrap_or(0);
    let mut last = "";
    for (noun, name, about) in kinds {
        if noun != last {
            say::data(&format!("{noun}s"));
            last = noun;
        }
        say::data(&format!("  {name:width$}  {about}"));
    }
    Exit::Pass
}

//! Parameters of the lab that a command line sets over the scenario's own.

use std::{fmt, str::FromStr};

use document::{Ids, Problem, Problems, Sources, parse};
use model::Plan;

use crate::{
    catalogs::Catalogs,
    kinds,
    mistakes::{First, Mistakes},
};

/// `key=value`. The key may be a path, such as `packets.keep`; the value is YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    path: Vec<String>,
    value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` sets nothing; write `key=value`, such as `engine=tun`");
        let (path, value) = text.split_once('=').ok_or_else(wrong)?;
        let path: Vec<String> = path.split('.').map(|key| key.trim().to_owned()).collect();
        if path.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(Self { path, value: value.trim().to_owned() })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.path.join("."), self.value)
    }
}

impl Setting {
    /// As a scenario would have it below `lab`.
    fn yaml(&self) -> String {
        let (first, inner) = self.path.split_first().expect("a path has a key");
        let inner =
            inner.iter().rev().fold(self.value.clone(), |below, key| format!("{{{key}: {below}}}"));
        format!("{first}: {inner}")
    }
}

/// Lays settings over the parameters of the plan's lab and reads them all again with the kind's own reader.
///
/// # Errors
/// Every mistake in the settings; the plan is then as it was.
pub fn set_lab(plan: &mut Plan, settings: &[Setting], catalogs: &Catalogs) -> Result<(), Mistakes> {
    if settings.is_empty() {
        return Ok(());
    }
    let kind = catalogs.labs.find(&plan.lab.kind).expect("the plan was read with these catalogs");
    let (mut sources, mut ids, mut problems) =
        (Sources::default(), Ids::default(), Problems::new());
    // JSON is YAML.
    let own = plan.lab.params.to_string();
    let source = sources.add("parameters of the plan's lab", own.as_str());
    let mut params = parse(&own, source, &mut ids, &mut problems)
        .expect("the kind's own reader wrote these parameters");
    for (i, setting) in settings.iter().enumerate() {
        let text = setting.yaml();
        let source = sources.add("--lab", text.as_str());
        if let Some(over) = parse(&text, source, &mut ids, &mut problems) {
            let clash = |other: &&Setting| {
                other.path.starts_with(&setting.path) || setting.path.starts_with(&other.path)
            };
            if let Some(before) = settings[..i].iter().find(clash) {
                let (before, span) = (before.yaml(), over.span);
                problems.push(
                    Problem::new("logic", span, "a parameter is set twice")
                        .label(format!("beside `{before}`"))
                        .help("keep one of them"),
                );
            }
            params = params.merged(over);
        }
    }
    let read = kinds::params(kind, &params, &[], &mut problems);
    let mut problems = First::of(problems);
    problems.each(kinds::later);
    match read {
        Some(lab) if problems.is_empty() => {
            plan.lab = lab;
            Ok(())
        }
        _ => Err(Mistakes::new(sources, problems)),
    }
}

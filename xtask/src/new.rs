//! Adding a kind: one file and its two lines.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

/// A fault that stands still like `pause` until its author says what it does: it builds and passes `every_kind` from the first moment.
const FAULT: &str = r#"//! TITLE: say here what goes wrong, and what is deliberately absent.

use model::{Conditions, NodeState, Topology, plan::Target};
use seams::{Fault, Moment};

use crate::target::aimed;

pub(crate) const EXAMPLE: &str = "{role: leader, of: etcd}";

aimed! {
    /// What happens to a node that this fault hits.
    pub struct TYPE {}
}

impl Fault for TYPE {
    fn targets(&self) -> Vec<Target> {
        vec![self.target()]
    }

    fn at(&self, now: &Moment<'_>) -> Conditions {
        let state = NodeState::Stopped;
        Conditions { nodes: now.picked[0].iter().map(|node| (node.clone(), state)).collect(), ..Default::default() }
    }

    fn check(&self, _: &Topology) -> Vec<String> {
        self.check_target()
    }
}
"#;

/// Writes `faults/src/NAME.rs`, and its `mod` line and catalog line into `faults/src/lib.rs`.
pub(crate) fn fault(root: &Path, name: &str) -> Result<()> {
    let plain = !name.is_empty()
        && name.split('-').all(|part| part.starts_with(|c: char| c.is_ascii_lowercase()));
    let plain =
        plain && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    ensure!(
        plain,
        "`{name}` is no name for a kind; write it in small letters with dashes, such as `slow-disk`"
    );
    let (module, kind) = (name.replace('-', "_"), camel(name));
    let (file, catalog) =
        (root.join(format!("faults/src/{module}.rs")), root.join("faults/src/lib.rs"));
    ensure!(!file.exists(), "there is a fault `{name}` already: faults/src/{module}.rs");

    let text = fs::read_to_string(&catalog).context("failed to read faults/src/lib.rs")?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let module_line = format!("mod {module};");
    let mods = |line: &String| line.starts_with("mod ");
    let place = lines.iter().position(|line| mods(line) && *line > module_line);
    let place = place
        .or_else(|| lines.iter().rposition(mods).map(|last| last + 1))
        .context("no `mod` line in faults/src/lib.rs")?;
    lines.insert(place, module_line);
    let end = lines
        .iter()
        .position(|line| line == "    ],")
        .context("no end of the catalog in faults/src/lib.rs")?;
    lines.insert(end, format!("        fault::<{module}::{kind}>(\"{name}\", \"Say in one sentence what it does.\", {module}::EXAMPLE),"));

    fs::write(&file, FAULT.replace("TYPE", &kind).replace("TITLE", name))
        .context("failed to write the new file")?;
    fs::write(&catalog, lines.join("\n") + "\n").context("failed to write faults/src/lib.rs")?;
    println!(
        "wrote faults/src/{module}.rs and two lines of faults/src/lib.rs; docs/guide/add-a-fault.md says what to do next"
    );
    Ok(())
}

fn camel(name: &str) -> String {
    let capital = |part: &str| {
        let (first, rest) = part.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    name.split('-').map(capital).collect()
}

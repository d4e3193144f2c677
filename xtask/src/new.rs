//! Adding a kind: one file and its two lines in the room's catalog, or a folder and its lines elsewhere. What comes out builds and passes
//! the tests that visit every kind; it does nothing yet that its author did not write.

mod folder;

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

/// What there can be another one of.
struct Room {
    noun: &'static str,
    /// Where the new file goes, beside its sisters.
    folder: &'static str,
    /// The file that lists modules and kinds.
    catalog: &'static str,
    /// What an entry of the catalog begins with.
    entry: &'static str,
    /// The entry of the new kind.
    line: &'static str,
    text: &'static str,
    /// The page that says what to do next.
    guide: &'static str,
}

/// Stands still like `pause` until its author says what it does.
const FAULT: Room = Room {
    noun: "fault",
    folder: "faults/src",
    catalog: "faults/src/lib.rs",
    entry: "fault::<",
    line: r#"fault::<MODULE::TYPE>("NAME", "Say what it does.", MODULE::EXAMPLE),"#,
    text: include_str!("../templates/fault.rs"),
    guide: "docs/guide/add-a-fault.md",
};

/// Inconclusive until its author says what it counts.
const GATE: Room = Room {
    noun: "gate",
    folder: "harness/findings/src/gates",
    catalog: "harness/findings/src/gates/mod.rs",
    entry: "gate::<",
    line: r#"gate::<MODULE::TYPE>("NAME", "Say what it demands.", "{max: 0}"),"#,
    text: include_str!("../templates/gate.rs"),
    guide: "docs/guide/add-a-gate.md",
};

/// Writes the verdict and nothing else.
const REPORT: Room = Room {
    noun: "report",
    folder: "reports/src",
    catalog: "reports/src/lib.rs",
    entry: "report(",
    line: r#"report("NAME", "NAME.txt: say what it shows.", &MODULE::TYPE),"#,
    text: include_str!("../templates/report.rs"),
    guide: "docs/guide/add-a-report.md",
};

pub(crate) fn fault(root: &Path, name: &str) -> Result<()> {
    FAULT.add(root, name)
}

pub(crate) fn gate(root: &Path, name: &str) -> Result<()> {
    GATE.add(root, name)
}

pub(crate) fn report(root: &Path, name: &str) -> Result<()> {
    REPORT.add(root, name)
}

pub(crate) fn lab(root: &Path, name: &str) -> Result<()> {
    folder::LAB.add(root, name)
}

pub(crate) fn system(root: &Path, name: &str) -> Result<()> {
    folder::SYSTEM.add(root, name)
}

/// A name of a kind in its forms: `slow-disk`, `slow_disk`, `SlowDisk`.
struct Names {
    name: String,
    module: String,
    kind: String,
}

impl Names {
    /// Small letters with dashes between them.
    fn new(name: &str) -> Result<Self> {
        let begins = |part: &str| part.starts_with(|c: char| c.is_ascii_lowercase());
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        ensure!(
            plain && name.split('-').all(begins),
            "`{name}` is no name for a kind; write it in small letters with dashes, such as `slow-disk`"
        );
        let capital = |part: &str| {
            let (first, rest) = part.split_at(1);
            first.to_ascii_uppercase() + rest
        };
        let kind = name.split('-').map(capital).collect();
        Ok(Self { name: name.to_owned(), module: name.replace('-', "_"), kind })
    }

    /// A template with the name in its places.
    fn fill(&self, text: &str) -> String {
        let text = text.replace("MODULE", &self.module).replace("TYPE", &self.kind);
        text.replace("NAME", &self.name)
    }
}

impl Room {
    fn add(&self, root: &Path, name: &str) -> Result<()> {
        let (names, noun, catalog) = (Names::new(name)?, self.noun, self.catalog);
        let file = format!("{}/{}.rs", self.folder, names.module);
        ensure!(!root.join(&file).exists(), "there is a {noun} `{name}` already: {file}");

        let path = root.join(catalog);
        let text =
            fs::read_to_string(&path).with_context(|| format!("failed to read {catalog}"))?;
        let text =
            with_module(&text, &names.module).with_context(|| format!("no `mod` in {catalog}"))?;
        let text = with_entry(&text, self.entry, name, &names.fill(self.line))
            .with_context(|| format!("no catalog in {catalog}"))?;
        fs::write(root.join(&file), names.fill(self.text))
            .with_context(|| format!("failed to write {file}"))?;
        fs::write(&path, text).with_context(|| format!("failed to write {catalog}"))?;
        println!("wrote {file} and two lines of {catalog}; {} says what to do next", self.guide);
        Ok(())
    }
}

/// With `mod MODULE;` in the order of the names.
fn with_module(text: &str, module: &str) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let new = format!("mod {module};");
    let is_module = |line: &String| line.starts_with("mod ") && line.ends_with(';');
    let after = lines.iter().position(|line| is_module(line) && *line > new);
    let place = after.or_else(|| Some(lines.iter().rposition(is_module)? + 1))?;
    lines.insert(place, new);
    Some(lines.join("\n") + "\n")
}

/// With the entry in the order of the names. An entry may stand on several lines; the first text in quotes is its name.
fn with_entry(text: &str, begin: &str, name: &str, entry: &str) -> Option<String> {
    const INDENT: &str = "        ";
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let first = lines.iter().position(|line| line.trim() == "kinds: &[")? + 1;
    let end = first + lines[first..].iter().position(|line| line == "    ],")?;
    let entries = (first..end)
        .filter(|i| lines[*i].strip_prefix(INDENT).is_some_and(|line| line.starts_with(begin)));
    let named = |i: usize| lines[i..end].iter().find_map(|line| line.split('"').nth(1));
    let place = entries.into_iter().find(|i| named(*i).is_some_and(|other| other > name));
    lines.insert(place.unwrap_or(end), format!("{INDENT}{entry}"));
    Some(lines.join("\n") + "\n")
}

#[test]
fn a_kind_goes_to_its_place_by_name() {
    let catalog = "mod a;\nmod z;\n\nkinds: &[\n        gate::<A>(\"a\", \"1\"),\n        gate::<Z>(\n            \"z\",\n            \"2\",\n        ),\n    ],\n";
    let with = |name: &str| with_entry(catalog, "gate::<", name, "NEW").expect("it has a catalog");
    assert!(with("m").contains("\"1\"),\n        NEW\n        gate::<Z>("), "{}", with("m"));
    assert!(with("zz").contains("        ),\n        NEW\n    ],"), "{}", with("zz"));
    let modules = with_module(catalog, "m").expect("it has modules");
    assert!(modules.starts_with("mod a;\nmod m;\nmod z;\n"), "{modules}");
    assert!(with_module(catalog, "zz").expect("it has modules").contains("mod z;\nmod zz;\n"));
}

//! A kind that is a crate of its own: a lab or a system. A folder, and its lines elsewhere.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

use super::Names;

pub(super) struct Folder {
    pub(super) noun: &'static str,
    pub(super) folder: &'static str,
    /// Path within the folder, and text.
    pub(super) files: &'static [(&'static str, &'static str)],
    pub(super) lines: &'static [Line],
    pub(super) guide: &'static str,
}

/// A line elsewhere.
pub(super) struct Line {
    file: &'static str,
    /// The last line that ends so, or the only one that begins so.
    beside: Beside,
    text: &'static str,
}

enum Beside {
    /// A new line below the last one that ends with this.
    After(&'static str),
    /// A new line above the first one that begins with this.
    Before(&'static str),
    /// Within a list: right before the end that follows the beginning, however the list is wrapped.
    Within { begin: &'static str, end: &'static str },
}

/// What a crate needs besides its catalog's line.
const fn crate_lines(of: Line, dependency: &'static str) -> [Line; 4] {
    [
        Line { file: "Cargo.toml", beside: Beside::Before("reports = {"), text: dependency },
        Line {
            file: "harness/cli/Cargo.toml",
            beside: Beside::After("[dependencies]"),
            text: "NAME.workspace = true",
        },
        Line {
            file: "xtask/tests/floors.rs",
            beside: Beside::After(", 2),"),
            text: "    (\"wetdress-NAME\", 2),",
        },
        of,
    ]
}

pub(super) const LAB: Folder = Folder {
    noun: "lab",
    folder: "labs",
    files: &[
        ("Cargo.toml", include_str!("../../templates/lab/manifest.toml")),
        ("src/lib.rs", include_str!("../../templates/lab/lib.rs")),
        ("src/kind.rs", include_str!("../../templates/lab/kind.rs")),
        ("src/lab.rs", include_str!("../../templates/lab/lab.rs")),
        ("tests/kinds.rs", include_str!("../../templates/lab/test.rs")),
    ],
    lines: &crate_lines(
        Line {
            file: "harness/cli/src/labs.rs",
            beside: Beside::Within { begin: "kinds: &[", end: "]" },
            text: "MODULE::LAB",
        },
        "NAME = { package = \"wetdress-NAME\", path = \"labs/NAME\" }",
    ),
    guide: "docs/guide/add-a-lab.md",
};

pub(super) const SYSTEM: Folder = Folder {
    noun: "system",
    folder: "systems",
    files: &[
        ("Cargo.toml", include_str!("../../templates/system/manifest.toml")),
        ("src/lib.rs", include_str!("../../templates/system/lib.rs")),
        ("src/service.rs", include_str!("../../templates/system/service.rs")),
        ("src/driver.rs", include_str!("../../templates/system/driver.rs")),
        ("src/observer.rs", include_str!("../../templates/system/observer.rs")),
        ("tests/kinds.rs", include_str!("../../templates/system/test.rs")),
    ],
    lines: &crate_lines(
        Line {
            file: "harness/cli/src/catalogs.rs",
            beside: Beside::Within { begin: "SYSTEMS: &[&System] =", end: "]" },
            text: "&MODULE::SYSTEM",
        },
        "NAME = { package = \"wetdress-NAME\", path = \"systems/NAME\" }",
    ),
    guide: "docs/guide/add-a-system.md",
};

impl Folder {
    pub(super) fn add(&self, root: &Path, name: &str) -> Result<()> {
        let (names, noun) = (Names::new(name)?, self.noun);
        let folder = format!("{}/{name}", self.folder);
        ensure!(!root.join(&folder).exists(), "there is a {noun} `{name}` already: {folder}");
        // Every line finds its place before anything is written.
        let mut changed = vec![];
        for Line { file, beside, text } in self.lines {
            let old = fs::read_to_string(root.join(file))
                .with_context(|| format!("failed to read {file}"))?;
            let new = beside.with(&old, &names.fill(text));
            changed.push((file, new.with_context(|| format!("no place for its line in {file}"))?));
        }
        for (file, text) in self.files {
            let path = root.join(&folder).join(file);
            fs::create_dir_all(path.parent().context("a file has a folder")?)?;
            fs::write(&path, names.fill(text))
                .with_context(|| format!("failed to write {folder}/{file}"))?;
        }
        for (file, text) in &changed {
            fs::write(root.join(file), text).with_context(|| format!("failed to write {file}"))?;
        }
        // Names differ in length, and lines with them.
        crate::sh(root, &["fmt", "--package", &format!("wetdress-{name}")])?;
        let lines: Vec<&str> = self.lines.iter().map(|line| line.file).collect();
        println!(
            "wrote {folder}/ and a line of each of {}; {} says what to do next",
            lines.join(", "),
            self.guide
        );
        Ok(())
    }
}

impl Beside {
    fn with(&self, text: &str, new: &str) -> Option<String> {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        match self {
            Self::After(end) => {
                let last = lines.iter().rposition(|line| line.ends_with(end))?;
                lines.insert(last + 1, new.to_owned());
            }
            Self::Before(begin) => {
                let first = lines.iter().position(|line| line.starts_with(begin))?;
                lines.insert(first, new.to_owned());
            }
            Self::Within { begin, end } => {
                let from = text.find(begin)? + begin.len();
                let at = from + text[from..].find(end)?;
                let (before, rest) = (text[..at].trim_end(), &text[at..]);
                // A list with a line for each of its items ends with a comma.
                let item = match before.strip_suffix(',') {
                    Some(_) => format!("\n    {new},\n"),
                    None => format!(", {new}"),
                };
                return Some(format!("{before}{item}{rest}"));
            }
        }
        Some(lines.join("\n") + "\n")
    }
}

#[test]
fn lines_find_their_places() {
    let after = Beside::After(", 2),").with("(a, 2),\n(b, 2),\n(c, 3),\n", "NEW");
    assert_eq!(after.as_deref(), Some("(a, 2),\n(b, 2),\nNEW\n(c, 3),\n"));
    let before = Beside::Before("r =").with("a = 1\nr = 2\n", "NEW");
    assert_eq!(before.as_deref(), Some("a = 1\nNEW\nr = 2\n"));
    let within = Beside::Within { begin: "kinds: &[", end: "]" };
    let list = within.with("x &[1], kinds: &[a, b] };\n", "c");
    assert_eq!(list.as_deref(), Some("x &[1], kinds: &[a, b, c] };\n"));
    let wrapped = Beside::Within { begin: "KINDS: &[Kind] =", end: "]" };
    let list = wrapped.with("const KINDS: &[Kind] =\n    &[a, b];\n", "c");
    assert_eq!(list.as_deref(), Some("const KINDS: &[Kind] =\n    &[a, b, c];\n"));
    let list = wrapped.with("const KINDS: &[Kind] = &[\n    a,\n    b,\n];\n", "c");
    assert_eq!(list.as_deref(), Some("const KINDS: &[Kind] = &[\n    a,\n    b,\n    c,\n];\n"));
    assert_eq!(Beside::Before("q").with("a\n", "NEW"), None);
}

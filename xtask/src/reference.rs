//! The generated part of the documentation: whatever `wetdress` knows about itself is written from its types, never by hand.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;

/// File, and the words that make `wetdress` print it.
const PAGES: [(&str, &[&str]); 2] =
    [("docs/reference/kinds.md", &["explain", "--all", "--markdown"]), ("docs/reference/scenario.schema.json", &["schema"])];

/// Writes every page; with `check` compares instead and says what to do.
pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
    let mut stale = vec![];
    for (file, words) in PAGES {
        let (path, fresh) = (root.join(file), print(root, words)?);
        if fs::read_to_string(&path).is_ok_and(|old| old == fresh) {
            continue;
        }
        stale.push(file);
        if !check {
            fs::create_dir_all(path.parent().context("a page has a folder")?)?;
            fs::write(&path, fresh).with_context(|| format!("failed to write {file}"))?;
            println!("wrote {file}");
        }
    }
    if check && !stale.is_empty() {
        bail!("{} no longer match the types; run `cargo xtask reference` and commit the result", stale.join(", "));
    }
    Ok(())
}

fn print(root: &Path, words: &[&str]) -> Result<String> {
    let made = Command::new(cargo()).args(["run", "--quiet", "--package", "wetdress", "--"]).args(words).current_dir(root).output()?;
    ensure!(made.status.success(), "`wetdress {}` failed:\n{}", words.join(" "), String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).context("the page is not UTF-8")
}

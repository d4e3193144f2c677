//! The generated part of the documentation: whatever `wetdress` knows about itself is written from its types, never by hand.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;

/// Writes every page; with `check` compares instead and says what to do.
pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
    let folder = root.join("docs/reference");
    let (fresh, old) = (fresh(root)?, pages(&folder).unwrap_or_default());
    let differs = |name: &&String| fresh.get(*name) != old.get(*name);
    let stale: Vec<&String> = fresh
        .keys()
        .chain(old.keys().filter(|name| !fresh.contains_key(*name)))
        .filter(differs)
        .collect();
    if check {
        ensure!(
            stale.is_empty(),
            "docs/reference no longer matches the types ({stale:?}); run `cargo xtask reference` and commit the result"
        );
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    for name in stale {
        match fresh.get(name) {
            Some(text) => fs::write(folder.join(name), text),
            None => fs::remove_file(folder.join(name)),
        }
        .with_context(|| format!("failed to write docs/reference/{name}"))?;
        println!("wrote docs/reference/{name}");
    }
    Ok(())
}

/// The pages as this tree makes them, by file name.
fn fresh(root: &Path) -> Result<BTreeMap<String, String>> {
    let folder = tempfile::tempdir().context("failed to make a temporary folder")?;
    wetdress(root, &["explain".into(), "--into".into(), folder.path().into()])?;
    let mut made = pages(folder.path())?;
    made.insert("scenario.schema.json".into(), wetdress(root, &["schema".into()])?);
    Ok(made)
}

fn pages(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
        pages.insert(name, fs::read_to_string(&path)?);
    }
    Ok(pages)
}

/// What the program prints.
fn wetdress(root: &Path, words: &[PathBuf]) -> Result<String> {
    let made = Command::new(cargo())
        .args(["run", "--quiet", "--package", "wetdress", "--"])
        .args(words)
        .current_dir(root)
        .output()?;
    if !made.status.success() {
        bail!("`wetdress {words:?}` failed:\n{}", String::from_utf8_lossy(&made.stderr));
    }
    String::from_utf8(made.stdout).context("the page is not UTF-8")
}

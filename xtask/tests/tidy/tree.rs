//! Rust sources as git lists them, read and parsed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Written by a program from the protocol's own files: its form is that program's, and `tests/generated.rs` compares it.
const GENERATED: &[&str] = &["systems/etcd/src/generated/"];

/// One file.
pub(crate) struct Source {
    /// From the root of the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) parsed: syn::File,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), text: text.to_owned(), parsed }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// Every source that is ours to shape, new ones that are not committed yet among them.
pub(crate) fn listed() -> Vec<Source> {
    let root = root();
    let out = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(&root)
        .output()
        .expect("git runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let names = String::from_utf8(out.stdout).expect("names are UTF-8");
    let mut names: Vec<&str> = names.lines().collect();
    names.sort_unstable();
    names.dedup();
    let ours = names.into_iter().filter(|name| !GENERATED.iter().any(|g| name.starts_with(g)));
    // A file that was removed and not yet committed is still listed.
    ours.filter_map(|name| {
        fs::read_to_string(root.join(name)).ok().map(|text| Source::new(name, &text))
    })
    .collect()
}

/// `#[cfg(test)]`: not shipped.
pub(crate) fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

//! Rust sources as git lists them, read and parsed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Left out: what a program wrote from the protocol's own files (its form is that program's, and `tests/generated.rs` compares it), and
/// templates, which nothing names before they are filled.
const LEFT_OUT: &[&str] = &["systems/etcd/src/generated/", "xtask/templates/"];

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

/// Path and text of every file that ends so, also new ones that are not committed yet.
fn texts(ending: &str) -> Vec<(String, String)> {
    let root = root();
    let out = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", ending])
        .current_dir(&root)
        .output()
        .expect("git runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let names = String::from_utf8(out.stdout).expect("names are UTF-8");
    let mut names: Vec<String> = names.lines().map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    // A file that was removed and not yet committed is still listed.
    let read = |name: String| fs::read_to_string(root.join(&name)).ok().map(|text| (name, text));
    names.into_iter().filter_map(read).collect()
}

/// Every source that is ours to shape.
pub(crate) fn listed() -> Vec<Source> {
    let ours = |path: &str| !LEFT_OUT.iter().any(|out| path.starts_with(out));
    let sources = texts("*.rs").into_iter().filter(|(path, _)| ours(path));
    sources.map(|(path, text)| Source::new(&path, &text)).collect()
}

/// Every page of documentation.
pub(crate) fn pages() -> Vec<(String, String)> {
    texts("*.md")
}

/// `#[cfg(test)]`: not shipped.
pub(crate) fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

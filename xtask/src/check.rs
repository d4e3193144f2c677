//! What a change must pass.

use std::path::Path;

use anyhow::Result;

use crate::sh;

pub(crate) fn run(root: &Path) -> Result<()> {
    sh(root, &["fmt", "--all", "--check"])?;
    sh(root, &["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"])?;
    sh(root, &["test", "--workspace", "--quiet"])?;
    crate::reference::run(root, true)
}

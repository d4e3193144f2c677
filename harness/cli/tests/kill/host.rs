//! What a run could leave on the host beside processes and namespaces: mounts, devices, files.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt};

use crate::stage::UNPRIVILEGED;

/// Two of them are equal unless something was left in between.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Host {
    mounts: String,
    devices: BTreeSet<String>,
    /// Entries of the folders that everybody may write to, as far as they bear our name or belong to the user without privileges.
    files: BTreeSet<String>,
}

impl Host {
    pub(crate) fn now() -> Self {
        Self {
            mounts: fs::read_to_string("/proc/self/mountinfo").expect("a /proc"),
            devices: names("/sys/class/net", |_| true),
            files: ["/tmp", "/var/tmp", "/dev/shm", "/run"]
                .iter()
                .flat_map(|folder| names(folder, is_ours))
                .collect(),
        }
    }
}

fn names(folder: &str, which: fn(&fs::DirEntry) -> bool) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(which).map(|entry| entry.path().display().to_string()).collect()
}

fn is_ours(entry: &fs::DirEntry) -> bool {
    let theirs = entry.metadata().is_ok_and(|metadata| metadata.uid() == UNPRIVILEGED);
    theirs || entry.file_name().to_string_lossy().contains("wetdress")
}

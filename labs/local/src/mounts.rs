//! What the sandbox's own mount namespace looks like. Everything here vanishes with the namespace.

use std::{
    fs::{self, DirBuilder},
    os::{fd::AsRawFd, unix::fs::DirBuilderExt},
    path::Path,
};

use rustix::{
    fs::{CWD, Mode, OFlags, open},
    mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change},
    process::getuid,
};

use crate::sandbox::{SandboxError, Step};

/// What processes of nodes may read and no record holds: in memory, each node's in a folder of its name.
pub(crate) const PRIVATE: &str = "/run/private";

const PASSWD: &str = "/etc/passwd";

/// To be called in a new mount and pid namespace: nothing gets out, processes of this pid namespace in /proc, an empty /run,
/// and a name for the id that everything runs under.
pub(crate) fn furnish() -> Result<(), SandboxError> {
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .step("make the mounts private")?;
    fresh_proc()?;
    fresh_run()?;
    DirBuilder::new().mode(0o700).create(PRIVATE).step("make a folder for what is private")?;
    name_the_id()
}

/// Processes of the calling process's pid namespace.
pub(crate) fn fresh_proc() -> Result<(), SandboxError> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None).step("mount /proc")
}

/// The same for a node, which goes on seeing what is private.
pub(crate) fn run_of_node() -> Result<(), SandboxError> {
    let (flags, mode) = (OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let private = open(PRIVATE, flags, mode).step("find what is private")?;
    fresh_run()?;
    DirBuilder::new().mode(0o700).create(PRIVATE).step("make a folder for what is private")?;
    let before = format!("/proc/self/fd/{}", private.as_raw_fd());
    mount_bind(before, PRIVATE).step("bind what is private")
}

/// Sockets and pid files of one node must not meet another's.
fn fresh_run() -> Result<(), SandboxError> {
    mount("tmpfs", "/run", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(c"mode=0755"))
        .step("mount a tmpfs on /run")
}

/// `initdb` and others ask the password file who they are.
fn name_the_id() -> Result<(), SandboxError> {
    let Ok(known) = fs::read_to_string(PASSWD) else { return Ok(()) };
    let id = getuid().as_raw().to_string();
    if known.lines().any(|line| line.split(':').nth(2) == Some(id.as_str())) {
        return Ok(());
    }
    let made = Path::new("/run/passwd");
    let gap = if known.ends_with('\n') || known.is_empty() { "" } else { "\n" };
    fs::write(made, format!("{known}{gap}wetdress:x:{id}:{id}:wetdress:/run:/bin/sh\n"))
        .step("write a password file")?;
    mount_bind(made, PASSWD).step("bind a password file")?;
    // The node's own tmpfs on /run will hide the file, not the bind mount.
    rustix::fs::accessat(CWD, PASSWD, rustix::fs::Access::READ_OK, rustix::fs::AtFlags::empty())
        .step("read the password file")
}

//! What the sandbox's own mount namespace looks like. Everything here vanishes with the namespace.

use std::{fs, path::Path};

use rustix::{
    fs::CWD,
    mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change},
    process::getuid,
};

use crate::sandbox::{SandboxError, Step};

const PASSWD: &str = "/etc/passwd";

/// To be called in a new mount and pid namespace: nothing gets out, processes of this pid namespace in /proc, an empty /run,
/// and a name for the id that everything runs under.
pub(crate) fn furnish() -> Result<(), SandboxError> {
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .step("make the mounts private")?;
    fresh_proc()?;
    fresh_run()?;
    name_the_id()
}

/// Processes of the calling process's pid namespace.
pub(crate) fn fresh_proc() -> Result<(), SandboxError> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None).step("mount /proc")
}

/// Sockets and pid files of one node must not meet another's.
pub(crate) fn fresh_run() -> Result<(), SandboxError> {
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

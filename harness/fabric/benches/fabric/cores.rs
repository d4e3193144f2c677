//! Which thread runs where. With four cores or more the sender, the receiver and the fabric do not share any; with fewer the kernel
//! places them, as it does in the lab.

use std::collections::HashSet;
use std::io;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// From so many cores on threads are pinned, and the goals for free cores count.
pub(crate) const FREE_CORES: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Sender,
    Receiver,
}

/// The cores this process was given. Asked on the main thread, which is never pinned.
pub(crate) fn allowed() -> Vec<usize> {
    let main = Pid::from_raw(std::process::id().cast_signed());
    let given = sched_getaffinity(main).unwrap_or_default();
    (0..CpuSet::MAX_CPU).filter(|core| given.is_set(*core)).collect()
}

/// Puts the calling thread on the core of its role.
pub(crate) fn pin(role: Role) {
    let allowed = allowed();
    if allowed.len() >= FREE_CORES {
        let core = match role {
            Role::Sender => allowed[0],
            Role::Receiver => allowed[1],
        };
        restrict(None, &[core]);
    }
}

/// Leaves the workers every core but those two.
pub(crate) fn pin_workers(threads: &HashSet<Pid>) {
    let allowed = allowed();
    if allowed.len() >= FREE_CORES {
        threads.iter().for_each(|thread| restrict(Some(*thread), &allowed[2..]));
    }
}

fn restrict(thread: Option<Pid>, cores: &[usize]) {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    // A thread that has just ended, or a host that forbids it: the figures are only noisier then.
    let _ = sched_setaffinity(thread, &set);
}

/// The threads of this process.
pub(crate) fn threads() -> io::Result<HashSet<Pid>> {
    let mut threads = HashSet::new();
    for entry in std::fs::read_dir("/proc/self/task")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        threads.extend(number.and_then(Pid::from_raw));
    }
    Ok(threads)
}

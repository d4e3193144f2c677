//! `kill -9` of the supervisor, of pid 1 and of the harness, at each moment.

use std::fs;

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    outside::{Supervisor, children, members, until, user_namespace},
    scene,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    Supervisor,
    PidOne,
    Harness,
}

pub(crate) const VICTIMS: [Victim; 3] = [Victim::Supervisor, Victim::PidOne, Victim::Harness];

pub(crate) fn leaves_nothing(victim: Victim, moment: &str) -> Result<(), Failed> {
    let host = host();
    let mut supervisor = Supervisor::start(moment);
    supervisor.wait_for_word(moment);
    let door = only_child(supervisor.pid());
    let init = only_child(door);
    let harness = only_child(init);
    let namespace = user_namespace(init).ok_or("pid 1 is alive")?;
    assert!(members(&namespace).len() >= 3, "the door, pid 1, the harness and its servers");
    let pid = match victim {
        Victim::Supervisor => supervisor.pid(),
        Victim::PidOne => init,
        Victim::Harness => harness,
    };
    kill_process(pid, Signal::KILL)?;
    until("everything inside to end", || members(&namespace).is_empty());
    let status = supervisor.wait();
    match victim {
        Victim::Supervisor => assert!(!status.success()),
        Victim::PidOne => assert_eq!(status.code(), Some(scene::TORN.into())),
        Victim::Harness => {
            supervisor.wait_for_word("signal 9");
            assert_eq!(status.code(), Some(scene::SIGNALLED.into()));
        }
    }
    assert_eq!(self::host(), host, "mounts and devices of the host");
    Ok(())
}

fn only_child(parent: Pid) -> Pid {
    let mut found = Vec::new();
    // Pid 1 has orphans for a moment whenever a node is born.
    until("an only child", || {
        found = children(parent);
        found.sort_by_key(|pid| pid.as_raw_nonzero());
        !found.is_empty()
    });
    found[0]
}

/// What a lab could leave on the host: mounts and network devices.
fn host() -> (String, String) {
    let read = |path: &str| fs::read_to_string(path).expect("the host has a /proc");
    let devices = read("/proc/self/net/dev")
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| format!("{name}\n"))
        .collect();
    (read("/proc/self/mountinfo"), devices)
}

//! What of a run is alive: its processes and its namespaces, as /proc shows them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

/// Names of the processes of a sandbox; the kernel keeps 15 bytes.
pub(crate) const INIT: &str = "wetdress-init";
pub(crate) const HARNESS: &str = "wetdress-harnes";
pub(crate) const NODE: &str = "wetdress-node";

#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) name: String,
    pub(crate) parent: i32,
    /// In ticks since the machine started: with it, a pid means one process for ever.
    started: u64,
}

/// Everyone who ever belonged to a run. Belongs: whoever descends from it, or has its mark in the environment.
#[derive(Debug)]
pub(crate) struct Census {
    mark: Vec<u8>,
    known: BTreeSet<(i32, u64)>,
    /// Their namespaces, held open here: as long as we hold one, its number means no other.
    namespaces: BTreeMap<PathBuf, File>,
}

impl Census {
    /// `mark` is a text that no other process has in its environment.
    pub(crate) fn new(supervisor: u32, mark: &Path) -> Self {
        let mut census = Self {
            mark: mark.as_os_str().as_encoded_bytes().to_vec(),
            known: BTreeSet::new(),
            namespaces: BTreeMap::new(),
        };
        let supervisor =
            processes().into_iter().find(|process| u32::try_from(process.pid) == Ok(supervisor));
        census.known.extend(supervisor.map(|process| process.id()));
        census
    }

    /// Its processes that are alive now.
    pub(crate) fn members(&mut self) -> Vec<Process> {
        let (mut others, mut members): (Vec<Process>, Vec<Process>) = (processes(), vec![]);
        loop {
            let parents: BTreeSet<i32> = members.iter().map(|member| member.pid).collect();
            let belongs = |one: &Process| {
                parents.contains(&one.parent)
                    || self.known.contains(&one.id())
                    || one.has(&self.mark)
            };
            let (found, rest): (Vec<Process>, Vec<Process>) = others.into_iter().partition(belongs);
            if found.is_empty() {
                return members;
            }
            self.known.extend(found.iter().map(Process::id));
            members.extend(found);
            others = rest;
        }
    }

    /// Takes hold of every namespace that a member is in or has open; how many network namespaces there are.
    pub(crate) fn hold_namespaces(&mut self) -> usize {
        let own: BTreeSet<PathBuf> =
            namespaces_of("self".as_ref()).filter_map(|path| fs::read_link(path).ok()).collect();
        for path in
            self.members().iter().flat_map(|member| namespaces_of(member.pid.to_string().as_ref()))
        {
            let Ok(held) = File::open(path) else { continue };
            let name = fs::read_link(format!("/proc/self/fd/{}", held.as_raw_fd()))
                .expect("it was opened just now");
            if !own.contains(&name) {
                self.namespaces.insert(name, held);
            }
        }
        self.namespaces.keys().filter(|name| name.to_string_lossy().starts_with("net:")).count()
    }

    /// Processes that live on, and namespaces that somebody beside us has.
    pub(crate) fn left(&mut self) -> Vec<String> {
        let members = self.members();
        if !members.is_empty() {
            return members
                .iter()
                .map(|member| format!("process {} {}", member.pid, member.name))
                .collect();
        }
        let us = std::process::id().to_string();
        let others =
            processes().into_iter().map(|one| one.pid.to_string()).filter(|pid| *pid != us);
        let held = others.flat_map(|pid| namespaces_of(pid.as_ref()).collect::<Vec<_>>());
        let ours = held.filter(|path| {
            fs::read_link(path).is_ok_and(|name| self.namespaces.contains_key(&name))
        });
        ours.map(|path| format!("namespace at {}", path.display())).collect()
    }
}

impl Process {
    fn id(&self) -> (i32, u64) {
        (self.pid, self.started)
    }

    fn has(&self, mark: &[u8]) -> bool {
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        environment.windows(mark.len()).any(|part| part == mark)
    }
}

/// All processes but zombies, which hold nothing.
fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("a /proc").flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter_map(|stat| process(&stat)).collect()
}

/// See proc_pid_stat(5): the name, in parentheses, may hold anything.
fn process(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    if matches!(fields.first(), Some(&"Z" | &"X")) {
        return None;
    }
    Some(Process {
        pid: pid.parse().ok()?,
        name: name.into(),
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// Links to every namespace that a process, or a thread of it, is in or has open.
fn namespaces_of(pid: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let process = Path::new("/proc").join(pid);
    let list = |folder: PathBuf| {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
    };
    let threads = list(process.join("task")).map(|thread| thread.join("ns/net"));
    let open = list(process.join("fd"))
        .filter(|path| fs::read_link(path).is_ok_and(|to| is_namespace(&to.to_string_lossy())));
    let own = ["user", "net", "mnt", "pid", "ipc", "uts"].map(|kind| process.join("ns").join(kind));
    own.into_iter().chain(threads).chain(open)
}

/// Sockets and pipes are written like this too.
fn is_namespace(link: &str) -> bool {
    ["user:[", "net:[", "mnt:[", "pid:[", "ipc:[", "uts:["]
        .iter()
        .any(|kind| link.starts_with(kind))
}

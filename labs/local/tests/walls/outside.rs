//! A supervisor of ours, and its processes as the host's /proc shows them.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
};

use kit::patience;
pub(crate) use kit::until;
use rustix::process::{Pid, Signal, kill_process};

use crate::scene;

#[derive(Debug)]
pub(crate) struct Supervisor {
    child: Child,
    words: mpsc::Receiver<String>,
    /// Its run folders lie here.
    _folder: tempfile::TempDir,
}

impl Supervisor {
    pub(crate) fn start(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let myself = std::env::current_exe().expect("the path of this executable");
        let mut command = Command::new(myself);
        command
            .args([scene::WORD, name])
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("this executable runs again");
        let words = listen(child.stdout.take().expect("it is piped"));
        Self { child, words, _folder: folder }
    }

    pub(crate) fn wait_for_word(&self, wanted: &str) {
        let word = self
            .words
            .recv_timeout(patience())
            .unwrap_or_else(|_| panic!("waited {:?} for `{wanted}`", patience()));
        assert_eq!(word, wanted);
    }

    /// All it has to say, to its end.
    pub(crate) fn words(&mut self) -> Vec<String> {
        self.wait();
        self.words.iter().collect()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it is ours and not reaped");
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("the supervisor to end", || {
            status = self.child.try_wait().expect("it is ours");
            status.is_some()
        });
        status.expect("waited for")
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // It has ended where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (tell, words) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // The test may have what it wanted.
            let _ = tell.send(line);
        }
    });
    words
}

/// Children of a process, from /proc.
pub(crate) fn children(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_nonzero().to_string();
    processes()
        .filter(|(_, stat)| field(stat, 1) == Some(&parent))
        .filter_map(|(pid, _)| Pid::from_raw(pid))
        .collect()
}

/// The user namespace of a process. None once it is gone.
pub(crate) fn user_namespace(pid: Pid) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{}/ns/user", pid.as_raw_nonzero())).ok()
}

/// Every process of a user namespace, zombies left out: they hold nothing.
pub(crate) fn members(namespace: &PathBuf) -> Vec<i32> {
    let alive = processes().filter(|(_, stat)| !matches!(field(stat, 0), Some("Z" | "X")));
    let inside = alive.filter(|(pid, _)| {
        Pid::from_raw(*pid).and_then(user_namespace).as_ref() == Some(namespace)
    });
    inside.map(|(pid, _)| pid).collect()
}

fn processes() -> impl Iterator<Item = (i32, String)> {
    let entries = fs::read_dir("/proc").expect("a /proc").flatten();
    entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, fs::read_to_string(entry.path().join("stat")).ok()?))
    })
}

/// Of the fields behind the name: 0 is the state, 1 the parent.
fn field(stat: &str, index: usize) -> Option<&str> {
    stat.rsplit_once(") ")?.1.split(' ').nth(index)
}

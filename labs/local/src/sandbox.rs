//! The walls: a supervisor that stays outside, and inside new namespaces a pid 1 that reaps and a harness that works.
//!
//! ```text
//! supervisor   the caller: terminal, signals, exit code
//! └ door       new user, mount, pid, net, ipc and uts namespaces; waits
//!   └ pid 1    mounts; one thread; reaps orphans; its end is everybody's end
//!     └ harness    `body`; threads and tokio may start here
//!       └ forks    makes stub inits, see `forks`
//! ```
//! Each dies with its parent (PR_SET_PDEATHSIG), and the kernel kills a pid namespace with its pid 1, so that nothing is left
//! whoever is killed. Nothing is executed anew: an exec under a non-zero id would lose the capabilities.

use std::{
    fs, io,
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use rustix::{
    process::{
        Pid, Signal, WaitOptions, kill_process, set_parent_process_death_signal, setsid, wait,
        waitpid,
    },
    thread::UnshareFlags,
};
use serde::{Deserialize, Serialize};

use crate::{
    files,
    fork_server::{self, Inside},
    mounts,
    sys::{self, Side, Signals},
};

/// The id that everything in the lab has. Not zero: PostgreSQL refuses root.
pub(crate) const ID: u32 = 1000;

/// How the harness ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// With this exit code.
    Exited(u8),
    /// By this signal.
    Signalled(i32),
    /// Killed by the supervisor, which was asked twice for an end.
    Interrupted,
    /// Somebody killed pid 1, or the door, and with it everything inside.
    Torn,
}

/// The host did not allow a step. Finishes "failed to ...".
#[derive(Debug, thiserror::Error)]
#[error("{step}")]
pub struct SandboxError {
    pub step: String,
    pub source: io::Error,
}

/// What the inside tells the supervisor through a pipe, once.
#[derive(Serialize, Deserialize)]
enum Exit {
    Refused { step: String, errno: i32 },
    Ended(Outcome),
}

pub(crate) trait Step<T> {
    /// Names what was being done.
    fn step(self, step: &str) -> Result<T, SandboxError>;
}

impl<T, E: Into<io::Error>> Step<T> for Result<T, E> {
    fn step(self, step: &str) -> Result<T, SandboxError> {
        self.map_err(|source| SandboxError { step: step.into(), source: source.into() })
    }
}

/// Runs `body` as the harness of a new sandbox and waits for its end. To be called from `main`, before any thread exists.
///
/// The first SIGINT, SIGTERM or SIGHUP of the supervisor reaches the harness as SIGTERM, a request to stop in good order;
/// the second kills everything inside. A panic of `body` counts as exit code 101.
pub fn enter(body: impl FnOnce(Inside) -> u8) -> Result<Outcome, SandboxError> {
    let before = Signals::of(&WATCHED).block().step("block signals")?;
    let outcome = supervise(body, &before);
    before.set_mask().step("unblock signals")?;
    outcome
}

fn supervise(body: impl FnOnce(Inside) -> u8, before: &Signals) -> Result<Outcome, SandboxError> {
    let (mut words, tell) = io::pipe().step("open a pipe")?;
    let Some(entry) = ChildGuard::fork().step("fork")? else {
        drop(words);
        // A panic must not unwind into the supervisor's code: this is another process.
        let inside = || enter_namespaces(body, before, tell);
        let Err(_told) = catch_unwind(AssertUnwindSafe(inside));
        sys::leave(1);
    };
    drop(tell);
    let (mut asked, mut asked_twice) = (false, false);
    entry
        .guard(|signal| match signal {
            libc::SIGQUIT => None,
            _ if std::mem::replace(&mut asked, true) => {
                asked_twice = true;
                Some(Signal::QUIT)
            }
            _ => Some(Signal::TERM),
        })
        .step("wait for the sandbox")?;
    let mut word = Vec::new();
    words.read_to_end(&mut word).step("read the sandbox's last word")?;
    match serde_json::from_slice(&word) {
        Ok(Exit::Ended(outcome)) => Ok(outcome),
        Ok(Exit::Refused { step, errno }) => {
            Err(SandboxError { step, source: io::Error::from_raw_os_error(errno) })
        }
        Err(_) if asked_twice => Ok(Outcome::Interrupted),
        Err(_) => Ok(Outcome::Torn),
    }
}

/// The door: makes the namespaces, forks pid 1 into them, and stays because only children enter a new pid namespace.
fn enter_namespaces(
    body: impl FnOnce(Inside) -> u8,
    before: &Signals,
    mut tell: io::PipeWriter,
) -> ! {
    let code = match make_namespaces() {
        Ok(None) => live_as_pid_1(body, before, tell),
        Ok(Some(init)) => {
            drop(tell);
            let end = init.guard(|signal| {
                if signal == libc::SIGQUIT { Some(Signal::KILL) } else { Some(Signal::TERM) }
            });
            i32::from(end.is_err())
        }
        Err(refused) => {
            report(&mut tell, &refused.into());
            1
        }
    };
    sys::leave(code)
}

fn make_namespaces() -> Result<Option<ChildGuard>, SandboxError> {
    files::raise_limit().step("raise the limit of open files")?;
    // Ctrl-c at the terminal must reach the supervisor only.
    setsid().step("open a session")?;
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    sys::unshare(UnshareFlags::NEWUSER).step("make a user namespace")?;
    fs::write("/proc/self/setgroups", "deny").step("write /proc/self/setgroups")?;
    fs::write("/proc/self/uid_map", format!("{ID} {user} 1")).step("write /proc/self/uid_map")?;
    fs::write("/proc/self/gid_map", format!("{ID} {group} 1")).step("write /proc/self/gid_map")?;
    let others = [
        (UnshareFlags::NEWNS, "make a mount namespace"),
        (UnshareFlags::NEWNET, "make a network namespace"),
        (UnshareFlags::NEWIPC, "make an ipc namespace"),
        (UnshareFlags::NEWUTS, "make a uts namespace"),
        (UnshareFlags::NEWPID, "make a pid namespace"),
    ];
    for (namespace, step) in others {
        sys::unshare(namespace).step(step)?;
    }
    // A change of credentials may have cleared it.
    set_parent_process_death_signal(Some(Signal::KILL)).step("bind to the parent")?;
    ChildGuard::fork().step("fork pid 1")
}

fn live_as_pid_1(body: impl FnOnce(Inside) -> u8, before: &Signals, mut tell: io::PipeWriter) -> ! {
    let harness = mounts::furnish()
        .and_then(|()| name())
        .and_then(|()| ChildGuard::fork().step("fork the harness"));
    let word = match harness {
        Ok(None) => {
            drop(tell);
            work(body, before)
        }
        Ok(Some(harness)) => match harness.guard_all(|_| Some(Signal::TERM)) {
            Ok(outcome) => Exit::Ended(outcome),
            Err(source) => SandboxError { step: "wait for the harness".into(), source }.into(),
        },
        Err(refused) => refused.into(),
    };
    report(&mut tell, &word);
    sys::leave(0)
}

fn name() -> Result<(), SandboxError> {
    rustix::thread::set_name(c"wetdress-init").step("take a name")
}

/// The harness. A panic must not unwind into the code that called `enter`: that is the supervisor's.
fn work(body: impl FnOnce(Inside) -> u8, before: &Signals) -> ! {
    let code = fork_server::start().and_then(|inside| {
        before.set_mask()?;
        rustix::thread::set_name(c"wetdress-harness")?;
        Ok(catch_unwind(AssertUnwindSafe(|| body(inside))).map_or(101, i32::from))
    });
    std::process::exit(code.unwrap_or(102))
}

fn report(tell: &mut io::PipeWriter, word: &Exit) {
    let text = serde_json::to_vec(word).expect("a word is plain data");
    // Without a reader the supervisor is dead, and so are we in a moment.
    let _ = tell.write_all(&text);
}

impl From<SandboxError> for Exit {
    fn from(error: SandboxError) -> Self {
        Self::Refused { step: error.step, errno: error.source.raw_os_error().unwrap_or(libc::EIO) }
    }
}

const WATCHED: [i32; 5] = [libc::SIGCHLD, libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// A child that dies with this process.
pub(crate) struct ChildGuard {
    pid: Pid,
    /// Held until the end: the child looks at its other end to learn whether we died before it was bound.
    _alive: OwnedFd,
}

impl ChildGuard {
    /// Forks; None in the child.
    pub(crate) fn fork() -> io::Result<Option<Self>> {
        let (watch, alive) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        match sys::fork()? {
            Side::Parent(pid) => Ok(Some(Self { pid, _alive: alive })),
            Side::Child => {
                drop(alive);
                set_parent_process_death_signal(Some(Signal::KILL))?;
                if is_hung_up(&watch)? {
                    sys::leave(1);
                }
                Ok(None)
            }
        }
    }

    /// Waits for the child's end; meanwhile passes on what `translate` makes of the signals that arrive.
    fn guard(&self, translate: impl FnMut(i32) -> Option<Signal>) -> io::Result<Outcome> {
        self.attend(Some(self.pid), translate)
    }

    /// The same, and reaps whatever else ends here.
    fn guard_all(&self, translate: impl FnMut(i32) -> Option<Signal>) -> io::Result<Outcome> {
        self.attend(None, translate)
    }

    fn attend(
        &self,
        whom: Option<Pid>,
        mut translate: impl FnMut(i32) -> Option<Signal>,
    ) -> io::Result<Outcome> {
        let watched = Signals::of(&WATCHED);
        loop {
            let signal = watched.wait()?;
            if signal != libc::SIGCHLD {
                if let Some(passed) = translate(signal) {
                    kill_process(self.pid, passed)?;
                }
                continue;
            }
            while let Some((pid, status)) = next_end(whom)? {
                if pid == self.pid {
                    return Ok(match (status.exit_status(), status.terminating_signal()) {
                        (Some(code), _) => {
                            Outcome::Exited(u8::try_from(code & 0xff).expect("masked to one byte"))
                        }
                        (None, Some(signal)) => Outcome::Signalled(signal),
                        (None, None) => continue,
                    });
                }
            }
        }
    }
}

/// A child that has ended, if any; whoever it is where nobody is named.
pub(crate) fn next_end(
    whom: Option<Pid>,
) -> io::Result<Option<(Pid, rustix::process::WaitStatus)>> {
    let ended = match whom {
        Some(_) => waitpid(whom, WaitOptions::NOHANG),
        // Without a process `waitpid` means those of our own group, and the inits of nodes have sessions of their own.
        None => wait(WaitOptions::NOHANG),
    };
    match ended {
        Ok(end) => Ok(end),
        Err(rustix::io::Errno::CHILD) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether nobody holds the other end of a pipe or socket any more.
fn is_hung_up(fd: impl AsFd) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut polled = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::empty())];
    poll(&mut polled, Some(&Timespec::try_from(Duration::ZERO).expect("zero fits")))?;
    Ok(polled[0].revents().contains(PollFlags::HUP))
}

//! The stub init of a node: pid 1 of its pid namespace, one thread. It starts processes, signals them all, and reports how they
//! fare. It decides nothing, and ends when the harness lets go of its control socket.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::{self, Stdio},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{
        Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process_group, pidfd_open, setsid, wait,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    ipc, mounts,
    sandbox::{SandboxError, Step},
    sys::{self, Signals},
};

/// What the harness asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    Start(Job),
    /// To every process of the node.
    Signal(i32),
    /// To one program and whatever it started and left in its process group.
    SignalOne {
        number: u32,
        signal: i32,
    },
}

/// A program to start. Its output is appended to `log`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Chosen by the harness, new for each start.
    pub number: u32,
    pub program: PathBuf,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub dir: PathBuf,
    pub log: PathBuf,
}

/// What the stub tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// Beside it: the stub's pidfd.
    Ready,
    Refused {
        step: String,
        errno: i32,
    },
    Started {
        number: u32,
    },
    NotStarted {
        number: u32,
        why: String,
    },
    /// The kernel's own word that the process stands still.
    Stopped {
        number: u32,
    },
    Continued {
        number: u32,
    },
    Ended {
        number: u32,
        end: End,
    },
    /// The signal was sent; `alone` when there was nobody to get it.
    Signalled {
        signal: i32,
        alone: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    Exited(i32),
    Killed(i32),
}

impl Report {
    pub(crate) fn refused(error: &SandboxError) -> Self {
        Self::Refused {
            step: error.step.clone(),
            errno: error.source.raw_os_error().unwrap_or(libc::EIO),
        }
    }
}

pub(crate) fn tell(control: &OwnedFd, report: &Report) {
    if ipc::send(control, report, &[]).is_err() {
        // Nobody listens any more: the node has no purpose, and the kernel ends its processes with us.
        sys::leave(0);
    }
}

pub(crate) fn run(control: &OwnedFd) -> ! {
    let end =
        set_up(control).and_then(|signals| serve(control, &signals).step("attend to the node"));
    if let Err(refused) = end {
        tell(control, &Report::refused(&refused));
    }
    sys::leave(0)
}

fn set_up(control: &OwnedFd) -> Result<OwnedFd, SandboxError> {
    setsid().step("open a session")?;
    mounts::fresh_proc()?;
    mounts::run_of_node()?;
    rustix::thread::set_name(c"wetdress-node").step("take a name")?;
    let child = Signals::of(&[libc::SIGCHLD]);
    child.block().step("block SIGCHLD")?;
    let signals = child.descriptor().step("watch SIGCHLD")?;
    let own = pidfd_open(getpid(), PidfdFlags::empty()).step("open the own pidfd")?;
    ipc::send(control, &Report::Ready, &[own.as_fd()]).step("tell that it is ready")?;
    Ok(signals)
}

fn serve(control: &OwnedFd, signals: &OwnedFd) -> io::Result<()> {
    let mut jobs = HashMap::new();
    loop {
        let mut polled = [PollFd::new(control, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
        poll(&mut polled, None)?;
        let (asked, ended) = (!polled[0].revents().is_empty(), !polled[1].revents().is_empty());
        if ended {
            let mut consumed = [0; 1024];
            rustix::io::read(signals, &mut consumed)?;
            report_changes(control, &mut jobs)?;
        }
        if asked {
            match ipc::receive(control)? {
                Some((Order::Start(job), _)) => {
                    start(control, &job, &mut jobs);
                    // A SIGCHLD may have been lost while nothing was blocked.
                    report_changes(control, &mut jobs)?;
                }
                Some((Order::Signal(signal), _)) => signal_all(control, signal)?,
                Some((Order::SignalOne { number, signal }, _)) => {
                    signal_one(number, signal, &jobs)?;
                }
                None => return Ok(()),
            }
        }
    }
}

fn start(control: &OwnedFd, job: &Job, jobs: &mut HashMap<Pid, u32>) {
    match launch(job) {
        Ok(pid) => {
            jobs.insert(pid, job.number);
            tell(control, &Report::Started { number: job.number });
        }
        Err(error) => {
            tell(control, &Report::NotStarted { number: job.number, why: error.to_string() })
        }
    }
}

fn launch(job: &Job) -> io::Result<Pid> {
    let log = File::options().create(true).append(true).open(&job.log)?;
    // Servers get no capability of the lab: none is ambient, so none survives the exec.
    sys::clear_ambient_capabilities()?;
    let mut command = process::Command::new(&job.program);
    command.args(&job.args).env_clear().envs(&job.env).current_dir(&job.dir);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    // A group of its own: one program can be hit without the others of the node.
    command.process_group(0);
    // A program inherits the blocked signals, and must have none: it could not be asked to end.
    let ours = Signals::of(&[]).set_mask()?;
    let child = command.spawn();
    ours.set_mask()?;
    // It is reaped with everybody else.
    Ok(Pid::from_child(&child?))
}

/// Every process of the namespace but this one.
fn signal_all(control: &OwnedFd, signal: i32) -> io::Result<()> {
    let alone = !sys::signal_everyone(signal)?;
    tell(control, &Report::Signalled { signal, alone });
    Ok(())
}

/// A program that has ended meanwhile gets nothing: its end is reported anyway.
fn signal_one(number: u32, signal: i32, jobs: &HashMap<Pid, u32>) -> io::Result<()> {
    let signal = Signal::from_named_raw(signal)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no signal of a name"))?;
    match jobs.iter().find(|(_, job)| **job == number) {
        Some((pid, _)) => match kill_process_group(*pid, signal) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            outcome => Ok(outcome?),
        },
        None => Ok(()),
    }
}

fn report_changes(control: &OwnedFd, jobs: &mut HashMap<Pid, u32>) -> io::Result<()> {
    let options = WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED;
    loop {
        // Any child: `waitpid` without one would mean those of our own process group.
        let (pid, status) = match wait(options) {
            Ok(Some(change)) => change,
            Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let end = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Some(End::Exited(code)),
            (None, Some(signal)) => Some(End::Killed(signal)),
            (None, None) => None,
        };
        // An orphan that no order started is reaped without a word.
        let Some(number) = jobs.get(&pid).copied() else { continue };
        let report = match end {
            Some(end) => Report::Ended { number, end },
            None if status.stopped() => Report::Stopped { number },
            None => Report::Continued { number },
        };
        if end.is_some() {
            jobs.remove(&pid);
        }
        tell(control, &report);
    }
}

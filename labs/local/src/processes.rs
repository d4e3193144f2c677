//! The processes of one node: what is to be started, and what runs.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use model::{LabEvent, NodeCondition, NodeId, NodeState};
use seams::{Command, LabError, Process, servers};
use tokio::time::Instant;

use crate::{
    init::{End, Job, Report},
    mounts,
};

#[derive(Debug)]
pub(crate) struct Processes {
    node: NodeId,
    /// The node's own directory; it survives a power loss.
    data: PathBuf,
    logs: PathBuf,
    processes: Vec<Program>,
    next_number: u32,
}

#[derive(Debug)]
struct Program {
    process: Process,
    prepared: bool,
    /// Of its running job.
    number: Option<u32>,
    stands: bool,
    /// When it is to be started again, having ended by itself.
    again: Option<Instant>,
    /// It was never started, or was put down by a wish: it is started when nothing wants it down any more. One that ended by itself
    /// is not.
    is_due: bool,
}

impl Processes {
    /// `run` is the run's folder, absolute.
    pub(crate) fn new(node: &NodeId, processes: Vec<Process>, run: &Path) -> io::Result<Self> {
        let data = run.join("nodes").join(node.as_str());
        let logs = run.join("logs").join(node.as_str());
        fs::create_dir_all(&data)?;
        fs::create_dir_all(&logs)?;
        let processes = processes.into_iter().map(|process| Program {
            process,
            prepared: false,
            number: None,
            stands: false,
            again: None,
            is_due: true,
        });
        Ok(Self { node: node.clone(), data, logs, processes: processes.collect(), next_number: 0 })
    }

    pub(crate) fn len(&self) -> usize {
        self.processes.len()
    }

    pub(crate) fn running(&self) -> usize {
        self.processes.iter().filter(|program| program.number.is_some()).count()
    }

    pub(crate) fn name(&self, index: usize) -> &str {
        &self.processes[index].process.name
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.processes.iter().any(|program| program.process.name == name)
    }

    /// The running job of a program.
    pub(crate) fn number(&self, index: usize) -> Option<u32> {
        self.processes[index].number
    }

    pub(crate) fn stands(&self, index: usize) -> bool {
        self.processes[index].stands
    }

    /// It was told to go on, and will be heard of again when it stands still the next time.
    pub(crate) fn let_go(&mut self, index: usize) {
        self.processes[index].stands = false;
    }

    pub(crate) fn is_due(&self, index: usize) -> bool {
        self.processes[index].is_due
    }

    /// Whoever ends from now on was put down: it starts again when nothing wants it down any more.
    pub(crate) fn put_down(&mut self, index: usize) {
        self.processes[index].put_down();
    }

    pub(crate) fn put_all_down(&mut self) {
        self.processes.iter_mut().for_each(Program::put_down);
    }

    pub(crate) fn all_stand(&self) -> bool {
        self.processes.iter().all(|program| program.stands || program.number.is_none())
    }

    pub(crate) fn any_stands(&self) -> bool {
        self.processes.iter().any(|program| program.stands)
    }

    pub(crate) fn log(&self, index: usize) -> PathBuf {
        log_in(&self.logs, &self.processes[index].process.name)
    }

    pub(crate) fn error(&self, index: usize, why: String) -> LabError {
        LabError::Process {
            node: self.node.clone(),
            process: self.processes[index].process.name.clone(),
            why,
        }
    }

    /// Writes a program's files and gives the steps to take before its first start; empty ever after.
    pub(crate) fn steps(&mut self, index: usize) -> io::Result<Vec<Job>> {
        let program = &self.processes[index];
        if program.prepared {
            return Ok(Vec::new());
        }
        let folders = self.folders(index);
        fs::create_dir_all(&folders.data)?;
        for (path, content) in &program.process.files {
            let path = folders.data.join(folders.filled(path));
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, folders.filled(content))?;
        }
        for (path, content) in &program.process.private {
            let path = PathBuf::from(folders.filled(path));
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            write_private(&path, &folders.filled(content.reveal()))?;
        }
        let steps = program.process.steps.clone();
        Ok(steps.iter().map(|step| self.job(index, step)).collect())
    }

    pub(crate) fn prepared(&mut self, index: usize) {
        self.processes[index].prepared = true;
    }

    /// The long-running job of a program; None where it runs.
    pub(crate) fn start(&mut self, index: usize) -> Option<Job> {
        if self.processes[index].number.is_some() {
            return None;
        }
        let command = self.processes[index].process.command.clone();
        let job = self.job(index, &command);
        self.processes[index].number = Some(job.number);
        self.processes[index].again = None;
        self.processes[index].is_due = false;
        Some(job)
    }

    /// When the next program that ended by itself, and is wanted up, is to be started again.
    pub(crate) fn next_again(&self, wanted: &NodeCondition) -> Option<Instant> {
        self.processes.iter().filter_map(|program| program.again_in(wanted)).min()
    }

    /// The jobs of those whose time has come.
    pub(crate) fn start_again(&mut self, now: Instant, wanted: &NodeCondition) -> Vec<Job> {
        let is_due = |program: &Program| program.again_in(wanted).is_some_and(|at| at <= now);
        let due: Vec<usize> =
            (0..self.processes.len()).filter(|index| is_due(&self.processes[*index])).collect();
        due.into_iter().filter_map(|index| self.start(index)).collect()
    }

    fn job(&mut self, index: usize, command: &Command) -> Job {
        self.next_number += 1;
        let folders = self.folders(index);
        let mut env = BTreeMap::from([
            ("HOME".to_owned(), folders.data.to_string_lossy().into_owned()),
            ("PATH".to_owned(), servers::search_path().to_string_lossy().into_owned()),
        ]);
        env.extend(command.env.iter().map(|(name, value)| (name.clone(), folders.filled(value))));
        Job {
            number: self.next_number,
            program: folders.program(&command.program),
            args: command.args.iter().map(|arg| folders.filled(arg)).collect(),
            env,
            log: self.log(index),
            dir: folders.data,
        }
    }

    fn folders(&self, index: usize) -> Folders {
        let private = Path::new(mounts::PRIVATE).join(self.node.as_str());
        match &self.processes[index].process.folder {
            Some(folder) => Folders { data: self.data.join(folder), private: private.join(folder) },
            None => Folders { data: self.data.clone(), private },
        }
    }

    /// Takes a report in; what of it others should know. An end was asked for where `wanted` has the program down.
    pub(crate) fn hear(
        &mut self,
        report: &Report,
        node: &NodeId,
        wanted: &NodeCondition,
    ) -> Option<LabEvent> {
        let (Report::Started { number }
        | Report::NotStarted { number, .. }
        | Report::Stopped { number }
        | Report::Continued { number }
        | Report::Ended { number, .. }) = report
        else {
            return None;
        };
        let program = self.processes.iter_mut().find(|program| program.number == Some(*number))?;
        let (node, process) = (node.clone(), program.process.name.clone());
        match report {
            Report::Started { .. } => return Some(LabEvent::ProcessStarted { node, process }),
            Report::Stopped { .. } => program.stands = true,
            Report::Continued { .. } => program.stands = false,
            Report::Ended { end, .. } => {
                program.gone();
                let asked = wanted.process(&process).is_down();
                if !asked {
                    program.wait_to_start(*end != End::Exited(0));
                }
                return Some(LabEvent::ProcessExited {
                    node,
                    process,
                    status: end.to_string(),
                    asked,
                });
            }
            _ => {
                program.gone();
                program.wait_to_start(true);
                // The next goal tries again too.
                program.is_due = true;
            }
        }
        None
    }

    /// The node's init is gone and with it everything.
    pub(crate) fn all_lost(&mut self, node: &NodeId) -> Vec<LabEvent> {
        let lost = self.processes.iter_mut().filter(|program| program.number.is_some());
        let lost = lost.map(|program| {
            program.gone();
            let status = "was killed with the node's init".into();
            LabEvent::ProcessExited {
                node: node.clone(),
                process: program.process.name.clone(),
                status,
                asked: false,
            }
        });
        lost.collect()
    }
}

fn log_in(logs: &Path, process: &str) -> PathBuf {
    logs.join(format!("{process}.log"))
}

/// Where a process of a node writes to, below the run's folder.
pub(crate) fn log(run: &Path, node: &NodeId, process: &str) -> PathBuf {
    log_in(&run.join("logs").join(node.as_str()), process)
}

/// The last lines of a log; of one that cannot be read, why not.
pub(crate) fn last_lines(log: &Path) -> Vec<String> {
    const LINES: usize = 5;
    const BYTES: u64 = 4096;
    let read = || -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(log)?;
        let from = file.metadata()?.len().saturating_sub(BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = vec![];
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Err(error) => vec![format!("{}: {error}", log.display())],
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            lines[lines.len().saturating_sub(LINES)..].iter().map(ToString::to_string).collect()
        }
    }
}

/// What `{data}` and `{private}` mean to a program.
struct Folders {
    data: PathBuf,
    private: PathBuf,
}

impl Folders {
    fn program(&self, program: &Path) -> PathBuf {
        if program == Path::new("{self}") {
            return std::env::current_exe().unwrap_or_else(|_| program.into());
        }
        self.filled(&program.to_string_lossy()).into()
    }

    fn filled(&self, text: &str) -> String {
        let filled = text.replace("{data}", &self.data.to_string_lossy());
        let filled = filled.replace("{private}", &self.private.to_string_lossy());
        filled.replace("{servers}", &servers::folder().to_string_lossy())
    }
}

/// Servers refuse a key that others may read.
fn write_private(path: &Path, content: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content.as_bytes())
}

impl Program {
    fn gone(&mut self) {
        self.number = None;
        self.stands = false;
    }

    /// When it is to be started again; None where it is not wanted up.
    fn again_in(&self, wanted: &NodeCondition) -> Option<Instant> {
        self.again.filter(|_| wanted.process(&self.process.name) == NodeState::Up)
    }

    /// Somebody wants it down: if it ended by itself before, it stays down too.
    fn put_down(&mut self) {
        self.is_due = true;
        self.again = None;
    }

    fn wait_to_start(&mut self, failed: bool) {
        self.again = self.process.restart.after(failed).map(|wait| Instant::now() + wait);
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Killed(signal) => write!(f, "was killed by signal {signal}"),
        }
    }
}

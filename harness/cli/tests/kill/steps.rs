//! The steps of a run at which somebody is killed, seen from outside.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{CWD, FileType, Mode, OFlags, mknodat},
};

use crate::{
    census::{HARNESS, NODE},
    stage::Place,
    started::{Refused, Started},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The harness is in them and has made no node yet.
    Namespaces,
    /// So many nodes have their init.
    Node(usize),
    /// The fault was asked for this moment.
    Apply,
    /// The cut has bitten.
    Cut,
    /// Sending has stopped; the last answers are waited for.
    Drain,
    /// The sandbox has ended in order, and its supervisor writes down what it found.
    Writing,
}

/// All at which the supervisor, pid 1 and the harness are there.
pub(crate) const STEPS: [Step; 7] = [
    Step::Namespaces,
    Step::Node(1),
    Step::Node(2),
    Step::Node(3),
    Step::Apply,
    Step::Cut,
    Step::Drain,
];

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespaces => f.write_str("namespaces_made"),
            Self::Node(number) => write!(f, "node_{number}_up"),
            Self::Apply => f.write_str("mid_apply"),
            Self::Cut => f.write_str("mid_cut"),
            Self::Drain => f.write_str("drain"),
            Self::Writing => f.write_str("writing_run_json"),
        }
    }
}

impl Step {
    /// Comes back as soon as the run is there.
    pub(crate) fn reach(self, run: &mut Started) -> Result<Option<Tear>, Refused> {
        let named = |run: &mut Started, name| {
            run.census.members().iter().filter(|member| member.name == name).count()
        };
        match self {
            Self::Namespaces => run.see("a harness", |run| named(run, HARNESS) == 1)?,
            Self::Node(number) => run.see("nodes", |run| named(run, NODE) >= number)?,
            Self::Apply => run.hear("fault cut-west asked")?,
            Self::Cut => run.hear("fault cut-west proven")?,
            Self::Drain => run.hear("generation stopped")?,
            Self::Writing => {
                run.hear("lab open")?;
                let tear = Tear::new(&run.place);
                run.see("the summary being written", |_| tear.begun())?;
                return Ok(Some(tear));
            }
        }
        Ok(None)
    }
}

/// A pipe in the place where a new `run.json` is written, too narrow for it: the writer stands still in the middle of its write.
#[derive(Debug)]
pub(crate) struct Tear {
    path: PathBuf,
    pipe: File,
}

impl Tear {
    fn new(place: &Place) -> Self {
        let path = place.run().join("run.json.new");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .expect("nobody writes there during a run");
        place.give_away(&path);
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("a flag of open(2)");
        let pipe =
            OpenOptions::new().read(true).custom_flags(flags).open(&path).expect("made just now");
        rustix::pipe::fcntl_setpipe_size(&pipe, 4096).expect("a page is always allowed");
        Self { path, pipe }
    }

    fn begun(&self) -> bool {
        let mut polled = [PollFd::new(&self.pipe, PollFlags::IN)];
        poll(&mut polled, Some(&Timespec::try_from(Duration::ZERO).expect("zero fits")))
            .expect("an open pipe");
        polled[0].revents().contains(PollFlags::IN)
    }

    /// Leaves what a file would hold now that its writer is dead; so many bytes.
    pub(crate) fn leave(mut self, place: &Place) -> usize {
        let mut written = vec![];
        self.pipe.read_to_end(&mut written).expect("nobody has its other end any more");
        fs::remove_file(&self.path).expect("it is there");
        fs::write(&self.path, &written).expect("the run folder can be written to");
        place.give_away(&self.path);
        written.len()
    }
}

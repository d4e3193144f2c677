//! A run that was started, seen from outside.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::Instant,
};

pub(crate) use kit::holds_within as until;
use kit::patience;

use crate::{census::Census, stage::Place};

/// What the program says when the host allows it no namespaces.
const REFUSED: &str = "`wetdress doctor` says what this machine lacks";

/// The host allows no sandbox.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) String);

#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) place: Place,
    pub(crate) census: Census,
    child: Child,
    lines: mpsc::Receiver<String>,
    heard: Vec<String>,
}

impl Started {
    pub(crate) fn new(place: Place, mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program runs");
        let lines = listen(child.stderr.take().expect("it is piped"));
        Self { census: Census::new(child.id(), place.path()), child, lines, heard: vec![], place }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid is positive")
    }

    /// Waits for a line of what the program says.
    pub(crate) fn hear(&mut self, wanted: &str) -> Result<(), Refused> {
        // A start under load takes long, and is not what is measured here.
        let end = Instant::now() + 10 * patience();
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            let found = line.contains(wanted);
            self.heard.push(line);
            if found {
                return Ok(());
            }
        }
        Err(self.refused(wanted))
    }

    /// Waits for something that /proc or a folder shows.
    pub(crate) fn see(
        &mut self,
        wanted: &str,
        mut holds: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), Refused> {
        let mut found = false;
        until(10 * patience(), || {
            found = holds(self);
            found || self.ended().is_some()
        });
        if found { Ok(()) } else { Err(self.refused(wanted)) }
    }

    /// Anything but a refusal of the host is a failure.
    fn refused(&mut self, wanted: &str) -> Refused {
        let status = self.ended();
        let words = self.words();
        match words.lines().find(|line| line.contains(REFUSED)) {
            Some(line) if status.and_then(|status| status.code()) == Some(4) => {
                Refused(line.to_owned())
            }
            _ => panic!("waited for `{wanted}`; status {status:?}; it said:\n{words}"),
        }
    }

    /// All it has said so far.
    pub(crate) fn words(&mut self) -> String {
        self.heard.extend(self.lines.try_iter());
        self.heard.join("\n")
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is ours")
    }

    /// Waits until no process and no namespace is left; the supervisor's end.
    pub(crate) fn gone(&mut self) -> ExitStatus {
        let mut left = vec![];
        let gone = until(patience(), || {
            let ended = self.ended().is_some();
            left = self.census.left();
            ended && left.is_empty()
        });
        assert!(gone, "{:?} after its end: {left:#?}; it said:\n{}", patience(), self.words());
        self.ended().expect("waited for")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It has ended where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(stderr: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (tell, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // The test may have what it wanted.
            let _ = tell.send(line);
        }
    });
    lines
}

//! Where runs of this test live, and one that was started.

use std::{
    fmt, fs,
    io::{BufRead, BufReader},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::census::Census;

/// Nobody, on every Linux.
pub(crate) const UNPRIVILEGED: u32 = 65534;

/// What the program says when the host allows it no namespaces.
const REFUSED: &str = "`wetdress doctor` says what this machine lacks";

/// Under whom a run happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    This,
    Unprivileged,
}

impl User {
    /// Only root can become somebody else.
    pub(crate) fn all() -> Vec<Self> {
        if rustix::process::geteuid().is_root() { vec![Self::This, Self::Unprivileged] } else { vec![Self::This] }
    }

    pub(crate) fn is_this(self) -> bool {
        self == Self::This
    }

    /// How packets travel: without privileges by what works everywhere.
    fn engine(self) -> &'static str {
        if self.is_this() { "auto" } else { "af-packet" }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::This if rustix::process::geteuid().is_root() => "root",
            Self::This => "this_user",
            Self::Unprivileged => "unprivileged",
        })
    }
}

/// At least the ten seconds within which everything must be gone.
pub(crate) fn patience() -> Duration {
    let asked = std::env::var("WETDRESS_TEST_PATIENCE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(0).max(10))
}

/// Polls; false when `within` is over.
pub(crate) fn until(within: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + within;
    while !holds() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    true
}

/// A folder that every user can read, with the program in it.
#[derive(Debug)]
pub(crate) struct Stage {
    folder: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let program = folder.path().join("wetdress");
        fs::copy(env!("CARGO_BIN_EXE_wetdress"), &program).expect("the program was built");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::write(folder.path().join("kill.yaml"), include_str!("kill.yaml")).expect("it is ours");
        Self { folder }
    }

    /// A place for one trial: its `runs`, and a `home` that must stay empty.
    pub(crate) fn place(&self, name: &str, user: User) -> Place {
        let place = Place { program: self.folder.path().join("wetdress"), path: self.folder.path().join(name), user };
        for folder in [place.path.clone(), place.home(), place.runs()] {
            fs::create_dir(&folder).expect("each trial has a name of its own");
            place.give_away(&folder);
        }
        place
    }

    /// The run to be killed.
    pub(crate) fn start(&self, name: &str, user: User) -> Started {
        let place = self.place(name, user);
        let mut command = place.command(&["run", "--engine", user.engine(), "--runs"]);
        command.arg(place.runs()).arg(self.folder.path().join("kill.yaml"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program runs");
        let lines = listen(child.stderr.take().expect("it is piped"));
        Started { census: Census::new(child.id(), &place.path), child, lines, heard: vec![], place }
    }
}

#[derive(Debug)]
pub(crate) struct Place {
    program: PathBuf,
    path: PathBuf,
    user: User,
}

impl Place {
    fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.runs().join("latest")
    }

    /// To this place's user.
    pub(crate) fn give_away(&self, path: &Path) {
        if !self.user.is_this() {
            chown(path, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).expect("root may give away");
        }
    }

    /// The program under this place's user. Servers that it starts have a home below the same path.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(self.home()).env("HOME", self.home()).env("TMPDIR", self.home()).stdin(Stdio::null());
        if !self.user.is_this() {
            command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
        }
        command
    }

    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program runs")
    }

    pub(crate) fn of_run(&self, args: &[&str]) -> Output {
        self.command(args).arg(self.run()).output().expect("the program runs")
    }

    /// Everything but the one run folder and the link to it.
    pub(crate) fn strange_files(&self) -> Vec<PathBuf> {
        let list = |folder: &Path| fs::read_dir(folder).expect("it is ours").flatten().map(|entry| entry.path()).collect::<Vec<_>>();
        let run = fs::canonicalize(self.run()).expect("a run has a folder");
        let beside = list(&self.runs()).into_iter().filter(|path| *path != self.run() && *path != run);
        let above = list(&self.path).into_iter().filter(|path| *path != self.home() && *path != self.runs());
        list(&self.home()).into_iter().chain(beside).chain(above).collect()
    }
}

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
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid is positive")
    }

    /// Waits for a line of what the program says.
    pub(crate) fn hear(&mut self, wanted: &str) -> Result<(), Refused> {
        // A start under load takes long, and is not what is measured here.
        let end = Instant::now() + 10 * patience();
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            let found = line.contains(wanted);
            self.heard.push(line);
            if found {
                return Ok(());
            }
        }
        Err(self.refused(wanted))
    }

    /// Waits for something that /proc or a folder shows.
    pub(crate) fn see(&mut self, wanted: &str, mut holds: impl FnMut(&mut Self) -> bool) -> Result<(), Refused> {
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
            Some(line) if status.and_then(|status| status.code()) == Some(4) => Refused(line.to_owned()),
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

//! Where runs of this test live: users, and a place of its own for each trial.

use std::{
    fmt, fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

use crate::started::Started;

/// Nobody, on every Linux.
pub(crate) const UNPRIVILEGED: u32 = 65534;

/// Under whom a run happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    This,
    Unprivileged,
}

impl User {
    pub(crate) fn is_this(self) -> bool {
        self == Self::This
    }

    /// How packets travel: without privileges by what works everywhere.
    fn engine(self) -> &'static str {
        if self.is_this() { "engine=auto" } else { "engine=af_packet" }
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

    /// Only a root who may give files away can become somebody else.
    pub(crate) fn users(&self) -> Vec<User> {
        let given = self.folder.path().join("given");
        fs::write(&given, "").expect("it is ours");
        match chown(&given, Some(UNPRIVILEGED), Some(UNPRIVILEGED)) {
            Ok(()) => vec![User::This, User::Unprivileged],
            Err(why) => {
                eprintln!("skipped: kills as another user than this one: {why}");
                vec![User::This]
            }
        }
    }

    /// A place for one trial: its `runs`, and a `home` that must stay empty.
    pub(crate) fn place(&self, name: &str, user: User) -> Place {
        let place = Place {
            program: self.folder.path().join("wetdress"),
            path: self.folder.path().join(name),
            user,
        };
        for folder in [place.path.clone(), place.home(), place.runs()] {
            fs::create_dir(&folder).expect("each trial has a name of its own");
            place.give_away(&folder);
        }
        place
    }

    /// The run to be killed.
    pub(crate) fn start(&self, name: &str, user: User) -> Started {
        self.start_times(name, user, 1)
    }

    /// The run to be killed, and others that would come after it.
    pub(crate) fn start_times(&self, name: &str, user: User, times: u32) -> Started {
        let place = self.place(name, user);
        let mut command = place.command(&["run", "--lab", user.engine(), "--runs"]);
        command.arg(place.runs()).arg(self.folder.path().join("kill.yaml"));
        command.args(["--times", &times.to_string()]);
        Started::new(place, command)
    }
}

#[derive(Debug)]
pub(crate) struct Place {
    program: PathBuf,
    path: PathBuf,
    user: User,
}

impl Place {
    /// Everything that its processes are told lies below it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

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
        command
            .args(args)
            .current_dir(self.home())
            .env("HOME", self.home())
            .env("TMPDIR", self.home())
            .stdin(Stdio::null());
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
        let list = |folder: &Path| {
            fs::read_dir(folder)
                .expect("it is ours")
                .flatten()
                .map(|entry| entry.path())
                .collect::<Vec<_>>()
        };
        let run = fs::canonicalize(self.run()).expect("a run has a folder");
        let beside =
            list(&self.runs()).into_iter().filter(|path| *path != self.run() && *path != run);
        let above = list(&self.path)
            .into_iter()
            .filter(|path| *path != self.home() && *path != self.runs());
        list(&self.home()).into_iter().chain(beside).chain(above).collect()
    }
}

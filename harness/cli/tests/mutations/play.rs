//! One scenario in a process of its own, with limits.

use std::{
    fmt, fs,
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

/// More memory than this is refused to the process, in KiB of its address space.
const MEMORY_KIB: u64 = 1 << 20;
/// After this long it hangs: room for a loaded machine.
const HANGS: &str = "120";
/// Time on a processor, where it is looked at.
const TIME_MAX: Duration = Duration::from_secs(3);
/// Exit codes that the program documents for a run.
const CODES: [i32; 4] = [0, 1, 2, 5];

pub(crate) struct Player {
    folder: TempDir,
    timed: bool,
    slowest: Duration,
    wrong: Vec<String>,
}

impl Player {
    /// `timed`: whether a drill that takes long is wrong, which a plain test run on a loaded machine does not ask.
    pub(crate) fn new(timed: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, timed, slowest: Duration::ZERO, wrong: vec![] }
    }

    /// Notes, and keeps, an input that breaks a rule.
    pub(crate) fn hold(&mut self, what: &str, text: &str, holds: bool, why: &str) {
        if holds {
            return;
        }
        let file = std::env::temp_dir().join(format!("{}.yaml", what.replace(' ', "-")));
        fs::write(&file, text).expect("the input can be kept");
        let told = format!("{what} {why}: {}", file.display());
        println!("{told}");
        self.wrong.push(told);
    }

    /// How it ended.
    pub(crate) fn play(&mut self, what: &str, text: &str) -> String {
        let (file, runs) =
            (self.folder.path().join("changed.yaml"), self.folder.path().join("runs"));
        fs::write(&file, text).expect("writable");
        let before = time_of_children();
        let script = format!("ulimit -v {MEMORY_KIB} && exec timeout -k 1 {HANGS} \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_wetdress"), "run"]).arg(&file);
        command.arg("--runs").arg(&runs).stdin(Stdio::null()).stdout(Stdio::null());
        let done = command.output().expect("the program starts");
        let took = time_of_children().saturating_sub(before);
        self.slowest = self.slowest.max(took);
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        let code = done.status.code();
        let ended = code.is_some_and(|code| CODES.contains(&code)) && !told.contains("panicked");
        // Includes are not found from here.
        let includes = code == Some(3) && told.contains("cannot be read");
        let last = told.lines().last().unwrap_or_default().to_owned();
        self.hold(what, text, ended || includes, &format!("ends with {:?} `{last}`", done.status));
        let in_time = !self.timed || took <= TIME_MAX;
        self.hold(what, text, in_time, &format!("takes {took:?} on a processor"));
        drop(fs::remove_dir_all(&runs));
        code.map_or("signal".to_owned(), |code| format!("exit {code}"))
    }

    /// # Panics
    /// When an input broke a rule.
    pub(crate) fn verdict(self) {
        assert!(self.wrong.is_empty(), "{} inputs:\n{}", self.wrong.len(), self.wrong.join("\n"));
    }
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slowest drill {:?}, {} inputs broke a rule", self.slowest, self.wrong.len())
    }
}

/// Time on a processor of all children that ended, from proc_pid_stat(5): a hundredth of a second each tick.
fn time_of_children() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let behind_name = stat.rsplit_once(')').expect("the name stands in brackets").1;
    let ticks = behind_name.split_whitespace().skip(13).take(2);
    let sum: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(sum * 10)
}

//! The reference at work: one process that answers drill by drill.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::Value;

/// A running reference.
pub(crate) struct Reference {
    process: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

impl Reference {
    /// None where there is no python3, or no reference beside the project.
    pub(crate) fn start() -> Option<Self> {
        let folder = here("../../../shared/design/reference");
        if !folder.join("oracle.py").exists() {
            return None;
        }
        let mut process = Command::new("python3")
            .arg(here("tests/differential/ask_oracle.py"))
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let from = BufReader::new(process.stdout.take().expect("its output is piped"));
        Some(Self { to: process.stdin.take(), from, process })
    }

    /// # Errors
    /// What the reference stumbled over.
    ///
    /// # Panics
    /// When it is gone.
    pub(crate) fn ask(&mut self, drill: &Value) -> Result<Value, String> {
        let to = self.to.as_mut().expect("it is open until the end");
        let mut line = serde_json::to_vec(drill).expect("plain data");
        line.push(b'\n');
        to.write_all(&line).expect("the reference reads");
        let mut answer = String::new();
        self.from.read_line(&mut answer).expect("the reference writes text");
        let answer: Value = serde_json::from_str(&answer).expect("the reference answers");
        match answer["error"].as_str() {
            None => Ok(answer),
            Some(error) => Err(error.to_owned()),
        }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        drop(self.to.take());
        let _ended = self.process.wait();
    }
}

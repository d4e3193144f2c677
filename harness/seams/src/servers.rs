//! Programs that a system does not bring along: where they are looked for, and what is known of them before anything starts.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What somebody must have installed before a service can start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// A program's name, looked for in `bin` of the [`folder`] of servers and then on PATH; `a/b` lies below that folder; or an absolute path.
    pub path: PathBuf,
    /// None where the path says it, or no version was seen to fail.
    pub versions: Option<Versions>,
    /// What `ci/install-servers` calls it.
    pub install: &'static str,
}

/// The versions of a program that were seen to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// Arguments by which the program prints its version and ends.
    pub ask: &'static [&'static str],
    /// Major and minor number of the first and of the last one; both belong to them.
    pub from: (u32, u32),
    pub to: (u32, u32),
}

/// Where `ci/install-servers` puts what Debian has no package for: `wetdress/servers` in the user's data folder (XDG_DATA_HOME, by
/// default `~/.local/share`).
pub fn folder() -> PathBuf {
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let data = data.or_else(|| Some(env::home_dir()?.join(".local/share")));
    data.unwrap_or_else(|| "/usr/local/share".into()).join("wetdress/servers")
}

/// Where programs of nodes are looked for, in this order: PATH, with the servers' own folder first.
pub fn search_path() -> OsString {
    let rest = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let all = std::iter::once(folder().join("bin")).chain(env::split_paths(&rest));
    // A folder with a colon in its name cannot stand in PATH.
    env::join_paths(all).unwrap_or(rest)
}

impl Requirement {
    /// A program of any version.
    pub fn program(name: impl Into<PathBuf>, install: &'static str) -> Self {
        Self { path: name.into(), versions: None, install }
    }

    pub fn with_versions(self, versions: Versions) -> Self {
        Self { versions: Some(versions), ..self }
    }

    /// The file or folder.
    ///
    /// # Errors
    /// Nothing is there, or it says that it is another version than those that were seen to work: what is wrong and how to get it.
    pub fn find(&self) -> Result<PathBuf, String> {
        let Some(found) = self.locate() else {
            return Err(format!(
                "`{}` is not installed; `ci/install-servers {}` installs it",
                self.path.display(),
                self.install
            ));
        };
        match self.versions {
            Some(versions) => versions.of(&found).map(|()| found),
            None => Ok(found),
        }
    }

    fn locate(&self) -> Option<PathBuf> {
        if self.path.components().count() > 1 {
            // An absolute path replaces the folder.
            return Some(folder().join(&self.path)).filter(|path| path.exists());
        }
        let folders = search_path();
        env::split_paths(&folders).map(|folder| folder.join(&self.path)).find(|file| file.is_file())
    }
}

impl Versions {
    fn of(self, program: &Path) -> Result<(), String> {
        let name = program.display();
        let asked = Command::new(program).args(self.ask).stdin(Stdio::null()).output();
        let said = asked.map_err(|error| format!("`{name}` cannot be started: {error}"))?;
        let said = [said.stdout, said.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        // A wrapper of somebody's own need not tell; the report has what the running server says.
        let Some(version) = first_version(&said) else { return Ok(()) };
        if (self.from..=self.to).contains(&version) {
            return Ok(());
        }
        let text = |(major, minor): (u32, u32)| format!("{major}.{minor}");
        Err(format!(
            "`{name}` is version {}, and {} to {} were seen to work",
            text(version),
            text(self.from),
            text(self.to)
        ))
    }
}

/// The first two numbers with a dot between them.
fn first_version(text: &str) -> Option<(u32, u32)> {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    words.into_iter().find_map(|word| {
        let mut numbers = word.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_print_them() {
        for (text, version) in [
            ("etcd Version: 3.4.23\nGit SHA: Not provided\nGo Version: go1.19.8", (3, 4)),
            ("nats-server: v2.15.2", (2, 15)),
            ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64", (7, 0)),
            ("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)", (15, 20)),
            ("openjdk version \"17.0.15\" 2025-04-15", (17, 0)),
        ] {
            assert_eq!(first_version(text), Some(version), "{text}");
        }
        assert_eq!(first_version("no version 3 here"), None);
    }

    #[test]
    fn what_is_missing_or_of_another_version_is_told_with_what_to_do() {
        let none = Requirement::program("no-such-server", "redis");
        let why = none.find().expect_err("nothing is called so");
        assert!(why.contains("ci/install-servers redis"), "{why}");

        let ask = |from, to| {
            let versions = Versions { ask: &["-c", "echo v2.9.10"], from, to };
            Requirement::program("/bin/sh", "nats").with_versions(versions).find()
        };
        assert_eq!(ask((2, 9), (2, 15)).as_deref(), Ok(Path::new("/bin/sh")));
        let why = ask((2, 10), (2, 15)).expect_err("2.9 is too old");
        assert!(why.contains("is version 2.9, and 2.10 to 2.15 were seen to work"), "{why}");
    }
}

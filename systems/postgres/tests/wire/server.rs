//! A real PostgreSQL on loopback. It refuses to run as root, so that root runs it as `nobody`.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use kit::answer as until;
use model::NodeId;
use seams::{Service, Site};
use serde_json::json;
use tempfile::TempDir;
use wetdress_postgres::SYSTEM;

use crate::rig::{network, rehearse, site};

const PROGRAM: &str = "/usr/lib/postgresql/15/bin/postgres";
const NOBODY: u32 = 65_534;

pub(crate) struct Server {
    pub(crate) site: Site,
    pub(crate) service: Arc<dyn Service>,
    command: seams::Command,
    data: TempDir,
    running: Child,
}

/// Runs a test with a server of its own, if it is installed; says so when not.
#[allow(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn with_server(test: impl AsyncFnOnce(Server)) {
    if !Path::new(PROGRAM).exists() {
        println!("skipped: no {PROGRAM}; `ci/install-servers postgres` installs it");
        return;
    }
    rehearse(async { test(Server::start().await).await });
}

impl Server {
    async fn start() -> Self {
        let site = site(1);
        let kind = SYSTEM.services.find("postgres").expect("it is there");
        let quick = json!({"settings": {"fsync": "off"}});
        let service = (kind.make)(&quick, &site).expect("the parameters are right");
        let process = service.processes(&NodeId::from("n1"), &*site.topology).remove(0);
        let data = tempfile::tempdir().expect("a folder for the server");
        for (path, content) in &process.files {
            fs::write(filled(path, &data), content).expect("the folder can be written");
        }
        if is_root() {
            chown(data.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        for step in &process.steps {
            assert!(program(step, &data).status().expect("it starts").success(), "{step:?}");
        }
        let running = program(&process.command, &data).spawn().expect("the server starts");
        let server = Self { site, service, command: process.command, data, running };
        server.serves().await;
        let network = network(&server.site);
        server.service.provision(&*network).await.expect("the table can be made");
        server
    }

    /// Ends it, and starts it again on its old data.
    pub(crate) async fn restart(&mut self) {
        self.end();
        self.running = program(&self.command, &self.data).spawn().expect("the server starts");
        self.serves().await;
    }

    async fn serves(&self) {
        let network = network(&self.site);
        until("the server serves", || async { self.service.ready(&*network).await.ok() }).await;
    }

    /// The postmaster ends its own processes when it is told; it must, before its folder goes.
    fn end(&mut self) {
        let pid = self.running.id().to_string();
        let _told = Command::new("kill").args(["-s", "QUIT", &pid]).status();
        let _gone = self.running.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("it is there").uid() == 0
}

fn filled(text: &str, data: &TempDir) -> String {
    text.replace("{data}", data.path().to_str().expect("a plain path"))
}

/// It dies with the thread that started it, also when this process is killed.
fn program(of: &seams::Command, data: &TempDir) -> Command {
    let log = fs::File::options().create(true).append(true).open(data.path().join("log"));
    let mut command = Command::new("setpriv");
    if is_root() {
        let nobody = NOBODY.to_string();
        command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL"]).arg(&of.program);
    command.args(of.args.iter().map(|arg| filled(arg, data)));
    command.stdout(Stdio::null()).stderr(log.expect("a log for the server"));
    command
}

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
    _data: TempDir,
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
        let here = data.path().to_str().expect("a plain path").to_owned();
        let filled = |text: &str| text.replace("{data}", &here);
        for (path, content) in &process.files {
            fs::write(filled(path), content).expect("the folder can be written");
        }
        let is_root = fs::metadata("/proc/self").expect("it is there").uid() == 0;
        if is_root {
            chown(data.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        let log = fs::File::create(data.path().join("log")).expect("a log for the server");
        // It dies with the thread that started it, also when this process is killed.
        let command = |of: &seams::Command| {
            let mut command = Command::new("setpriv");
            if is_root {
                let nobody = NOBODY.to_string();
                command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]);
            }
            command.args(["--pdeathsig", "KILL"]).arg(&of.program);
            command.args(of.args.iter().map(|arg| filled(arg)));
            command.stdout(Stdio::null()).stderr(log.try_clone().expect("a log"));
            command
        };
        for step in &process.steps {
            assert!(command(step).status().expect("it starts").success(), "{step:?}");
        }
        let running = command(&process.command).spawn().expect("the server starts");
        let server = Self { site, service, _data: data, running };
        let network = network(&server.site);
        until("the server serves", || async { server.service.ready(&*network).await.ok() }).await;
        server.service.provision(&*network).await.expect("the table can be made");
        server
    }
}

impl Drop for Server {
    /// The postmaster ends its own processes when it is told; it must, before its folder goes.
    fn drop(&mut self) {
        let pid = self.running.id().to_string();
        let _told = Command::new("kill").args(["-s", "QUIT", &pid]).status();
        let _gone = self.running.wait();
    }
}

//! The server that everybody sends to: `wetdress sink` in a process of its own.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use basic::{Sink, SinkArgs};
use clap::Parser;
use rustix::process::{Pid, Signal, kill_process};

/// The first word of a process that serves.
pub(crate) const WORD: &str = "serve";

pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

#[derive(Parser)]
struct Words {
    #[command(flatten)]
    args: SinkArgs,
}

/// The child.
#[allow(clippy::print_stdout, reason = "its parent reads it")]
pub(crate) fn child(words: &[String]) -> Result<()> {
    let own = ["sink", "--listen=127.0.0.1:0", "--keep=1000", "--for=10m"].map(str::to_owned);
    let args = Words::parse_from(own.iter().chain(words)).args;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let sink = Sink::bind(&args)?;
        println!("{}", sink.address());
        sink.serve().await?;
        Ok(())
    })
}

impl Server {
    pub(crate) fn start(words: &[&str], stamps: Option<&Path>) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(WORD).args(words).stdout(Stdio::piped());
        if let Some(stamps) = stamps {
            command.arg("--stamps").arg(stamps);
        }
        let mut process = command.spawn().context("failed to start the server")?;
        let mut address = String::new();
        let out = process.stdout.take().context("its output is ours")?;
        BufReader::new(out).read_line(&mut address)?;
        Ok(Self { process, address: address.trim().parse().context("the server did not start")? })
    }

    /// Ends it in order: its stamps are written.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        let ended = self.process.wait()?;
        ensure!(ended.success(), "the server: {ended}");
        Ok(())
    }
}

impl Drop for Server {
    /// Whoever stopped it has waited for it: then there is nobody to kill.
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

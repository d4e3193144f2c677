//! Floor 4: the `wetdress` binary. It wires the rooms, owns the terminal and the exit code.
//!
//! Nothing here measures, judges or draws: that is done in rooms that can be tested without a terminal.
//!
//! * `args`: the command line
//! * `catalogs`: every kind of this build
//! * `labs`: the labs of this build
//! * `run`: `wetdress run`; `batch`: of several scenarios, or several times
//! * `scenario`: a scenario from the command line, with its mistakes
//! * `machine`: what a plan asks of this machine; `servers`: and of what is installed on it; `secrets`: and of files and variables
//! * `judge`: from a run folder to verdicts and reports
//! * `doctor`: what this machine can do, tried
//! * `commands`: commands that only read and print, one file each
//! * `progress`: what is seen while a run goes on
//! * `panics`: our own mistakes, told as such
//! * `console`: data to stdout, talk to stderr
//! * `exit`: the exit codes

mod args;
mod batch;
mod catalogs;
mod commands;
mod console;
mod doctor;
mod exit;
mod judge;
mod labs;
mod machine;
mod panics;
mod progress;
mod run;
mod scenario;
mod secrets;
mod servers;

use std::{
    ffi::{OsStr, OsString},
    process::ExitCode,
};

use args::{Cli, Color, Command};
use clap::Parser;
use exit::Exit;

fn main() -> ExitCode {
    // Servers of the embedded stack are this same program, and are given text by us.
    let words: Vec<OsString> = std::env::args_os().collect();
    if let [_, system, node, rest @ ..] = words.as_slice()
        && (system.as_os_str(), node.as_os_str()) == (OsStr::new("reference"), OsStr::new("node"))
    {
        let rest: Vec<String> =
            rest.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        return reference::node::main(&rest);
    }
    panics::tell();
    panics::caught(answer).unwrap_or(Exit::BrokeOff).into()
}

/// What the command line asks for.
fn answer() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) => {
            // Help and version are answers, everything else is wrong usage.
            if asked.use_stderr() {
                let _nobody_reads = asked.print();
                return Exit::Usage;
            }
            return console::answer(&asked).err().unwrap_or(Exit::Pass);
        }
    };
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    dispatch(cli.command, color).unwrap_or_else(|exit| exit)
}

/// # Errors
/// What was to be said could not be: this is the exit code.
fn dispatch(command: Command, color: bool) -> Result<Exit, Exit> {
    match command {
        Command::Run(run) => run::run(&run, color),
        Command::Check { scenario } => commands::check(&scenario, color),
        Command::Plan { scenario, expand } => commands::plan(&scenario, expand, color),
        Command::Judge { run, judging } => commands::judge(&run, judging),
        Command::Report { run, format } => Ok(commands::report(&run, &format)),
        Command::Doctor { file, json } => doctor::doctor(file, json, color),
        Command::Explain { kind, all, into } => {
            commands::explain(kind.as_deref(), all, into.as_deref())
        }
        Command::Capacity(args) => commands::capacity(&args, color),
        Command::Sink(args) => commands::sink(&args),
        Command::Schema => commands::schema(),
        Command::List { json } => commands::list(json),
    }
}

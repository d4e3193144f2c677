//! Floor 4: the `wetdress` binary. It wires the rooms, owns the terminal and the exit code.
//!
//! Nothing here measures, judges or draws: that is done in rooms that can be tested without a terminal.
//!
//! * `args`: the command line
//! * `catalogs`: every kind of this build
//! * `labs`: the labs of this build
//! * `run`: `wetdress run`
//! * `scenario`: a scenario from the command line, with its mistakes
//! * `judge`: from a run folder to verdicts and reports
//! * `doctor`: what this machine can do, tried
//! * `commands`: commands that only read and print, one file each
//! * `progress`: what is seen while a run goes on
//! * `console`: data to stdout, talk to stderr
//! * `exit`: the exit codes

mod args;
mod catalogs;
mod commands;
mod console;
mod doctor;
mod exit;
mod judge;
mod labs;
mod progress;
mod run;
mod scenario;

use std::process::ExitCode;

use args::{Cli, Color, Command};
use clap::Parser;
use exit::Exit;

fn main() -> ExitCode {
    // Servers of the embedded stack are this same program.
    let words: Vec<String> = std::env::args().collect();
    if let [_, system, node, rest @ ..] = words.as_slice()
        && (system.as_str(), node.as_str()) == ("reference", "node")
    {
        return reference::node::main(rest);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) => {
            let wrong = asked.use_stderr();
            // Help and version are answers, everything else is wrong usage; a closed pipe changes neither.
            let _closed_pipe = asked.print();
            return if wrong { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    dispatch(cli.command, color).into()
}

fn dispatch(command: Command, color: bool) -> Exit {
    match command {
        Command::Run(run) => run::run(&run, color),
        Command::Check { scenario } => commands::check(&scenario, color),
        Command::Plan { scenario, expand } => commands::plan(&scenario, expand, color),
        Command::Judge { run, judging } => commands::judge(&run, judging),
        Command::Report { run, format } => commands::report(&run, &format),
        Command::Doctor { json } => doctor::doctor(json),
        Command::Explain { kind, all, into } => {
            commands::explain(kind.as_deref(), all, into.as_deref())
        }
        Command::Schema => commands::schema(),
        Command::List { json } => commands::list(json),
    }
}

//! The command line.

use std::path::PathBuf;

use basic::SinkArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use document::units::{Multiple, Time};
use plan::Setting;

/// Chaos and load testing for replicated platforms: real servers, real traffic, real failures, before the release.
#[derive(Debug, Parser)]
#[command(name = "wetdress", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Colours: NO_COLOR is honoured too.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
}

const EXIT_CODES: &str = "Exit codes: 0 pass, 1 a gate failed, 2 inconclusive, 3 mistakes in the scenario, 4 the lab or the stack did not \
come up, 5 the run broke off, 64 wrong usage, 130 interrupted.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a scenario: bring the stack up, send traffic, inject faults, judge, report.
    Run(Run),
    /// Read a scenario and tell every mistake at once.
    Check {
        #[command(flatten)]
        scenario: Scenario,
    },
    /// Print what a run would do: timeline, rates, what the gates can prove, blast radius.
    Plan {
        #[command(flatten)]
        scenario: Scenario,
        /// Print the whole plan as data.
        #[arg(long)]
        expand: bool,
    },
    /// Judge a stored run again, also one that was killed in the middle.
    Judge {
        /// The run's folder.
        run: PathBuf,
        #[command(flatten)]
        judging: Judging,
    },
    /// Write the reports of a stored run again.
    Report {
        /// The run's folder.
        run: PathBuf,
        /// Which reports; default: those of the scenario.
        #[arg(long, value_delimiter = ',')]
        format: Vec<String>,
    },
    /// Try what this machine can do, and say how to get what is missing.
    Doctor {
        /// Only what this scenario needs; what is missing for it is then the exit code too.
        file: Option<PathBuf>,
        #[arg(long)]
        json: bool,
    },
    /// Document a kind, such as `wetdress explain partition`.
    Explain {
        kind: Option<String>,
        /// Every kind of this build.
        #[arg(long, conflicts_with = "kind")]
        all: bool,
        /// Write one Markdown page per family into this folder: docs/reference.
        #[arg(long)]
        into: Option<PathBuf>,
    },
    /// Find what the stack of a scenario carries: its load goes up in steps, without a fault.
    Capacity(Capacity),
    /// Receive readings over HTTP/1.1 and HTTP/2 on one port, and let them be read back: for benches, tests, and a first try.
    Sink(SinkArgs),
    /// Print the JSON schema of scenarios, for editors.
    Schema,
    /// List the kinds of this build.
    List {
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Scenario {
    /// The scenario file.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// How a scenario is read, and its results told.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Reading {
    /// Take the stack from this file instead: the same drill elsewhere.
    #[arg(long)]
    pub(crate) stack: Option<PathBuf>,
    /// Replace the scenario's seed.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Print data as JSON to stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Scenario files, or folders of them; several are run one after the other, and end with one table.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Run each scenario so many times in a row: failovers have more than one outcome.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) times: u32,
    /// Run an inconclusive drill once more, so many times in the whole invocation.
    #[arg(long, default_value_t = 0)]
    pub(crate) retries: u32,
    /// Skip scenarios whose servers are not installed, and say so, instead of refusing them all.
    #[arg(long)]
    pub(crate) skip_missing: bool,
    /// Write the table as a Markdown page into this file too.
    #[arg(long, value_name = "FILE")]
    pub(crate) table: Option<PathBuf>,
    /// End in good order when the program that started this one ends.
    #[arg(long, hide = true)]
    pub(crate) end_with_parent: bool,
    /// Where runs are kept; each gets a folder of its own and `latest` points to the newest.
    #[arg(long, default_value = "runs")]
    pub(crate) runs: PathBuf,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// Set a parameter of the scenario's lab, such as `engine=tun` or `packets.keep=0s`; `wetdress explain local` lists them.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) lab: Vec<Setting>,
    /// When to keep the packets around the effect of each fault, in `packets/` of the run folder.
    #[arg(long, value_enum, default_value_t = Packets::OnFailure)]
    pub(crate) packets: Packets,
}

#[derive(Debug, Args)]
pub(crate) struct Capacity {
    #[command(flatten)]
    pub(crate) scenario: Scenario,
    /// Where runs are kept.
    #[arg(long, default_value = "runs")]
    pub(crate) runs: PathBuf,
    /// Set a parameter of the scenario's lab, as for `run`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) lab: Vec<Setting>,
    /// Load of the last step, as a multiple of the nominal rates; the first step is at 1x, and each is the same multiple of the one before.
    #[arg(long, default_value = "16x")]
    pub(crate) to: Multiple,
    /// How many steps.
    #[arg(long, default_value_t = 13)]
    pub(crate) steps: u32,
    /// How long each step lasts.
    #[arg(long, default_value = "10s")]
    pub(crate) step: Time,
    /// A step holds while the p99 of its acks is at most this many times that of the first step.
    #[arg(long, default_value_t = 4.0)]
    pub(crate) factor: f64,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Judging {
    /// What exit code 2 means to a pipeline.
    #[arg(long, value_enum, default_value_t = OnInconclusive::Fail)]
    pub(crate) on_inconclusive: OnInconclusive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnInconclusive {
    /// Exit 2.
    Fail,
    /// Say it, and exit 0.
    Warn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Packets {
    /// Unless the run passed.
    OnFailure,
    Always,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_kept_on_failure_unless_told_otherwise() {
        let packets = |more: &[&str]| {
            let words = ["wetdress", "run", "drill.yaml"].iter().chain(more);
            match Cli::try_parse_from(words).expect("the words are known").command {
                Command::Run(run) => run.packets,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(packets(&[]), Packets::OnFailure);
        assert_eq!(packets(&["--packets", "always"]), Packets::Always);
    }
}

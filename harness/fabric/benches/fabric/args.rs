//! What the bench is asked for, and how much work that is.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use fabric::Engine;

pub(crate) const USAGE: &str = "usage: cargo xtask bench fabric [--quick] [--cuts N] [--engine tun|af_packet] [--only WORD] [--json PATH]";

#[derive(Debug, Default)]
pub(crate) struct Args {
    pub(crate) quick: bool,
    pub(crate) cuts: Option<usize>,
    /// None is every engine that this machine has.
    pub(crate) engine: Option<Engine>,
    /// None is every measurement; else those whose name holds this.
    pub(crate) only: Option<String>,
    pub(crate) json: Option<PathBuf>,
    /// This process is the one that will be killed: see `gone`.
    pub(crate) doomed: bool,
}

impl Args {
    /// Reads the words behind the program's name, or says what is wrong with them.
    pub(crate) fn read(mut words: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut args = Self::default();
        while let Some(word) = words.next() {
            let mut value = || {
                words.next().ok_or_else(|| format!("`{}` needs a value; {USAGE}", word.display()))
            };
            match word.to_str() {
                // Cargo says it to every bench.
                Some("--bench") => {}
                Some("--quick") => args.quick = true,
                Some("--cuts") => args.cuts = Some(number(&value()?)?),
                Some("--engine") => args.engine = Some(engine(&value()?)?),
                Some("--only") => args.only = Some(value()?.to_string_lossy().into_owned()),
                Some("--json") => args.json = Some(value()?.into()),
                Some("--doomed") => args.doomed = true,
                _ => return Err(format!("`{}` is not known here; {USAGE}", word.display())),
            }
        }
        Ok(args)
    }
}

fn number(word: &OsString) -> Result<usize, String> {
    let read = word.to_str().and_then(|text| text.parse().ok()).filter(|number| *number > 0);
    read.ok_or_else(|| format!("`{}` is no number of cuts; {USAGE}", word.display()))
}

fn engine(word: &OsString) -> Result<Engine, String> {
    let known =
        [Engine::Tun, Engine::AfPacket].into_iter().find(|engine| word == engine_name(*engine));
    known.ok_or_else(|| format!("`{}` is no engine; {USAGE}", word.display()))
}

pub(crate) fn engine_name(engine: Engine) -> &'static str {
    match engine {
        Engine::Tun => "tun",
        Engine::AfPacket => "af_packet",
    }
}

/// How long and how often each thing is measured. Every figure is a median of rounds; an odd number of them has a middle.
#[derive(Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// Of one TCP stream.
    pub(crate) stream: Duration,
    /// Rounds of iperf3, which counts in whole seconds.
    pub(crate) iperf_rounds: usize,
    pub(crate) pings: usize,
    /// Packets at 1 000 per second.
    pub(crate) paced: u32,
    pub(crate) paced_rounds: usize,
    pub(crate) cuts: usize,
    /// No cut is begun after this much time.
    pub(crate) cutting: Duration,
    pub(crate) loss_packets: u64,
    /// Windows of a second.
    pub(crate) rate_windows: u64,
    /// Chances of loss in parts per million under which goodput is compared, and in how many rounds.
    pub(crate) lossy: &'static [u32],
    pub(crate) lossy_rounds: usize,
    pub(crate) lossy_stream: Duration,
    pub(crate) flood: Duration,
    pub(crate) kills: usize,
    /// Nothing is begun after this much time; what was left out is said.
    pub(crate) limit: Duration,
}

impl Effort {
    /// At most four minutes for two engines.
    pub(crate) fn full(cuts: Option<usize>) -> Self {
        Self {
            rounds: 7,
            stream: Duration::from_millis(700),
            iperf_rounds: 3,
            pings: 5_000,
            paced: 1_500,
            paced_rounds: 3,
            cuts: cuts.unwrap_or(2_000),
            // Whoever names a number of cuts wants them all.
            cutting: Duration::from_secs(if cuts.is_some() { 600 } else { 25 }),
            loss_packets: 20_000,
            rate_windows: 5,
            lossy: &[10_000, 1_000],
            lossy_rounds: 5,
            lossy_stream: Duration::from_millis(1_500),
            flood: Duration::from_millis(700),
            kills: 5,
            limit: Duration::from_secs(if cuts.is_some() { 1_500 } else { 230 }),
        }
    }

    /// At most a minute for two engines: enough to see what broke, too little to see what drifts.
    pub(crate) fn quick(cuts: Option<usize>) -> Self {
        Self {
            rounds: 3,
            stream: Duration::from_millis(400),
            iperf_rounds: 1,
            pings: 1_000,
            paced: 500,
            paced_rounds: 1,
            cuts: cuts.unwrap_or(200),
            cutting: Duration::from_secs(if cuts.is_some() { 600 } else { 4 }),
            loss_packets: 5_000,
            rate_windows: 2,
            lossy: &[10_000],
            lossy_rounds: 3,
            lossy_stream: Duration::from_millis(600),
            flood: Duration::from_millis(300),
            kills: 2,
            limit: Duration::from_secs(if cuts.is_some() { 600 } else { 55 }),
        }
    }
}

//! Other load generators, where they are installed. Nothing is downloaded here: who is absent is told, with how to get it.

use std::{
    ffi::OsStr,
    io::Read,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::ours::BODY_BYTES;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Wrk,
    Wrk2,
    Oha,
    Vegeta,
    Hey,
    K6,
}

/// What it is asked to do: POSTs of a small body over kept connections.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) server: SocketAddr,
    /// Requests a second; wrk knows none, and sends as fast as answers come.
    pub(crate) rate: u32,
    pub(crate) seconds: u64,
    pub(crate) connections: u32,
    /// Each connection waits for its turn: a request every so many seconds, instead of the rate.
    pub(crate) always_on_s: Option<u32>,
    /// As honest as the tool can be: corrected for its own waiting, with as many workers as it wants.
    pub(crate) corrected: bool,
}

/// Quantiles that are compared.
pub(crate) const QUANTILES: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 0.999];

#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) requests: f64,
    /// What it says of each quantile, in milliseconds.
    pub(crate) ms: [Option<f64>; 5],
    pub(crate) cpu: Duration,
    /// The most memory that it held, in bytes.
    pub(crate) memory: u64,
}

impl Peer {
    pub(crate) const ALL: [Self; 6] =
        [Self::Wrk, Self::Wrk2, Self::Oha, Self::Vegeta, Self::Hey, Self::K6];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wrk => "wrk",
            Self::Wrk2 => "wrk2",
            Self::Oha => "oha",
            Self::Vegeta => "vegeta",
            Self::Hey => "hey",
            Self::K6 => "k6",
        }
    }

    pub(crate) fn how_to_get_it(self) -> &'static str {
        match self {
            Self::Wrk2 => "no package client has it: build its source, and put `wrk2` into PATH",
            Self::Wrk | Self::Hey | Self::Oha | Self::Vegeta | Self::K6 => {
                "`cargo xtask bench traffic --install-peers`"
            }
        }
    }

    /// Where it is: among the installed peers, or in PATH.
    pub(crate) fn find(self, installed: &Path) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [installed.to_owned()].into_iter().chain(std::env::split_paths(&path));
        folders.map(|folder| folder.join(self.name())).find(|file| file.is_file())
    }

    pub(crate) fn version(self, program: &Path) -> Option<String> {
        let word = match self {
            Self::Wrk | Self::Wrk2 => "-v",
            Self::Oha => "--version",
            Self::Vegeta => "-version",
            Self::K6 => "version",
            // It cannot say.
            Self::Hey => return None,
        };
        let out = Command::new(program).arg(word).output().ok()?;
        let said = String::from_utf8_lossy(&out.stdout);
        let line = said.lines().next()?.trim();
        // One that was built from a checked-out source may know none.
        let has_number = line.contains(|each: char| each.is_ascii_digit());
        has_number.then(|| line.chars().take(40).collect())
    }

    pub(crate) fn run(self, program: &Path, load: &Load, scratch: &Path) -> Result<Outcome> {
        let results = scratch.join("results.bin");
        let mut command = Command::new(program);
        self.write_words(&mut command, load, scratch, &results)?;
        let limit = Duration::from_secs(load.seconds + 20);
        let ran =
            watched(&mut command, limit).with_context(|| format!("failed to run {self:?}"))?;
        let said = match self {
            Self::Vegeta => {
                let report = [OsStr::new("report"), OsStr::new("-type=json"), results.as_ref()];
                String::from_utf8_lossy(&Command::new(program).args(report).output()?.stdout).into()
            }
            _ => ran.said,
        };
        let (requests, ms) =
            self.read(&said).with_context(|| format!("{self:?} said something else: {said}"))?;
        ensure!(requests > 0.0, "{self:?} sent nothing");
        Ok(Outcome { requests, ms, cpu: ran.cpu, memory: ran.memory })
    }

    fn write_words(
        self,
        command: &mut Command,
        load: &Load,
        scratch: &Path,
        results: &Path,
    ) -> Result<()> {
        let Load { server, rate, seconds, connections, always_on_s, corrected } = load;
        let url = format!("http://{server}/null");
        let body = "x".repeat(BODY_BYTES as usize);
        let rate = match always_on_s {
            Some(every) => connections / every,
            None => *rate,
        };
        let (duration, connected) = (format!("{seconds}s"), connections.to_string());
        match self {
            Self::Wrk | Self::Wrk2 => {
                let script = scratch.join("post.lua");
                std::fs::write(&script, format!("wrk.method = \"POST\"\nwrk.body = \"{body}\"\n"))?;
                command.args(["-t1", "-c", &connected, "-d", &duration, "--latency", "-s"]);
                command.arg(script);
                if self == Self::Wrk2 {
                    command.args(["-R", &rate.to_string()]);
                }
                command.arg(url);
            }
            Self::Oha => {
                command.args(["--no-tui", "--output-format", "json", "-m", "POST", "-d", &body]);
                command.args(["-c", &connected, "-q", &rate.to_string(), "-z", &duration]);
                if *corrected {
                    command.arg("--latency-correction");
                }
                command.arg(url);
            }
            Self::Vegeta => {
                let (targets, file) = (scratch.join("targets"), scratch.join("body"));
                std::fs::write(&targets, format!("POST {url}\n"))?;
                std::fs::write(&file, body)?;
                let most = if *corrected { "100000" } else { &connected };
                command.args(["attack", "-rate", &format!("{rate}/1s"), "-duration", &duration]);
                command.args(["-workers", &connected, "-max-workers", most]);
                command.args(["-connections", &connected, "-targets"]).arg(targets);
                command.arg("-body").arg(file).arg("-output").arg(results);
            }
            Self::Hey => {
                let each = f64::from(rate) / f64::from(*connections);
                command.args(["-m", "POST", "-d", &body, "-z", &duration, "-c", &connected]);
                command.args(["-q", &each.to_string(), &url]);
            }
            Self::K6 => {
                let script = scratch.join("load.js");
                std::fs::write(&script, k6_script(load, rate, &url, &body))?;
                command.args(["run", "--quiet", "--no-usage-report"]).arg(script);
            }
        }
        Ok(())
    }

    /// Requests, and what it says of each quantile.
    fn read(self, said: &str) -> Result<(f64, [Option<f64>; 5])> {
        let names = |names: [&str; 5], of: &Value, to_ms: f64| {
            names.map(|name| of[name].as_f64().map(|figure| figure * to_ms))
        };
        let json = || serde_json::from_str::<Value>(said.trim()).context("no JSON");
        match self {
            Self::Wrk | Self::Wrk2 => {
                let line = said.lines().find(|line| line.contains(" requests in "));
                let requests = line.and_then(|line| line.split_whitespace().next());
                let ms = QUANTILES.map(|q| {
                    let told = said.lines().find_map(|line| {
                        let mut words = line.split_whitespace();
                        let percent: f64 = words.next()?.strip_suffix('%')?.parse().ok()?;
                        (percent == q * 100.0).then(|| words.next())?
                    });
                    told.and_then(in_ms)
                });
                Ok((requests.context("no count of requests")?.parse()?, ms))
            }
            Self::Hey => {
                let answers = said.lines().filter(|line| line.trim_start().starts_with("[2"));
                let count = |line: &str| line.split_whitespace().nth(1)?.parse::<f64>().ok();
                let requests = answers.filter_map(count).sum();
                let ms = QUANTILES.map(|q| {
                    let told = said.lines().find_map(|line| {
                        let (percent, rest) = line.trim().split_once(" in ")?;
                        let percent: f64 = percent.trim_end_matches('%').parse().ok()?;
                        (percent == q * 100.0).then(|| rest.split_whitespace().next())?
                    });
                    told.and_then(|seconds| Some(seconds.parse::<f64>().ok()? * 1e3))
                });
                Ok((requests, ms))
            }
            Self::Oha => {
                let said = json()?;
                let answers = said["statusCodeDistribution"].as_object().context("no answers")?;
                let requests = answers.values().filter_map(Value::as_f64).sum();
                let of = &said["latencyPercentiles"];
                Ok((requests, names(["p50", "p90", "p95", "p99", "p99.9"], of, 1e3)))
            }
            Self::Vegeta => {
                let said = json()?;
                let requests = said["requests"].as_f64().context("no count of requests")?;
                let of = ["50th", "90th", "95th", "99th", "-"];
                Ok((requests, names(of, &said["latencies"], 1e-6)))
            }
            Self::K6 => {
                let said = json()?;
                let requests = said["http_reqs"]["values"]["count"].as_f64();
                let of = ["p(50)", "p(90)", "p(95)", "p(99)", "p(99.9)"];
                let ms = names(of, &said["http_req_duration"]["values"], 1.0);
                Ok((requests.context("no count of requests")?, ms))
            }
        }
    }
}

fn k6_script(load: &Load, rate: u32, url: &str, body: &str) -> String {
    let Load { seconds, connections, always_on_s, corrected, .. } = load;
    let how = match always_on_s {
        Some(_) => format!("executor: 'constant-vus', vus: {connections}"),
        None => {
            let most = if *corrected { 3_000 } else { *connections };
            format!(
                "executor: 'constant-arrival-rate', rate: {rate}, preAllocatedVUs: {most}, maxVUs: {most}"
            )
        }
    };
    let pause = always_on_s.map_or(String::new(), |every| format!("sleep({every});"));
    format!(
        "import http from 'k6/http';\nimport {{ sleep }} from 'k6';\nconst body = '{body}';\n\
         export const options = {{ discardResponseBodies: true,\n\
           summaryTrendStats: ['p(50)', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)'],\n\
           scenarios: {{ all: {{ {how}, duration: '{seconds}s', gracefulStop: '5s' }} }} }};\n\
         export default function () {{ http.post('{url}', body); {pause} }}\n\
         export function handleSummary(data) {{ return {{ stdout: JSON.stringify(data.metrics) }}; }}\n"
    )
}

/// wrk's way to write a time.
fn in_ms(text: &str) -> Option<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4)];
    units.iter().find_map(|(unit, ms)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * ms))
}

struct Watched {
    said: String,
    cpu: Duration,
    memory: u64,
}

/// Runs a program to its end, or ends it at the limit, and knows what it took.
fn watched(command: &mut Command, limit: Duration) -> Result<Watched> {
    let (began, before) = (Instant::now(), cpu_of_children()?);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut out = process.stdout.take().context("its output is ours")?;
    let (tell, told) = channel();
    let reader = std::thread::spawn(move || {
        let mut said = String::new();
        let read = out.read_to_string(&mut said).map(|_| said);
        // Whoever gave up on it does not listen.
        let _ = tell.send(read);
    });
    let mut memory = 0;
    let said = loop {
        match told.recv_timeout(Duration::from_millis(100)) {
            Ok(said) => break said?,
            Err(RecvTimeoutError::Disconnected) => bail!("its output broke off"),
            Err(RecvTimeoutError::Timeout) if began.elapsed() > limit => {
                process.kill()?;
                process.wait()?;
                bail!("it did not end within {limit:?}");
            }
            Err(RecvTimeoutError::Timeout) => memory = memory.max(held(process.id())),
        }
    };
    process.wait()?;
    // It has sent what it read.
    let _ended = reader.join();
    Ok(Watched { said, cpu: cpu_of_children()?.saturating_sub(before), memory })
}

/// The most memory that a process has held so far, in bytes.
fn held(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// CPU time of all children that were waited for (fields 16 and 17 of proc_pid_stat(5), in hundredths of a second).
fn cpu_of_children() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("failed to read /proc")?;
    let (_, fields) = stat.rsplit_once(") ").context("a name in brackets")?;
    let ticks = fields.split(' ').skip(13).take(2).map(|field| field.parse::<u64>().unwrap_or(0));
    Ok(Duration::from_millis(10) * u32::try_from(ticks.sum::<u64>()).unwrap_or(u32::MAX))
}

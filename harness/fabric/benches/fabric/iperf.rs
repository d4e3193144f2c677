//! The same stream as iperf3 sees it: a figure that anybody can compare.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::way::{Place, Way};

/// A second of traffic, and generously what it takes around it.
const WITHIN: Duration = Duration::from_secs(10);

/// A process that does not outlive this value.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // Both fail only when it has ended and was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One second from `a` to `b`, as the receiver counts it. `NotFound` when iperf3 is not installed.
pub(crate) fn gbit_per_s(way: &Way) -> io::Result<f64> {
    let mut server = start(&way.b, &["-s", "-1", "--forceflush"])?;
    let mut said = BufReader::new(server.0.stdout.take().expect("it was piped"));
    within(move || {
        let mut line = String::new();
        while !line.contains("listening") {
            line.clear();
            if said.read_line(&mut line)? == 0 {
                return Err(io::Error::other("the iperf3 server ended before it listened"));
            }
        }
        // Whatever else it says must be read by somebody, so that it never waits for that.
        thread::spawn(move || io::copy(&mut said, &mut io::sink()));
        Ok(())
    })?;
    let address = way.b.address().to_string();
    let mut client = start(&way.a, &["-c", &address, "-t", "1", "-J"])?;
    let mut said = client.0.stdout.take().expect("it was piped");
    let report = within(move || {
        let mut text = String::new();
        said.read_to_string(&mut text)?;
        Ok(text)
    })?;
    received(&report)
        .ok_or_else(|| io::Error::other(format!("iperf3 measured nothing: {}", report.trim())))
}

fn start(place: &Place, words: &[&str]) -> io::Result<Reaped> {
    place.enter(|| {
        let mut command = Command::new("iperf3");
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().map(Reaped)
    })
}

fn received(report: &str) -> Option<f64> {
    let report: Value = serde_json::from_str(report).ok()?;
    Some(report.pointer("/end/sum_received/bits_per_second")?.as_f64()? / 1e9)
}

/// What `read` returns, unless it takes too long: then the process behind it is killed by its owner, which ends `read` too.
fn within<T: Send + 'static>(
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(read()));
    result
        .recv_timeout(WITHIN)
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "iperf3 took too long"))?
}

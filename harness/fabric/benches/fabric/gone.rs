//! After `kill -9` nothing is left: a second process builds two machines around a fabric and is killed while a flood passes. Each of
//! its network namespaces holds the far end of a veth pair whose near end is ours; the kernel takes a pair away with the namespace, so
//! when the last of ours is gone, so is everything that was in them.
//! Deliberately absent: servers and pid namespaces, which the lab's own tests kill.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use fabric::Engine;
use fabric::netlink::{Netlink, VethEnd};

use crate::args::{Effort, engine_name};
use crate::net::wait_for;
use crate::table::{Goal, Goals, Row};
use crate::way::{self, Way};
use crate::{flood, sys};

const GONE: Goals = Goals { free: Goal::AtMost(1_000.0), two_cores: Goal::AtMost(3_000.0) };
const READY: &str = "ready";

pub(crate) fn rows(engine: Engine, effort: &Effort) -> io::Result<Vec<Row>> {
    let (mut rounds, mut namespaces) = (Vec::new(), 0);
    for _ in 0..effort.kills {
        let (took_ms, watched) = kill(engine)?;
        rounds.push(took_ms);
        namespaces = watched;
    }
    let note = format!(
        "until the process is reaped and its {namespaces} network namespaces are dismantled"
    );
    Ok(vec![Row { note, ..Row::plain("everything gone after kill -9", "ms", rounds, GONE) }])
}

/// Milliseconds that it took, and how many namespaces went.
fn kill(engine: Engine) -> io::Result<(f64, usize)> {
    let mut child = Killed(start(engine)?);
    let witnesses = watch(&child.0)?;
    let start = Instant::now();
    child.0.kill()?;
    child.0.wait()?;
    let netlink = Netlink::open()?;
    wait_for("the namespaces to go", || {
        Ok(witnesses.iter().all(|name| {
            netlink.link_index(name).is_err_and(|error| error.raw_os_error() == Some(libc::ENODEV))
        }))
    })?;
    Ok((start.elapsed().as_secs_f64() * 1e3, witnesses.len()))
}

/// Also when the measurement fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only when it was waited for already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(engine: Engine) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--doomed", "--engine", engine_name(engine)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut said = String::new();
    // It ends when it cannot, and then its output does too.
    BufReader::new(child.stdout.as_mut().expect("it was piped")).read_line(&mut said)?;
    if said.trim() == READY {
        Ok(child)
    } else {
        Err(io::Error::other("the process to be killed did not start"))
    }
}

/// Puts a veth end into every network namespace that this process holds; returns the names of the ends that stay here.
fn watch(child: &Child) -> io::Result<Vec<String>> {
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let mut held =
        BTreeMap::from([(fs::read_link(process.join("ns/net"))?, process.join("ns/net"))]);
    for entry in fs::read_dir(process.join("fd"))? {
        let path = entry?.path();
        let target = fs::read_link(&path)?;
        if target.to_string_lossy().starts_with("net:[") {
            held.insert(target, path);
        }
    }
    let netlink = Netlink::open()?;
    let mut names = Vec::new();
    for (number, path) in held.values().enumerate() {
        let (netns, name) = (File::open(path)?, format!("watch{number}"));
        let near = VethEnd { name: &name, mac: [2, 0, 0, 0, 2, 1], mtu: 1500, netns: None };
        let far = VethEnd {
            name: "watched",
            mac: [2, 0, 0, 0, 2, 2],
            mtu: 1500,
            netns: Some(netns.as_fd()),
        };
        netlink.add_veth(near, far)?;
        names.push(name);
    }
    Ok(names)
}

/// What the process to be killed does: it floods its fabric until it dies, or until whoever started it has.
#[allow(clippy::print_stdout, reason = "how it says that it is ready")]
pub(crate) fn doomed(engine: Engine) -> io::Result<()> {
    sys::enter_namespaces()?;
    let net = way::net(engine)?;
    let way = Way::through(&net)?;
    let (a, _b) = way.udp()?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| flood::send(&way, &a, &over));
        println!("{READY}");
        let ended = io::copy(&mut io::stdin(), &mut io::sink());
        over.store(true, Ordering::Relaxed);
        ended.map(drop)
    })
}

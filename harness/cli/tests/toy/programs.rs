//! The toy's programs: a lock that answers whoever asks, a watch that asks all locks, and a page that says what the watch wrote.

#![allow(clippy::disallowed_methods, reason = "they run inside a node, where sockets are its own")]

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::ExitCode,
    thread::park_timeout,
    time::Duration,
};

const LOOK: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_millis(300);

/// None where the words are not a toy's.
pub(crate) fn main(mut args: impl Iterator<Item = String>) -> Option<ExitCode> {
    let program = args.next().filter(|word| word.starts_with("toy-"))?;
    let args: Vec<String> = args.collect();
    Some(run(&program, &args).unwrap_or(ExitCode::FAILURE))
}

fn run(program: &str, args: &[String]) -> Option<ExitCode> {
    match (program, args) {
        ("toy-lock", [port]) => serve(port.parse().ok()?, || "here".to_owned()),
        ("toy-page", [port, file]) => {
            serve(port.parse().ok()?, || fs::read_to_string(file).unwrap_or_default())
        }
        ("toy-watch", [node, locks, file]) => watch(node, locks, file),
        _ => None,
    }
}

/// One line to everybody who connects.
fn serve(port: u16, line: impl Fn() -> String) -> Option<ExitCode> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).ok()?;
    for mut stream in listener.incoming().flatten() {
        // Who asked and left is not missed.
        let _ = writeln!(stream, "{}", line().trim_end());
    }
    Some(ExitCode::SUCCESS)
}

/// `locks` holds a line per lock, `node address`. The first that answers says who is primary; its number is the term.
fn watch(node: &str, locks: &str, file: &str) -> Option<ExitCode> {
    let locks = fs::read_to_string(locks).ok()?;
    let locks: Vec<(&str, SocketAddr)> = locks
        .lines()
        .map(|line| line.split_once(' '))
        .map(|pair| pair.and_then(|(name, at)| Some((name, at.parse().ok()?))))
        .collect::<Option<_>>()?;
    let is_first_life = !fs::exists(file).ok()?;
    loop {
        if let Some(number) = locks.iter().position(|(_, at)| answers(*at)) {
            let role = if locks[number].0 == node { "primary" } else { "replica" };
            fs::write(file, format!("{role} {}", number + 1)).ok()?;
            if is_first_life {
                return Some(ExitCode::FAILURE);
            }
        }
        park_timeout(LOOK);
    }
}

fn answers(lock: SocketAddr) -> bool {
    let heard = || {
        let mut stream = TcpStream::connect_timeout(&lock, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut line = String::new();
        stream.read_to_string(&mut line)?;
        Ok::<_, std::io::Error>(!line.is_empty())
    };
    heard().unwrap_or(false)
}

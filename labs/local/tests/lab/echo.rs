//! A server to play with: on each of its ports it sends the caller's address as a first line, then every line back, and prints it.
//! At `exit 3` it ends with that code.

#![allow(clippy::disallowed_methods, reason = "it runs inside a node, where sockets are its own")]
#![allow(clippy::print_stdout, reason = "its log is what the tests look at")]

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::ExitCode,
};

/// First argument of this executable as a server; its node's name and its ports follow.
pub(crate) const WORD: &str = "echo-server";

pub(crate) fn serve(args: impl Iterator<Item = String>) -> ExitCode {
    let ports = args.skip(1).map(|port| port.parse::<u16>().expect("a port"));
    let threads: Vec<_> = ports.map(|port| std::thread::spawn(move || listen(port))).collect();
    for thread in threads {
        thread.join().expect("a listener goes on for ever");
    }
    ExitCode::SUCCESS
}

fn listen(port: u16) {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        .expect("every port is free in a node of its own");
    println!("listening on {port}");
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || echo(stream));
    }
}

/// Until the caller is gone.
fn echo(mut stream: TcpStream) -> Option<()> {
    let peer = stream.peer_addr().ok()?;
    writeln!(stream, "{}", peer.ip()).ok()?;
    let lines = BufReader::new(stream.try_clone().ok()?).lines();
    for line in lines {
        let line = line.ok()?;
        println!("heard {line}");
        if let Some(code) = line.strip_prefix("exit ") {
            std::process::exit(code.parse().ok()?);
        }
        writeln!(stream, "{line}").ok()?;
    }
    Some(())
}

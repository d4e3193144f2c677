//! Other load generators, by their own package clients and pinned where a client can pin. A bench uses whoever is there.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

/// A client and its words. cargo and go are told to put programs into `target/peers/bin`.
const CLIENTS: [(&str, &[&str]); 4] = [
    ("apt-get", &["install", "--yes", "--no-install-recommends", "wrk", "hey"]),
    ("go", &["install", "github.com/tsenart/vegeta/v12@v12.13.0"]),
    ("go", &["install", "go.k6.io/k6@v1.8.1"]),
    ("cargo", &["install", "oha", "--version", "1.16.0", "--locked", "--root"]),
];

/// Installs what can be had here. What cannot is a printed line: no peer is needed.
pub(super) fn install(root: &Path) -> Result<()> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let folder = target.unwrap_or_else(|| root.join("target")).join("peers");
    std::fs::create_dir_all(folder.join("bin"))?;
    for (client, words) in CLIENTS {
        println!("$ {client} {}", words.join(" "));
        let mut command = Command::new(client);
        command.args(words).env("GOBIN", folder.join("bin")).current_dir(root);
        if client == "cargo" {
            command.arg(&folder);
        }
        match command.status() {
            Ok(status) if status.success() => {}
            Ok(status) => println!("absent: `{client}` ended with {status}"),
            Err(error) => println!("absent: `{client}` did not start: {error}"),
        }
    }
    println!("wrk2 is in no package client: build its source and put `wrk2` into PATH");
    Ok(())
}

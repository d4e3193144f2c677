//! A server that is not installed is told with its line, before anything starts.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const SCENARIO: &str = "scenario: missing
stack:
  regions: {here: {}}
  services:
    store: {kind: etcd, nodes: {here: 1}, program: no-such-etcd}
traffic:
  fleets:
    terminals: {assets: 2, streams: {status: {every: 1s, payload: 128B}}}
observers:
  - {name: log, kind: etcd, service: store, region: here, shows: log, of_record: true}
phases:
  - {name: warmup, for: 1s, measure: false}
  - {name: baseline, for: 10s}
  - {name: verify, until: quiesced, max: 5s}
gates:
  - acked_lost: {max: 0}
";

fn wetdress(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wetdress"));
    command.args(words).env("NO_COLOR", "1").current_dir(folder);
    command.output().expect("the binary starts")
}

#[test]
fn a_missing_server_is_told_with_its_line_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("drill.yaml"), SCENARIO).expect("a file can be written");
    for words in [&["run", "drill.yaml", "--runs", "runs"][..], &["plan", "drill.yaml"]] {
        let out = wetdress(folder.path(), words);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(4), "{words:?}: {said}");
        let told = "drill.yaml:5:5: service `store`: `no-such-etcd` is not installed; `ci/install-servers etcd` installs it";
        assert!(said.contains(told), "{words:?}: {said}");
    }
    assert!(!folder.path().join("runs").exists(), "a run was begun");
    let out = wetdress(folder.path(), &["doctor", "drill.yaml"]);
    assert_eq!(out.status.code(), Some(4), "the scenario cannot run here");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(said.contains("server `no-such-etcd`, for the service store"), "{said}");
}

//! The `wetdress` binary: wires the rooms, owns the terminal and the exit code.
fn main() {}

//! Floor 2: the rootless lab on one machine: namespaces, nodes, processes, over the userspace fabric.
//!
//! * `kind`: its line of the catalog, and the way in
//! * `lab`: opens, closes, and lets the reconciler do the rest
//! * `levers`: what can be done to nodes
//! * `reconcile`: from any world to any world
//! * `policy`: conditions to a policy of the fabric
//! * `sandbox`: supervisor outside, pid 1 and harness inside
//! * `fork_server`: the fork server
//! * `init`: the init of a node
//! * `mounts`: the sandbox's mounts
//! * `namespace`: a network namespace, held by a thread
//! * `machine`: a node under power
//! * `node`: one node as a reconciler
//! * `processes`: the processes of a node
//! * `attachment`: where an end of a link is
//! * `network`: which end has which place, and sockets there
//! * `proofs`: what counters prove
//! * `events`: stamps and publishes what is seen
//! * `flight`: packets around an effect
//! * `lock`: locks whose holder may have panicked
//! * `null_disk`: a file beside the stack's
//! * `null_target`: an echo beside the stack
//! * `host_pressure`: what the host takes from us
//! * `health`: the lab's own health
//! * `doctor`: what this machine allows, tried
//! * `files`: how many descriptors a run needs, and may have
//! * `remedy`: what to type when it refuses
//! * `ipc`: one message per packet, with descriptors
//! * `sys`: system calls that no safe crate wraps

mod attachment;
pub mod doctor;
mod events;
mod files;
mod flight;
mod fork_server;
mod health;
mod host_pressure;
mod init;
mod ipc;
mod kind;
mod lab;
mod levers;
mod lock;
mod machine;
mod mounts;
mod namespace;
mod network;
mod node;
mod null_disk;
mod null_target;
mod policy;
mod processes;
mod proofs;
mod reconcile;
mod remedy;
pub mod sandbox;
mod sys;

pub use flight::Packets;
pub use fork_server::Inside;
pub use kind::LAB;
pub use lab::{EngineWish, Local, LocalLab};

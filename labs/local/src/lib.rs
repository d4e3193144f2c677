//! Floor 2: the rootless lab on one machine: namespaces, nodes, processes, over the userspace fabric.
//!
//! * `kind`: its line of the catalog, and the way in
//! * `lab`: opens, closes, and lets the reconciler do the rest
//! * `levers`: what can be done to nodes
//! * `reconcile`: from any world to any world
//! * `world`: conditions to a policy of the fabric
//! * `sandbox`: supervisor outside, pid 1 and harness inside
//! * `forks`: the fork server
//! * `stub`: the init of a node
//! * `mounts`: the sandbox's mounts
//! * `namespace`: a network namespace, held by a thread
//! * `machine`: a node under power
//! * `node`: one node as a reconciler
//! * `programs`: the processes of a node
//! * `place`: where an end of a link is
//! * `places`: which end has which place, and sockets there
//! * `watch`: what counters prove
//! * `voice`: stamps and publishes what is seen
//! * `flight`: packets around an effect
//! * `null_target`: an echo beside the stack
//! * `noise`: what the host takes from us
//! * `meters`: the lab's own health
//! * `doctor`: what this machine allows, tried
//! * `remedy`: what to type when it refuses
//! * `wire`: one message per packet, with descriptors
//! * `sys`: system calls that no safe crate wraps

pub mod doctor;
mod flight;
mod forks;
mod kind;
mod lab;
mod levers;
mod machine;
mod meters;
mod mounts;
mod namespace;
mod node;
mod noise;
mod null_target;
mod place;
mod places;
mod programs;
mod reconcile;
mod remedy;
pub mod sandbox;
mod stub;
mod sys;
mod voice;
mod watch;
mod wire;
mod world;

pub use flight::Packets;
pub use forks::Inside;
pub use kind::LAB;
pub use lab::{EngineWish, Local, LocalLab};

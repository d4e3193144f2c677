//! Floor 2: the rootless lab on one machine: namespaces, nodes, processes, over the userspace fabric.

pub mod doctor;
mod flight;
mod forks;
mod kind;
mod lab;
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

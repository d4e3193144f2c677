//! Real etcd processes on loopback, if `etcd` is installed: one member, and three that lose their leader.

mod assets;
mod failover;
mod lab;
mod single;

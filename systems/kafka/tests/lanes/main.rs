//! The driver and the observer against a scripted broker on loopback, and against real brokers where they are installed.

mod assets;
mod broker;
mod cluster;
mod lab;
#[cfg(feature = "librdkafka")]
mod library;
mod scripted;

//! The lanes of the driver against servers that do as they are told, and against a real sink; and the observer against several sinks.

mod http1;
mod rig;
mod sinks;

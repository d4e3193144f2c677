//! The driver and the observer against scripted servers, which say what no real one could be made to say, and against a real PostgreSQL
//! on loopback, if its programs are installed.

mod real;
mod rig;
mod scripted;
mod server;

//! Floor 1: the small traits between rooms, and the catalog.
//!
//! * `catalog`: the kinds of a room, one line each
//! * `fault`: what goes wrong
//! * `links`: what a link does to packets, as scenarios and faults write it
//! * `lab`, `lab_kind`, `network`: where the stack runs, what is known of it before, and where sockets are born
//! * `service`: the system under test; `servers`: programs that it needs and does not bring along
//! * `driver`: speaks one protocol to send; `session`: the easy way to write one
//! * `observer`: reads back what became visible
//! * `secure`: TLS, passwords and tokens
//! * `stamped`: a socket that knows when it was read
//! * `traffic`: the load
//! * `local_errors`: what this machine refuses its own sockets; `room`: what a run needs of it
//! * `contained`: panics that end a thread and not the run
//! * `pulse`: whether a loop of the harness stood still
//! * `gate`: what a gate rests on
//! * `clock`: microseconds since the run's start

pub mod catalog;
mod clock;
mod contained;
mod driver;
mod fault;
pub mod gate;
mod lab;
mod lab_kind;
pub mod links;
mod local_errors;
mod network;
mod observer;
mod pulse;
mod room;
pub mod secure;
pub mod servers;
mod service;
mod session;
mod stamped;
mod traffic;

pub use catalog::{Catalog, Kind};
pub use clock::{Clock, monotonic_ns};
pub use contained::{contain_panics, panic_text, panics_are_contained};
pub use driver::{
    Batch, ConnId, ConnectRequest, Disconnect, Driver, Lane, Outgoing, Progress, SILENT_KEPT,
};
pub use fault::{Fault, Moment, Objection};
pub use lab::{Lab, LabError, OpenLab, Wanted};
pub use lab_kind::{Body, Ended, Entered, LabKind, LabSetup, MakeLab};
pub use local_errors::{CountedNetwork, LocalErrors};
pub use network::{Network, Origin};
pub use observer::{Observer, SightingSink, Vantage};
pub use pulse::Pulse;
pub use room::Room;
pub use service::{
    Addresses, Command, Layout, Process, Restart, Role, RoleName, Service, ServiceRef, Site,
    SystemError, Timer, processes,
};
pub use session::{
    Answer, Attempt, Connect, Lines, Opened, Protocol, Session, SessionLane, Shared,
};
pub use stamped::{LastRead, Stamped};
pub use traffic::{Histogram, LoadReport, SenderReport, Sent, Traffic};

//! Floor 1: the small traits between rooms, the catalog, and the document tree that kinds read.

pub mod catalog;
mod clock;
pub mod document;
mod driver;
mod fault;
mod ground;
mod lab;
mod observer;
mod service;
mod session;
mod traffic;

pub use catalog::{Catalog, Kind};
pub use clock::Clock;
pub use driver::{Batch, Driver, Lane, Leave, Outgoing, Progress, Seat};
pub use fault::{Fault, Moment};
pub use ground::{Ground, Origin};
pub use lab::{Lab, LabError, Open, Seen, Sight, Spot, Wanted};
pub use observer::{Eyes, Observer, Post};
pub use service::{Command, Process, Role, Service, Site, SystemError, Timer};
pub use session::{Answer, Dial, Letter, Session, SessionLane};
pub use traffic::{Drained, Traffic};

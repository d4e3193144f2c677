//! Commands that only read and print, one file each.

mod capacity;
mod check;
mod explain;
mod judge;
mod list;
mod plan;
mod report;
mod schema;
mod sink;

pub(crate) use capacity::capacity;
pub(crate) use check::check;
pub(crate) use explain::explain;
pub(crate) use judge::judge;
pub(crate) use list::list;
pub(crate) use plan::plan;
pub(crate) use report::report;
pub(crate) use schema::schema;
pub(crate) use sink::sink;

//! Floor 2: scenario text to Plan, or every mistake at once.
//!
//! A scenario is read once into a spanned tree, includes and profiles are merged, each section is read and checked against
//! the others, and a [`model::Plan`] comes out in which nothing is optional, random or defaulted any more.
//!
//! Absent on purpose: bringing kinds to life for a run (`cli`), and everything that happens then.

mod addresses;
mod blast;
mod canon;
mod catalogs;
mod describe;
mod evidence;
mod explain;
mod fleets;
mod gates;
mod grammar;
mod kinds;
mod limits;
mod load;
mod mistakes;
mod names;
mod observers;
mod phases;
mod proof;
mod schema;
mod settings;
mod shared;
mod stack;
mod tracks;
mod warnings;
mod windows;
mod written;

pub use catalogs::{Catalogs, Family, Known};
pub use describe::{Description, describe};
pub use explain::{explain, list, reference};
pub use load::{Input, expand, load, load_input};
pub use mistakes::{Mistake, Mistakes};
pub use schema::schema;
pub use settings::{Setting, set_lab};
pub use warnings::{Warning, warnings};

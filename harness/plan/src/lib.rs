//! Floor 2: scenario text to Plan, or every mistake at once.
//!
//! A scenario is read once into a spanned tree, includes and profiles are merged, each section is read and checked against
//! the others, and a [`model::Plan`] comes out in which nothing is optional, random or defaulted any more.
//!
//! Absent on purpose: bringing kinds to life for a run (`cli`), and everything that happens then.

mod addresses;
mod canon;
mod catalogs;
mod evidence;
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
mod stack;
mod windows;

pub use catalogs::{Catalogs, Family, Known};
pub use load::{Input, expand, load, load_input};
pub use mistakes::{Mistake, Mistakes};

//! Floor 2: scenario text to Plan, or every mistake at once.
//!
//! A scenario is read once into a spanned tree, includes and profiles are merged, each section is read and checked against
//! the others, and a [`model::Plan`] comes out in which nothing is optional, random or defaulted any more.
//!
//! * `files`: texts from files
//! * `bounds`: how much a drill may hold
//! * `load`: text to plan; calls all the others
//! * `included`: what a scenario is made of, as one tree
//! * `grammar`: the shape of a scenario file
//! * `mistakes`: mistakes as messages
//! * `names`: names that sections use of one another
//! * `places`: where the parameters of a kind stand
//! * `kinds`: a kind beside keys of the engine's own
//! * `catalogs`: the kinds that a scenario may name
//! * `stack`: regions, links, services, nodes
//! * `shared`: nodes that services share, and services that they need
//! * `addresses`: who has which address
//! * `tracks`: links that change by the clock
//! * `built`: what is known of the stack once it is read
//! * `services`: what only a service can answer
//! * `traffic`: who sends: the section as a whole
//! * `fleets`: who sends, from where, what
//! * `shapes`: how many times its nominal rate a fleet sends
//! * `recorders`: what waits on board
//! * `homes`: where the assets of a fleet live, and where they go
//! * `observers`: who reads back
//! * `phases`: the timeline
//! * `windows`: faults, when, and at whom
//! * `gates`: what must hold
//! * `due`: readings that fall due
//! * `feasibility`: what no run of a plan could decide
//! * `backlog`: what piles up on assets
//! * `ratios`: what a small lab must share with a big fleet
//! * `capacity`: a run that looks for what a stack carries
//! * `warnings`: what is perhaps not meant
//! * `secrets`: secrets that kinds name
//! * `settings`: what the command line sets
//! * `written`: where the parts of a plan are written
//! * `canonical`: the merged document as text
//! * `describe`: `wetdress plan`
//! * `forecast`: what each gate can prove
//! * `blast_radius`: what a fault can reach
//! * `explain`: `wetdress explain`, and the reference
//! * `schema`: the JSON schema
//!
//! Absent on purpose: bringing kinds to life for a run (`cli`), and everything that happens then.

mod addresses;
mod backlog;
mod blast_radius;
mod bounds;
mod built;
mod canonical;
mod capacity;
mod catalogs;
mod describe;
mod due;
mod explain;
mod feasibility;
mod files;
mod fleets;
mod forecast;
mod gates;
mod grammar;
mod homes;
mod included;
mod kinds;
mod load;
mod mistakes;
mod names;
mod observers;
mod phases;
mod places;
mod ratios;
mod recorders;
mod schema;
mod secrets;
mod services;
mod settings;
mod shapes;
mod shared;
mod stack;
mod tracks;
mod traffic;
mod warnings;
mod windows;
mod written;

pub use capacity::{Stair, capacity_run};
pub use catalogs::{Catalogs, Family, Known};
pub use describe::{Description, describe};
pub use explain::{explain, list, reference};
pub use files::{Unreadable, read_text};
pub use load::{Input, expand, load, load_input};
pub use mistakes::{Mistake, Mistakes};
pub use ratios::Ratios;
pub use schema::schema;
pub use settings::{Setting, set_lab};
pub use warnings::{Warning, warnings};

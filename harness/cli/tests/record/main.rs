//! The record of a run and what the program says of it, from outside: a folder that came over incomplete, output that cannot be
//! written, arguments that nobody should give, and a run whose reason to end must be read in its folder.

mod arguments;
mod batch;
mod ends;
mod output;
mod partial;
mod stage;

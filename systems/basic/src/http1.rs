//! The lane of HTTP/1.1: one request at a time on each connection, thousands of connections on a thread.
//!
//! * `lane`: the lane itself
//! * `line`: one connection that stands
//! * `response`: reads an answer, in however many pieces it comes
//! * `ready`: which connections have something to say
//!
//! A connection that waits costs its socket and some two hundred bytes: there is no task per connection or reading, and buffers are
//! those of the lane, unless half an answer or half a request is under way.

mod lane;
mod line;
mod ready;
mod response;

pub(crate) use lane::Http1Lane;

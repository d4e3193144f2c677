//! etcd's wire types and client stubs, generated from `proto/` and checked in; `tests/generated.rs` keeps them fresh.
//! Generated code is not held to our lints, and `include!` keeps the formatter away from it.
#![allow(
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

pub(crate) mod mvccpb {
    include!("generated/mvccpb.rs");
}

pub(crate) mod etcdserverpb {
    include!("generated/etcdserverpb.rs");
}

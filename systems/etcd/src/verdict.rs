//! What an asset may believe of a put that was answered so. Refused only where etcd cannot have applied it; in doubt, Unknown.
//!
//! | answer | outcome | why |
//! |---|---|---|
//! | OK | Acked | applied, at `header.revision` |
//! | connection ended before the request was written | Refused | hyper hands the request back: no byte of it left |
//! | connection lost later, stream reset, GOAWAY | Unknown | it may have been read and proposed |
//! | `etcdserver: no leader` | Refused | we ask for `hasleader`; the server checks it before it looks at the request |
//! | `etcdserver: too many requests` | Refused | counted before the proposal |
//! | `raft proposal dropped` | Refused | the member's own raft did not take it: no leader to send it to |
//! | InvalidArgument, FailedPrecondition, PermissionDenied, Unauthenticated, said by `etcdserver:` | Refused | checked before the proposal, or on applying it, and then not applied |
//! | `etcdserver: leader changed`, `request timed out ...`, `server stopped` | Unknown | the proposal is out, a later leader may commit it |
//! | `etcdserver: mvcc: database space exceeded` | Unknown | said before the proposal, but also *after* applying the put that filled the quota |
//! | `etcdserver: corrupt cluster`, `context deadline exceeded`, Cancelled, anything else | Unknown | nothing promises that it was not applied |
//!
//! A code alone decides nothing: gRPC libraries on both sides make codes of their own (Unavailable, PermissionDenied for a TLS setting).

use std::error::Error;

use model::Outcome;
use tonic::{Code, Status};

use crate::wire::WireError;

/// The outcome of a put that failed with this status.
pub(crate) fn of_failure(status: &Status) -> Outcome {
    let refused = never_sent(status) || refused_by_server(status);
    if refused { Outcome::Refused } else { Outcome::Unknown }
}

fn never_sent(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(WireError::NotSent) = error.downcast_ref() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn refused_by_server(status: &Status) -> bool {
    let by_code = [
        Code::InvalidArgument,
        Code::FailedPrecondition,
        Code::PermissionDenied,
        Code::Unauthenticated,
    ];
    match status.message() {
        "etcdserver: no leader" | "etcdserver: too many requests" | "raft proposal dropped" => true,
        text => text.starts_with("etcdserver: ") && by_code.contains(&status.code()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_have_been_applied_is_refused() {
        use Outcome::{Refused, Unknown};
        let answers = [
            (Code::Unavailable, "etcdserver: no leader", Refused),
            (Code::ResourceExhausted, "etcdserver: too many requests", Refused),
            (Code::Unknown, "raft proposal dropped", Refused),
            (Code::InvalidArgument, "etcdserver: request is too large", Refused),
            (Code::PermissionDenied, "etcdserver: permission denied", Refused),
            (Code::Unavailable, "etcdserver: leader changed", Unknown),
            (Code::Unavailable, "etcdserver: request timed out", Unknown),
            (
                Code::Unavailable,
                "etcdserver: request timed out, possibly due to previous leader failure",
                Unknown,
            ),
            (Code::Unavailable, "etcdserver: server stopped", Unknown),
            (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded", Unknown),
            (Code::DataLoss, "etcdserver: corrupt cluster", Unknown),
            (Code::Unavailable, "transport is closing", Unknown),
            (Code::PermissionDenied, "h2 protocol error: inadequate security", Unknown),
            (Code::ResourceExhausted, "grpc: received message larger than max", Unknown),
        ];
        for (code, text, outcome) in answers {
            assert_eq!(of_failure(&Status::new(code, text)), outcome, "{text}");
        }
    }

    #[test]
    fn a_request_that_was_never_written_is_refused() {
        assert_eq!(of_failure(&Status::from_error(Box::new(WireError::NotSent))), Outcome::Refused);
    }
}

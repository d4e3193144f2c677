//! What an asset may believe of a create that was answered so. Refused only where the node cannot have been made; in doubt, Unknown.
//!
//! | answer | outcome | why |
//! |---|---|---|
//! | no error, and the path with its number | Acked | a quorum has logged the transaction, and the answering server has applied it |
//! | an error of the codes below | Refused | the leader turned the request into a transaction that changes nothing, or the server took none |
//! | any other error, a path that is none of ours | Unknown | nothing promises that it was not made |
//! | connection ended before the request was handed over | Refused | no byte of it left |
//! | connection lost later | Unknown | it may have been read and proposed |
//!
//! Codes by ZooKeeper's own names: BADARGUMENTS -8, NONODE -101, NOAUTH -102, NOCHILDRENFOREPHEMERALS -108, NODEEXISTS -110, SESSIONEXPIRED
//! -112, INVALIDACL -114, SESSIONMOVED -118, NOTREADONLY -119, QUOTAEXCEEDED -125, THROTTLEDOP -127.

use model::Outcome;

use crate::{
    jute::{self, Reply},
    nodes,
    session::Unanswered,
};

const NOTHING_CHANGED: [i32; 11] =
    [-8, jute::NO_NODE, -102, -108, jute::NODE_EXISTS, -112, -114, -118, -119, -125, -127];

/// The outcome, and where the reading lies.
pub(crate) fn of_reply(reply: &Reply) -> (Outcome, Option<u64>) {
    if NOTHING_CHANGED.contains(&reply.error) {
        return (Outcome::Refused, None);
    }
    let path = jute::buffer(&mut reply.body.clone()).ok();
    let path = path.as_deref().and_then(|path| std::str::from_utf8(path).ok());
    match path.and_then(nodes::position).filter(|_| reply.error == jute::OK) {
        Some(position) => (Outcome::Acked, Some(position)),
        None => (Outcome::Unknown, None),
    }
}

pub(crate) fn of_failure(error: Unanswered) -> Outcome {
    match error {
        Unanswered::NotSent => Outcome::Refused,
        Unanswered::Ended => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::*;

    #[test]
    fn only_what_cannot_have_been_made_is_refused() {
        use Outcome::{Acked, Refused, Unknown};
        let path = |path: &str| {
            let mut body = BytesMut::new();
            jute::put_buffer(&mut body, path.as_bytes());
            body.freeze()
        };
        let of = |error, body| of_reply(&Reply { number: 1, error, body });
        assert_eq!(of(0, path("/wetdress/r0000000006")), (Acked, Some(7)));
        assert_eq!(of(0, path("/elsewhere")), (Unknown, None));
        assert_eq!(of(0, Bytes::new()), (Unknown, None));
        assert_eq!(of(jute::NO_NODE, Bytes::new()), (Refused, None));
        assert_eq!(of(-112, Bytes::new()), (Refused, None));
        // CONNECTIONLOSS, OPERATIONTIMEOUT, SYSTEMERROR, and one that is not known.
        for error in [-4, -7, -1, -999] {
            assert_eq!(of(error, path("/wetdress/r0000000006")), (Unknown, None), "{error}");
        }
        assert_eq!(of_failure(Unanswered::NotSent), Refused);
        assert_eq!(of_failure(Unanswered::Ended), Unknown);
    }
}

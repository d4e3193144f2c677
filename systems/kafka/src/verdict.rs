//! What an asset may believe of a produce that was answered so. Refused only where the leader cannot have appended it; in doubt, Unknown.
//!
//! | answer | outcome | why |
//! |---|---|---|
//! | no error | Acked | appended at the base offset; with `acks: all` by every replica in sync, with `acks: 1` by the leader alone |
//! | connection ended before the request was written | Refused | not a byte of it left |
//! | connection lost later, an answer that cannot be read | Unknown | it may have been read and appended |
//! | NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, with `acks: 1` | Refused | checked under the partition's lock, before the append |
//! | the same with `acks: all` | Unknown | also said when a leader is deposed while an appended record waits for its replicas |
//! | UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID | Refused as above | checked where the leader is |
//! | NOT_ENOUGH_REPLICAS | Refused | fewer in sync than `min.insync.replicas` *before* the append |
//! | NOT_ENOUGH_REPLICAS_AFTER_APPEND | Unknown | the same, found after it |
//! | REQUEST_TIMED_OUT | Unknown | appended, and not replicated in time |
//! | MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, CORRUPT_MESSAGE, INVALID_TIMESTAMP, INVALID_RECORD, INVALID_REQUIRED_ACKS, UNSUPPORTED_FOR_MESSAGE_FORMAT, INVALID_TOPIC_EXCEPTION | Refused | the validation of the batch, before the append |
//! | TOPIC_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED, POLICY_VIOLATION | Refused | before the log is looked at |
//! | KAFKA_STORAGE_ERROR, UNKNOWN_SERVER_ERROR, anything else | Unknown | nothing promises that it was not appended |

use kafka_protocol::error::ResponseError;
use model::Outcome;

use crate::{acks::Acks, wire::WireError};

/// The outcome of a produce that the broker answered with this error.
pub(crate) fn of_error(error: ResponseError, acks: Acks) -> Outcome {
    use ResponseError as E;
    match error {
        E::NotLeaderOrFollower
        | E::FencedLeaderEpoch
        | E::UnknownLeaderEpoch
        | E::UnknownTopicOrPartition
        | E::UnknownTopicId => match acks {
            Acks::Leader => Outcome::Refused,
            Acks::All => Outcome::Unknown,
        },
        E::NotEnoughReplicas
        | E::MessageTooLarge
        | E::RecordListTooLarge
        | E::CorruptMessage
        | E::InvalidTimestamp
        | E::InvalidRecord
        | E::InvalidRequiredAcks
        | E::UnsupportedForMessageFormat
        | E::InvalidTopicException
        | E::TopicAuthorizationFailed
        | E::ClusterAuthorizationFailed
        | E::PolicyViolation => Outcome::Refused,
        _ => Outcome::Unknown,
    }
}

/// The outcome of a produce that was not answered.
pub(crate) fn of_failure(error: WireError) -> Outcome {
    match error {
        WireError::NotSent => Outcome::Refused,
        WireError::Broken | WireError::Garbled => Outcome::Unknown,
    }
}

/// Whether this broker does not lead the partition, so that asking it again is in vain.
pub(crate) fn sends_away(error: ResponseError) -> bool {
    use ResponseError as E;
    matches!(
        error,
        E::NotLeaderOrFollower
            | E::FencedLeaderEpoch
            | E::UnknownLeaderEpoch
            | E::UnknownTopicOrPartition
            | E::UnknownTopicId
            | E::KafkaStorageError
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_have_been_appended_is_refused() {
        use Outcome::{Refused, Unknown};
        use ResponseError as E;
        let answers = [
            (E::NotEnoughReplicas, Refused, Refused),
            (E::MessageTooLarge, Refused, Refused),
            (E::CorruptMessage, Refused, Refused),
            (E::TopicAuthorizationFailed, Refused, Refused),
            (E::NotLeaderOrFollower, Unknown, Refused),
            (E::FencedLeaderEpoch, Unknown, Refused),
            (E::UnknownTopicOrPartition, Unknown, Refused),
            (E::NotEnoughReplicasAfterAppend, Unknown, Unknown),
            (E::RequestTimedOut, Unknown, Unknown),
            (E::KafkaStorageError, Unknown, Unknown),
            (E::UnknownServerError, Unknown, Unknown),
            (E::NetworkException, Unknown, Unknown),
            (E::Unknown(1234), Unknown, Unknown),
        ];
        for (error, all, leader) in answers {
            assert_eq!(of_error(error, Acks::All), all, "{error:?} with acks: all");
            assert_eq!(of_error(error, Acks::Leader), leader, "{error:?} with acks: 1");
        }
    }

    #[test]
    fn only_what_was_never_written_is_refused() {
        assert_eq!(of_failure(WireError::NotSent), Outcome::Refused);
        assert_eq!(of_failure(WireError::Broken), Outcome::Unknown);
        assert_eq!(of_failure(WireError::Garbled), Outcome::Unknown);
    }
}

//! What an asset may believe of a publish that was answered so. Refused only where no queue can hold it; in doubt, Unknown.
//!
//! | answer | outcome | why |
//! |---|---|---|
//! | `basic.ack` | Acked | a majority of the queue's members has written it to its log, and it is applied |
//! | `basic.return`, and the ack that follows it | Refused | it was mandatory, and the broker knows no such queue: nobody took it |
//! | connection ended before the publish was handed over | Refused | no byte of it left |
//! | `basic.nack` | Unknown | said where the channel could not reach the queue's leader in time, but also where a queue went away with what it had taken; the broker does not say which |
//! | connection lost later, the channel or the connection closed by the broker | Unknown | it may have been read and proposed |

use model::Outcome;

use crate::publisher::{Confirm, Unanswered};

pub(crate) fn of(answer: Result<Confirm, Unanswered>) -> Outcome {
    match answer {
        Ok(Confirm::Ack) => Outcome::Acked,
        Ok(Confirm::Returned) | Err(Unanswered::NotSent) => Outcome::Refused,
        Ok(Confirm::Nack) | Err(Unanswered::Ended) => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_have_been_stored_is_refused() {
        assert_eq!(of(Ok(Confirm::Ack)), Outcome::Acked);
        assert_eq!(of(Ok(Confirm::Returned)), Outcome::Refused);
        assert_eq!(of(Ok(Confirm::Nack)), Outcome::Unknown);
        assert_eq!(of(Err(Unanswered::NotSent)), Outcome::Refused);
        assert_eq!(of(Err(Unanswered::Ended)), Outcome::Unknown);
    }
}

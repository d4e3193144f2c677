//! What an asset may believe of a publish that was answered so. Refused only where the stream cannot hold it; in doubt, Unknown.
//!
//! | answer | outcome | why |
//! |---|---|---|
//! | `{"stream": .., "seq": N}` | Acked | a quorum of the stream's servers has it, at that sequence |
//! | the same with `"duplicate": true` | Acked | it was stored before, under the same message id |
//! | connection ended before the request was handed over | Refused | no byte of it left |
//! | connection lost later | Unknown | it may have been read and proposed |
//! | status 503, no responders | Refused | no server that this one knows listens to the subject: nobody got it |
//! | an error of the codes below | Refused | checked by the leader before it proposes |
//! | any other error | Unknown | nothing promises that it was not stored |
//!
//! Codes that the leader answers with before it proposes, by NATS' own names: JSClusterNotAvail 10008, JSClusterNotActive 10006, JSNotEnabled
//! 10076, JSNotEnabledForAccount 10039, JSInsufficientResources 10023, JSStreamMessageExceedsMaximum 10054, JSStreamNotFound 10059,
//! JSStreamSealed 10109, JSStreamWrongLastSequence 10071.

use model::Outcome;
use serde::Deserialize;

use crate::{parse::Message, wire::WireError};

const BEFORE_PROPOSING: [u32; 9] = [10006, 10008, 10023, 10039, 10054, 10059, 10071, 10076, 10109];
const NO_RESPONDERS: u16 = 503;

#[derive(Debug, Deserialize)]
struct Answer {
    seq: Option<u64>,
    error: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    err_code: Option<u32>,
}

/// The outcome, and where the reading lies.
pub(crate) fn of_answer(message: &Message) -> (Outcome, Option<u64>) {
    if message.status == Some(NO_RESPONDERS) {
        return (Outcome::Refused, None);
    }
    match serde_json::from_slice(&message.payload) {
        Ok(Answer { error: Some(Refusal { err_code }), .. }) => {
            let certain = err_code.is_some_and(|code| BEFORE_PROPOSING.contains(&code));
            (if certain { Outcome::Refused } else { Outcome::Unknown }, None)
        }
        Ok(Answer { seq: Some(seq), error: None }) if seq > 0 => (Outcome::Acked, Some(seq)),
        _ => (Outcome::Unknown, None),
    }
}

pub(crate) fn of_failure(error: WireError) -> Outcome {
    match error {
        WireError::NotSent => Outcome::Refused,
        WireError::Ended => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn only_what_cannot_have_been_stored_is_refused() {
        use Outcome::{Acked, Refused, Unknown};
        let answers = [
            (None, r#"{"stream":"s0","seq":7}"#, (Acked, Some(7))),
            (None, r#"{"stream":"s0","seq":7,"duplicate":true}"#, (Acked, Some(7))),
            (Some(503), "", (Refused, None)),
            (None, r#"{"error":{"code":503,"err_code":10008,"description":"x"}}"#, (Refused, None)),
            (None, r#"{"error":{"code":503,"err_code":10077,"description":"x"}}"#, (Unknown, None)),
            (None, r#"{"error":{"code":503}}"#, (Unknown, None)),
            (None, r#"{"stream":"s0","seq":0}"#, (Unknown, None)),
            (None, "", (Unknown, None)),
            (Some(408), "", (Unknown, None)),
        ];
        for (status, payload, outcome) in answers {
            let message = Message {
                subject: Bytes::new(),
                subscription: 1,
                reply: None,
                status,
                payload: payload.into(),
            };
            assert_eq!(of_answer(&message), outcome, "{payload}");
        }
        assert_eq!(of_failure(WireError::NotSent), Refused);
        assert_eq!(of_failure(WireError::Ended), Unknown);
    }
}

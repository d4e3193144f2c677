//! What an asset may believe of a publish that ended so. MQTT 3.1.1 has no word for a refusal: a broker that will not take a message closes
//! the connection.
//!
//! | end | outcome | why |
//! |---|---|---|
//! | PUBACK | Acked | the broker has it in memory, for whoever has subscribed; it may be nobody |
//! | the connection had ended before | Refused | no byte of it left |
//! | connection lost later, silence | Unknown | it may have been taken |

use model::Outcome;

use crate::wire::WireError;

/// The outcome of a publish that was not acked.
pub(crate) fn of_failure(error: WireError) -> Outcome {
    match error {
        WireError::NotSent => Outcome::Refused,
        WireError::Ended => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_not_left_is_refused() {
        assert_eq!(of_failure(WireError::NotSent), Outcome::Refused);
        assert_eq!(of_failure(WireError::Ended), Outcome::Unknown);
    }
}

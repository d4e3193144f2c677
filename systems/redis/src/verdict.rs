//! What an asset may believe of an XADD that was answered so. Refused only where the stream cannot hold it; in doubt, Unknown.
//!
//! | answer | outcome | why |
//! |---|---|---|
//! | an id | Acked | the master has it in memory; whether a replica has it nobody says |
//! | connection lost, silence | Unknown | it may have been done |
//! | READONLY, NOREPLICAS, LOADING, MASTERDOWN, MISCONF, OOM, BUSY, NOPERM, NOAUTH | Refused | checked before the command is done |
//! | WRONGTYPE, ERR | Refused | a command that fails changes nothing: Redis has no half commands |
//! | any other word | Unknown | nothing promises that it was not done |

use model::Outcome;
use redis::RedisError;

const BEFORE_DOING: [&str; 11] = [
    "READONLY",
    "NOREPLICAS",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "OOM",
    "BUSY",
    "NOPERM",
    "NOAUTH",
    "WRONGTYPE",
    "ERR",
];

/// The outcome of an XADD that failed so.
pub(crate) fn of_failure(error: &RedisError) -> Outcome {
    of_code(error.code())
}

/// Whether the server that answered so can take no write, because it is a replica.
pub(crate) fn does_not_lead(error: &RedisError) -> bool {
    error.code() == Some("READONLY")
}

fn of_code(code: Option<&str>) -> Outcome {
    match code {
        Some(code) if BEFORE_DOING.contains(&code) => Outcome::Refused,
        Some(_) | None => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_have_been_done_is_refused() {
        for code in ["READONLY", "NOREPLICAS", "LOADING", "ERR"] {
            assert_eq!(of_code(Some(code)), Outcome::Refused, "{code}");
        }
        for code in [Some("UNKILLABLE"), Some("WAT"), None] {
            assert_eq!(of_code(code), Outcome::Unknown, "{code:?}");
        }
    }
}

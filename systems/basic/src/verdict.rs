//! What the end of a request means.
//!
//! | what happened | outcome | because |
//! |---|---|---|
//! | 2xx, and its body was read to the end | Acked | the server says that it is done |
//! | 307, 308 | Refused | it is to be sent elsewhere, and is not |
//! | 4xx but 408 and 499 | Refused | the server finds fault with the request itself |
//! | 501, 505, 511 | Refused | said of a request that the server cannot or must not begin with |
//! | a status named in `refused` | Refused | whoever writes the scenario knows this server |
//! | any other 3xx, 408, 499, any other 5xx | Unknown | 303 may follow a write, and so may what a gateway says of the server behind it (502, 503, 504) |
//! | a 2xx that ends before its body does, or no answer that can be understood | Unknown | it may have been done |
//! | the connection ended before a byte of the request was written | Refused | nothing has left |
//! | the connection ended later | Unknown | it may have been read and done |

use model::Outcome;

/// Statuses by which this server promises that nothing was done, beside those that always do; sorted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    refused: Vec<u16>,
}

impl Verdict {
    pub(crate) fn new(refused: impl IntoIterator<Item = u16>) -> Self {
        let mut refused: Vec<u16> = refused.into_iter().collect();
        refused.sort_unstable();
        Self { refused }
    }

    /// Of an answer that was read to its end, or was not.
    pub(crate) fn of(&self, status: u16, whole: bool) -> Outcome {
        match status {
            200..=299 if whole => Outcome::Acked,
            200..=299 => Outcome::Unknown,
            _ if self.refused.binary_search(&status).is_ok() => Outcome::Refused,
            408 | 499 => Outcome::Unknown,
            307 | 308 | 400..=498 | 501 | 505 | 511 => Outcome::Refused,
            _ => Outcome::Unknown,
        }
    }

    /// Of a request whose connection ended.
    pub(crate) fn of_end(began_to_write: bool) -> Outcome {
        if began_to_write { Outcome::Unknown } else { Outcome::Refused }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_have_been_done_is_refused() {
        use Outcome::{Acked, Refused, Unknown};
        let verdict = Verdict::new([503]);
        for (status, whole, outcome) in [
            (200, true, Acked),
            (204, true, Acked),
            (200, false, Unknown),
            (303, true, Unknown),
            (302, true, Unknown),
            (308, true, Refused),
            (400, true, Refused),
            (404, false, Refused),
            (408, true, Unknown),
            (429, true, Refused),
            (499, true, Unknown),
            (500, true, Unknown),
            (501, true, Refused),
            (502, true, Unknown),
            (503, true, Refused),
            (504, true, Unknown),
            (101, true, Unknown),
            (999, true, Unknown),
        ] {
            assert_eq!(verdict.of(status, whole), outcome, "{status}");
        }
        assert_eq!(Verdict::default().of(503, true), Unknown, "a gateway may say so after a write");
    }
}

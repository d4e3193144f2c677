//! What an asset may believe of an insert that was answered so. Refused only where the row cannot be there; in doubt, Unknown.
//!
//! | answer | outcome | why |
//! |---|---|---|
//! | CommandComplete, then ReadyForQuery | Acked | with the extended protocol a single statement is committed between the two: the first alone is no ack |
//! | the link had ended before | Refused | no byte of it was written |
//! | connection lost, silence, anything that is no answer of a server | Unknown | the commit may have been done |
//! | FATAL, PANIC | Unknown | the session ended, perhaps behind the commit |
//! | ERROR 40003, 08xxx | Unknown | the server itself does not know |
//! | ERROR 25006 | Refused | read only: it does not lead; the link is given up |
//! | ERROR 40001, 40P01, other 40xxx | Refused | rolled back; the fleet sees it and decides whether to send again |
//! | ERROR 57014 | Refused | cancelled before the commit; a cancelled wait for a standby is a warning and an ack, see below |
//! | ERROR of the classes 0A 20 21 22 23 25 26 28 2B 2D 34 38 39 3B 3D 3F 42 44 53 54 55 P0 | Refused | the statement failed, and with it its transaction |
//! | ERROR of any other class (57, 58, F0, HV, XX ...) | Unknown | nothing promises that the row is not there |
//!
//! A wait for a synchronous standby that is cancelled by hand is answered as a success with a warning. Nothing here cancels one.

use model::Outcome;
use tokio_postgres::error::{DbError, Severity, SqlState};

/// The outcome of an insert that failed so.
pub(crate) fn of_failure(error: &tokio_postgres::Error) -> Outcome {
    match error.as_db_error() {
        Some(error) => of_answer(error.parsed_severity(), error.code()),
        None => Outcome::Unknown,
    }
}

/// Whether the server that answered so can take no write at all.
pub(crate) fn does_not_lead(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().map(DbError::code) == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
}

fn of_answer(severity: Option<Severity>, code: &SqlState) -> Outcome {
    if severity != Some(Severity::Error) {
        return Outcome::Unknown;
    }
    let undone = match code.code() {
        "40003" => false,
        "57014" => true,
        other => matches!(
            other.get(..2),
            Some(
                "0A" | "20"
                    | "21"
                    | "22"
                    | "23"
                    | "25"
                    | "26"
                    | "28"
                    | "2B"
                    | "2D"
                    | "34"
                    | "38"
                    | "39"
                    | "3B"
                    | "3D"
                    | "3F"
                    | "40"
                    | "42"
                    | "44"
                    | "53"
                    | "54"
                    | "55"
                    | "P0"
            )
        ),
    };
    if undone { Outcome::Refused } else { Outcome::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_there_is_refused() {
        use Outcome::{Refused, Unknown};
        let answers = [
            ("25006", Refused), // read_only_sql_transaction
            ("40001", Refused), // serialization_failure
            ("40P01", Refused), // deadlock_detected
            ("57014", Refused), // query_canceled
            ("42P01", Refused), // undefined_table
            ("23505", Refused), // unique_violation
            ("22P02", Refused), // invalid_text_representation
            ("53100", Refused), // disk_full
            ("53300", Refused), // too_many_connections
            ("55P03", Refused), // lock_not_available
            ("40003", Unknown), // statement_completion_unknown
            ("08006", Unknown), // connection_failure
            ("08007", Unknown), // transaction_resolution_unknown
            ("57P01", Unknown), // admin_shutdown
            ("57P02", Unknown), // crash_shutdown
            ("58030", Unknown), // io_error
            ("XX000", Unknown), // internal_error
            ("XX001", Unknown), // data_corrupted
            ("CR000", Unknown), // of another server of the same protocol
        ];
        for (code, outcome) in answers {
            let error = SqlState::from_code(code);
            assert_eq!(of_answer(Some(Severity::Error), &error), outcome, "{code}");
        }
    }

    #[test]
    fn who_ends_the_session_may_have_committed_before() {
        for severity in [Some(Severity::Fatal), Some(Severity::Panic), None] {
            assert_eq!(of_answer(severity, &SqlState::QUERY_CANCELED), Outcome::Unknown);
        }
    }
}

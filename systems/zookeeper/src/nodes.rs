//! Where a reading lies: each attempt is a sequential node of its own below one parent, so that a reading that was stored twice can be
//! seen. The ensemble numbers the children of a parent from 0, without a gap: what was never committed has no number.

/// Below which the nodes of readings are created.
pub(crate) const PARENT: &str = "/wetdress";
/// What a sequential node is asked for; the server appends its number.
pub(crate) const PREFIX: &str = "/wetdress/r";

/// The path of the node at a position; positions count from 1.
pub(crate) fn path(position: u64) -> String {
    format!("{PREFIX}{:010}", position.saturating_sub(1))
}

/// The position of a node that was created; None where the path is not of that kind.
pub(crate) fn position(path: &str) -> Option<u64> {
    path.strip_prefix(PREFIX)?.parse::<u64>().ok().map(|number| number + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_the_number_that_the_ensemble_gave() {
        assert_eq!(path(1), "/wetdress/r0000000000");
        assert_eq!(position("/wetdress/r0000000041"), Some(42));
        assert_eq!(position(&path(7)), Some(7));
        assert_eq!(position("/elsewhere/r0000000041"), None);
        assert_eq!(position("/wetdress/r-2147483648"), None);
    }
}

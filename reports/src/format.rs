//! How figures are written for people.

pub(crate) use findings::format::{duration as span, moment};

/// An amount with thin groups of three digits: `1 204 551`.
pub(crate) fn amount(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| str::from_utf8(group).expect("digits are ASCII"))
        .collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(
            (amount(7), amount(204), amount(1_204_551)),
            ("7".into(), "204".into(), "1 204 551".into())
        );
        assert_eq!(moment(12_340_000), "12.3 s");
    }
}

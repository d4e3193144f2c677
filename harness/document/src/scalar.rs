//! What a plain scalar means. YAML 1.2's core meanings only; text that YAML 1.1 reads as something else is a trap and is told.

/// A plain scalar's meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Plain<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    Text(&'a str),
    /// Readers of YAML 1.1 and 1.2 disagree about this text; the field says what the older one would make of it.
    Trap(&'static str),
}

impl<'a> Plain<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "true" => return Self::Bool(true),
            "false" => return Self::Bool(false),
            _ => {}
        }
        match text.to_ascii_lowercase().as_str() {
            "yes" | "y" | "on" | "true" => return Self::Trap("`true`"),
            "no" | "n" | "off" | "false" => return Self::Trap("`false`"),
            ".nan" | ".inf" | "+.inf" | "-.inf" => return Self::Trap("a number"),
            _ => {}
        }
        Self::number(text)
    }

    fn number(text: &'a str) -> Self {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let all =
            |part: &str, allowed: fn(u8) -> bool| !part.is_empty() && part.bytes().all(allowed);
        if all(digits, |b| b.is_ascii_digit()) {
            if digits.len() > 1 && digits.starts_with('0') {
                return Self::Trap("an octal number");
            }
            let unsigned = text.parse().map(Self::Unsigned);
            return unsigned
                .or_else(|_| text.parse().map(Self::Negative))
                .unwrap_or(Self::Trap("a number too large to keep"));
        }
        if digits.starts_with(|c: char| c.is_ascii_digit()) {
            if digits.contains(':')
                && digits.split(':').all(|part| all(part, |b| b.is_ascii_digit() || b == b'.'))
            {
                return Self::Trap("a number to the base of 60");
            }
            if all(digits, |b| b.is_ascii_digit() || b == b'_' || b == b'.') && digits.contains('_')
            {
                return Self::Trap("a number");
            }
            let other_base = ["0x", "0o", "0b", "0X", "0O", "0B"]
                .iter()
                .find_map(|prefix| digits.strip_prefix(prefix));
            if other_base.is_some_and(|rest| all(rest, |b| b.is_ascii_hexdigit() || b == b'_')) {
                return Self::Trap("a number to another base");
            }
        }
        match text.parse() {
            Ok(number)
                if all(digits, |b| {
                    b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+')
                }) =>
            {
                match f64::is_finite(number) {
                    true => Self::Float(number),
                    false => Self::Trap("a number too large to keep"),
                }
            }
            _ => Self::Text(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Plain;

    #[test]
    fn the_traps_of_yaml_1_1_are_seen() {
        for text in [
            "no", "No", "NO", "yes", "on", "off", "y", "True", "FALSE", "012", "0123", "12:30",
            "1:30:00", "1_000", "0x1F", "0o17",
        ] {
            assert!(matches!(Plain::of(text), Plain::Trap(_)), "{text}");
        }
    }

    #[test]
    fn plain_words_and_numbers_keep_their_meaning() {
        assert_eq!(Plain::of("0"), Plain::Unsigned(0));
        assert_eq!(Plain::of("-5"), Plain::Negative(-5));
        assert_eq!(Plain::of("1.5"), Plain::Float(1.5));
        assert_eq!(Plain::of("1e3"), Plain::Float(1000.0));
        assert_eq!(Plain::of("true"), Plain::Bool(true));
        for text in [
            "30s",
            "1Gbit",
            "5x",
            "15/s",
            "50%",
            "us-west",
            "utc 03:00",
            "note",
            "e3",
            "inf",
            "nan",
            "-",
            "1.2.3",
        ] {
            assert_eq!(Plain::of(text), Plain::Text(text), "{text}");
        }
    }
}

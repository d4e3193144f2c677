//! Texts from files: how large they may be, and in which encoding.

use std::{fs::File, io::Read, path::Path};

/// The longest text of a scenario, and of a table that it names.
const TEXT_MAX: u64 = 4 << 20;
const TABLE_MAX: u64 = 16 << 20;

/// Why a file gives no text. The texts finish "failed to read NAME: ...".
#[derive(Debug)]
pub enum Unreadable {
    /// The file is not there, or may not be read.
    Io(std::io::Error),
    /// It was read, and is nothing that a scenario could be.
    Content(String),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Content(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Unreadable {}

/// The text of a scenario, without a byte order mark.
///
/// # Errors
/// What cannot be read, is larger than 4 MiB, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, Unreadable> {
    read(path, TEXT_MAX)
}

/// The text of a table that a scenario names.
pub(crate) fn read_table(path: &Path) -> Result<String, Unreadable> {
    read(path, TABLE_MAX)
}

/// Whether a text that somebody else read is too long.
pub(crate) fn too_long(text: &str) -> Option<String> {
    (text.len() as u64 > TEXT_MAX).then(|| large(TEXT_MAX))
}

fn large(most: u64) -> String {
    format!("it is larger than {} MiB", most >> 20)
}

fn read(path: &Path, most: u64) -> Result<String, Unreadable> {
    let file = File::open(path).map_err(Unreadable::Io)?;
    let mut bytes = vec![];
    // Of a device or a pipe nobody knows the length before.
    file.take(most + 1).read_to_end(&mut bytes).map_err(Unreadable::Io)?;
    if bytes.len() as u64 > most {
        return Err(Unreadable::Content(large(most)));
    }
    decoded(bytes).map_err(Unreadable::Content)
}

fn decoded(bytes: Vec<u8>) -> Result<String, String> {
    // The beginning of a text in ASCII letters, with or without a byte order mark.
    let other = match bytes.as_slice() {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [_, 0, 0, 0, ..] | [0, 0, 0, _, ..] => {
            Some("UTF-32")
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, _, 0, ..] | [0, _, 0, _, ..] => Some("UTF-16"),
        _ => None,
    };
    if let Some(other) = other {
        return Err(format!("it is written in {other}; save it as UTF-8"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8 text; save it as UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn only_utf_8_is_text_and_a_mark_before_it_is_fine() {
        let text = "scenario: x\n";
        let wide = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect();
        let widest: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
        let (little, big): (Vec<u8>, Vec<u8>) = (wide(u16::to_le_bytes), wide(u16::to_be_bytes));
        for (bytes, name) in [
            (marked(&[0xff, 0xfe], &little), "UTF-16"),
            (marked(&[0xfe, 0xff], &big), "UTF-16"),
            (marked(&[0xff, 0xfe, 0, 0], &widest), "UTF-32"),
            (little, "UTF-16"),
            (big, "UTF-16"),
            (widest, "UTF-32"),
        ] {
            let why = decoded(bytes).expect_err(name);
            assert!(why.contains(name) && why.contains("save it as UTF-8"), "{why}");
        }
        let why = decoded(b"scenario: x\nsummary: \xe4\n".to_vec()).expect_err("Latin-1");
        assert_eq!(why, "line 2 is not UTF-8 text; save it as UTF-8");
        assert_eq!(decoded(marked(&[0xef, 0xbb, 0xbf], text.as_bytes())).as_deref(), Ok(text));
    }
}

//! What a record's key says: `wd/<run>/<asset>/<stream>/<boot>/<seq>/<attempt>`, the run in 16 hexadecimal digits, the rest decimal.
//!
//! The envelope in the record's value says the same; the key names the reading also where the value was damaged. Kafka never looks at
//! it: the partition is named by who sends.

use bytes::Bytes;
use model::Identity;

pub(crate) fn key(run: u64, identity: &Identity, attempt: u16) -> Bytes {
    let Identity { asset, stream, boot, seq } = identity;
    format!("wd/{run:016x}/{asset}/{stream}/{boot}/{seq}/{attempt}").into()
}

/// Whose reading a record of this run holds; None for one that no driver of ours wrote.
pub(crate) fn identity(run: u64, key: &[u8]) -> Option<Identity> {
    let text = std::str::from_utf8(key).ok()?.strip_prefix("wd/")?;
    let mut parts = text.split('/');
    if parts.next()? != format!("{run:016x}") {
        return None;
    }
    let identity = Identity {
        asset: parts.next()?.parse().ok()?,
        stream: parts.next()?.parse().ok()?,
        boot: parts.next()?.parse().ok()?,
        seq: parts.next()?.parse().ok()?,
    };
    let _attempt: u16 = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity = Identity { asset: 70_000, stream: 3, boot: 2, seq: u64::MAX };

    #[test]
    fn a_key_names_its_reading() {
        let key = key(5, &IDENTITY, 9);
        assert_eq!(key, "wd/0000000000000005/70000/3/2/18446744073709551615/9");
        assert_eq!(identity(5, &key), Some(IDENTITY));
        assert_eq!(identity(6, &key), None, "another run");
    }

    #[test]
    fn foreign_keys_name_nobody() {
        for foreign in [
            "wd/0000000000000005/1/2/3/4",
            "wd/0000000000000005/1/2/3/4/5/6",
            "wd/0000000000000005/x/2/3/4/5",
            "device-7",
        ] {
            assert_eq!(identity(5, foreign.as_bytes()), None, "{foreign}");
        }
    }
}

//! Where a reading lies: `wd/<run>/<asset>/<stream>/<boot>/<seq>/<attempt>`, the run in 16 hexadecimal digits, the rest decimal.
//!
//! Each attempt has a key of its own, so nothing is ever overwritten and a reading that was stored twice can be seen: as two keys when
//! the asset sent it again, as one key with `version` 2 when the system itself applied one attempt twice.

use model::Identity;

/// All keys of a run begin with this.
pub(crate) fn prefix(run: u64) -> Vec<u8> {
    format!("wd/{run:016x}/").into_bytes()
}

/// The first key behind all that begin with the prefix of a run.
pub(crate) fn end(run: u64) -> Vec<u8> {
    let mut end = prefix(run);
    *end.last_mut().expect("a prefix is never empty") += 1;
    end
}

pub(crate) fn key(run: u64, identity: &Identity, attempt: u16) -> Vec<u8> {
    let Identity { asset, stream, boot, seq } = identity;
    format!("wd/{run:016x}/{asset}/{stream}/{boot}/{seq}/{attempt}").into_bytes()
}

/// Whose reading a key of this run holds; None for a key that no driver of ours wrote.
pub(crate) fn identity(run: u64, key: &[u8]) -> Option<Identity> {
    let rest = std::str::from_utf8(key.strip_prefix(prefix(run).as_slice())?).ok()?;
    let mut parts = rest.split('/');
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
        assert_eq!(key, b"wd/0000000000000005/70000/3/2/18446744073709551615/9");
        assert_eq!(identity(5, &key), Some(IDENTITY));
        assert!(key > prefix(5) && key < end(5));
    }

    #[test]
    fn foreign_keys_name_nobody() {
        for foreign in [
            "wd/0000000000000005/1/2/3/4",
            "wd/0000000000000005/1/2/3/4/5/6",
            "wd/0000000000000005/x/2/3/4/5",
            "service/leader",
        ] {
            assert_eq!(identity(5, foreign.as_bytes()), None, "{foreign}");
        }
        assert_eq!(identity(6, &key(5, &IDENTITY, 1)), None, "another run");
    }
}

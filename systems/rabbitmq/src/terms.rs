//! Erlang's terms as bytes: its external term format, as far as it is said or heard here.

use bytes::{Buf, BufMut, Bytes, BytesMut};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Term {
    Number(i64),
    Atom(String),
    /// A binary, or a list of small numbers, which is how Erlang writes text.
    Text(Bytes),
    Tuple(Vec<Term>),
    List(Vec<Term>),
    /// `fun module:function/arity`.
    Function(&'static str, &'static str, u8),
    /// A process of ours, at the node of this name.
    Process(String),
    /// Something that is never looked at.
    Other,
}

/// These bytes are no term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoTerm;

const VERSION: u8 = 131;
/// Answers are flat; deeper ones are not read.
const DEPTH_MAX: u8 = 32;
/// Of our processes: nobody of that name was there before.
pub(crate) const CREATION: u32 = 1;

pub(crate) fn atom(name: &str) -> Term {
    Term::Atom(name.to_owned())
}

impl Term {
    /// With the version before it.
    pub(crate) fn put(&self, out: &mut BytesMut) {
        out.put_u8(VERSION);
        self.put_inner(out);
    }

    fn put_inner(&self, out: &mut BytesMut) {
        let all = |terms: &[Self], out: &mut BytesMut| {
            terms.iter().for_each(|term| term.put_inner(out));
        };
        match self {
            Self::Number(number) => {
                out.put_u8(98);
                out.put_i32(i32::try_from(*number).expect("only small numbers are said"));
            }
            Self::Atom(name) => put_atom(out, name),
            Self::Text(text) => {
                out.put_u8(109);
                out.put_u32(text.len() as u32);
                out.put_slice(text);
            }
            Self::Tuple(terms) => {
                out.put_slice(&[104, terms.len() as u8]);
                all(terms, out);
            }
            Self::List(terms) => {
                if !terms.is_empty() {
                    out.put_u8(108);
                    out.put_u32(terms.len() as u32);
                    all(terms, out);
                }
                out.put_u8(106);
            }
            Self::Function(module, function, arity) => {
                out.put_u8(113);
                put_atom(out, module);
                put_atom(out, function);
                out.put_slice(&[97, *arity]);
            }
            Self::Process(node) => {
                out.put_u8(88);
                put_atom(out, node);
                out.put_u32(1);
                out.put_u32(0);
                out.put_u32(CREATION);
            }
            Self::Other => put_atom(out, "undefined"),
        }
    }

    /// Takes one out of these bytes, with the version before it.
    pub(crate) fn take(from: &mut Bytes) -> Result<Self, NoTerm> {
        match from.try_get_u8() {
            Ok(VERSION) => inner(from, DEPTH_MAX),
            _ => Err(NoTerm),
        }
    }

    pub(crate) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Atom(name) => Some(name),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }

    pub(crate) fn tuple(&self) -> Option<&[Self]> {
        match self {
            Self::Tuple(terms) => Some(terms),
            _ => None,
        }
    }

    /// Of a list; nothing of what is none.
    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::List(terms) => terms,
            _ => &[],
        }
    }
}

/// At most 255 bytes; what is longer is cut.
fn put_atom(out: &mut BytesMut, name: &str) {
    let name = &name.as_bytes()[..name.len().min(255)];
    out.put_slice(&[119, name.len() as u8]);
    out.put_slice(name);
}

fn inner(from: &mut Bytes, depth: u8) -> Result<Term, NoTerm> {
    let depth = depth.checked_sub(1).ok_or(NoTerm)?;
    Ok(match byte(from)? {
        97 => Term::Number(byte(from)?.into()),
        98 => Term::Number(from.try_get_i32().map_err(|_| NoTerm)?.into()),
        110 => big(from)?,
        115 | 119 => {
            let length = byte(from)?.into();
            name(bytes(from, length)?)
        }
        100 | 118 => {
            let length = from.try_get_u16().map_err(|_| NoTerm)?.into();
            name(bytes(from, length)?)
        }
        104 => {
            let count = byte(from)?.into();
            Term::Tuple(several(from, count, depth)?)
        }
        105 => {
            let count = long(from)?;
            Term::Tuple(several(from, count, depth)?)
        }
        106 => Term::List(vec![]),
        107 => {
            let length = from.try_get_u16().map_err(|_| NoTerm)?.into();
            Term::Text(bytes(from, length)?)
        }
        108 => {
            let count = long(from)?;
            let terms = several(from, count, depth)?;
            let _tail = inner(from, depth)?;
            Term::List(terms)
        }
        109 => {
            let length = long(from)?;
            Term::Text(bytes(from, length)?)
        }
        116 => {
            let count = long(from)?;
            several(from, count.saturating_mul(2), depth)?;
            Term::Other
        }
        113 => {
            several(from, 3, depth)?;
            Term::Other
        }
        70 => skip(from, 8)?,
        // A process, and a reference: a node, and numbers.
        88 => {
            inner(from, depth)?;
            skip(from, 12)?
        }
        90 => {
            let count = usize::from(from.try_get_u16().map_err(|_| NoTerm)?);
            inner(from, depth)?;
            skip(from, 4 + 4 * count)?
        }
        _ => return Err(NoTerm),
    })
}

fn several(from: &mut Bytes, count: usize, depth: u8) -> Result<Vec<Term>, NoTerm> {
    // A count that lies ends with the bytes.
    (0..count).map(|_| inner(from, depth)).collect()
}

/// Of any length; what does not fit is nothing that is looked at.
fn big(from: &mut Bytes) -> Result<Term, NoTerm> {
    let (length, negative) = (byte(from)?.into(), byte(from)? != 0);
    let digits = bytes(from, length)?;
    if length > 7 {
        return Ok(Term::Other);
    }
    let value = digits.iter().rev().fold(0, |value, digit| value << 8 | i64::from(*digit));
    Ok(Term::Number(if negative { -value } else { value }))
}

fn name(bytes: Bytes) -> Term {
    Term::Atom(String::from_utf8_lossy(&bytes).into_owned())
}

fn skip(from: &mut Bytes, length: usize) -> Result<Term, NoTerm> {
    bytes(from, length).map(|_| Term::Other)
}

fn bytes(from: &mut Bytes, length: usize) -> Result<Bytes, NoTerm> {
    if from.len() < length {
        return Err(NoTerm);
    }
    Ok(from.split_to(length))
}

fn byte(from: &mut Bytes) -> Result<u8, NoTerm> {
    from.try_get_u8().map_err(|_| NoTerm)
}

fn long(from: &mut Bytes) -> Result<usize, NoTerm> {
    from.try_get_u32().map(|length| length as usize).map_err(|_| NoTerm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(term: &Term) -> Bytes {
        let mut out = BytesMut::new();
        term.put(&mut out);
        out.freeze()
    }

    #[test]
    fn what_is_said_can_be_read() {
        let said = Term::Tuple(vec![
            atom("call"),
            Term::Number(-7),
            Term::List(vec![Term::Text(Bytes::from_static(b"/")), Term::List(vec![])]),
        ]);
        let bytes = written(&said);
        assert_eq!(Term::take(&mut bytes.clone()), Ok(said));
        for length in 0..bytes.len() {
            assert_eq!(Term::take(&mut bytes.slice(..length)), Err(NoTerm));
        }
    }

    #[test]
    fn what_is_never_looked_at_is_passed_over() {
        let others = [
            written(&Term::Process("a@b.c".to_owned())),
            written(&Term::Function("rabbit_fifo", "query_messages_total", 1)),
            Bytes::from_static(b"\x83t\0\0\0\x01a\x01a\x02"),
            Bytes::from_static(b"\x83F\0\0\0\0\0\0\0\0"),
            Bytes::from_static(b"\x83Z\0\x01w\x01n\0\0\0\x01\0\0\0\x02"),
        ];
        for mut other in others {
            assert_eq!(Term::take(&mut other), Ok(Term::Other));
            assert!(other.is_empty());
        }
    }

    #[test]
    fn numbers_and_texts() {
        let read = |bytes: &'static [u8]| Term::take(&mut Bytes::from_static(bytes));
        assert_eq!(read(b"\x83a\x07"), Ok(Term::Number(7)));
        assert_eq!(read(b"\x83n\x05\0\0\0\0\0\x01"), Ok(Term::Number(1 << 32)));
        assert_eq!(read(b"\x83n\x08\0\0\0\0\0\0\0\0\x01"), Ok(Term::Other));
        assert_eq!(read(b"\x83k\0\x023x"), Ok(Term::Text(Bytes::from_static(b"3x"))));
        assert_eq!(read(b"\x83h\xff"), Err(NoTerm));
        assert_eq!(read(b"\x83l\xff\xff\xff\xff"), Err(NoTerm));
        assert_eq!(
            Term::take(&mut Bytes::from([&[131][..], &[104, 1].repeat(99)].concat())),
            Err(NoTerm)
        );
    }
}

//! Quantities as a scenario writes them. Units are mandatory: `30` is never a duration.
//!
//! Each type is written back in the form that it was read in, so that a kind's parameters survive the stored plan.

use std::{borrow::Cow, cmp::Reverse, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Complaint;

/// A duration: `ns us ms s m h d`, such as `250ms` or `1.5s`. At most 100 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub Duration);

/// A size in bytes: `B KiB MiB GiB`, such as `450B`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

/// A rate of events: `15/s`, `1/30m`. At least one in the given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frequency {
    pub count: u64,
    pub per: Duration,
}

/// A line rate in bits per second: `bit kbit Mbit Gbit`, such as `100Mbit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bits(pub u64);

/// A share from `0%` to `100%`, in parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(pub u32);

/// A multiple of some rate, `3x` or `130%`, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Multiple(pub u32);

/// A factor, such as `5x` or `0.8x`, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Times(pub u64);

const TIME: &[(&str, u128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];
const SIZE: &[(&str, u128)] = &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
const BITS: &[(&str, u128)] =
    &[("bit", 1), ("kbit", 1_000), ("Mbit", 1_000_000), ("Gbit", 1_000_000_000)];
const SHARE: &[(&str, u128)] = &[("%", 10_000)];
const TIMES: &[(&str, u128)] = &[("x", 1_000)];
const MULTIPLE: &[(&str, u128)] = &[("x", 1_000_000), ("%", 10_000)];
/// 100 years in nanoseconds: longer is a slip of the pen.
const TIME_MAX: u128 = 3_155_760_000 * 1_000_000_000;

impl Frequency {
    /// Events per second.
    pub fn per_second(self) -> f64 {
        self.count as f64 / self.per.as_secs_f64()
    }
}

impl Times {
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }
}

impl Share {
    /// From 0 to 1.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl From<Time> for Duration {
    fn from(time: Time) -> Self {
        time.0
    }
}

/// What a quantity needs to be read and written.
trait Quantity: Sized {
    /// Such as "a duration".
    const WHAT: &'static str;
    /// Examples for the help line.
    const WRITE: &'static str;
    const NAME: &'static str;
    const PATTERN: &'static str;
    fn parse(text: &str) -> Result<Self, Wrong>;
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// Why a text is not a quantity.
enum Wrong {
    NoUnit,
    /// The unit that was found, and those that are known.
    Unit(String, &'static [(&'static str, u128)]),
    Text,
    Range(&'static str),
    /// Digits beyond the finest unit.
    TooFine,
}

impl Quantity for Time {
    const WHAT: &'static str = "a duration";
    const WRITE: &'static str = "`250ms`, `30s`, `5m`; units are `ns us ms s m h d`";
    const NAME: &'static str = "Duration";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d)$";
    fn parse(text: &str) -> Result<Self, Wrong> {
        let nanos = scaled(text, TIME)?;
        if nanos > TIME_MAX {
            return Err(Wrong::Range("100 years are the most"));
        }
        Ok(Self(Duration::new((nanos / 1_000_000_000) as u64, (nanos % 1_000_000_000) as u32)))
    }
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_largest(f, self.0.as_nanos(), TIME, "s")
    }
}

impl Quantity for Size {
    const WHAT: &'static str = "a size";
    const WRITE: &'static str = "`450B`, `64KiB`, `64MiB`; units are `B KiB MiB GiB`";
    const NAME: &'static str = "Size";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB)$";
    fn parse(text: &str) -> Result<Self, Wrong> {
        in_u64(scaled(text, SIZE)?).map(Self)
    }
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_largest(f, self.0.into(), SIZE, "B")
    }
}

impl Quantity for Bits {
    const WHAT: &'static str = "a line rate";
    const WRITE: &'static str = "`10Mbit`, `1Gbit`; units are `bit kbit Mbit Gbit`, per second";
    const NAME: &'static str = "LineRate";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)?(bit|kbit|Mbit|Gbit)$";
    fn parse(text: &str) -> Result<Self, Wrong> {
        match in_u64(scaled(text, BITS)?)? {
            0 => Err(Wrong::Range("a rate of nothing is a cut; use `partition` for that")),
            bits => Ok(Self(bits)),
        }
    }
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_largest(f, self.0.into(), BITS, "bit")
    }
}

impl Quantity for Share {
    const WHAT: &'static str = "a share";
    const WRITE: &'static str = "`0.1%`, `50%`";
    const NAME: &'static str = "Share";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)?%$";
    fn parse(text: &str) -> Result<Self, Wrong> {
        match scaled(text, SHARE)? {
            parts @ 0..=1_000_000 => Ok(Self(parts as u32)),
            _ => Err(Wrong::Range("a share is at most `100%`")),
        }
    }
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 1e4)
    }
}

impl Quantity for Multiple {
    const WHAT: &'static str = "a multiple of a rate";
    const WRITE: &'static str = "`3x`, `0.5x`, `70%`, `130%`";
    const NAME: &'static str = "Multiple";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)?(x|%)$";
    fn parse(text: &str) -> Result<Self, Wrong> {
        u32::try_from(scaled(text, MULTIPLE)?)
            .map(Self)
            .map_err(|_| Wrong::Range("that is too large"))
    }
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", f64::from(self.0) / 1e6)
    }
}

impl Quantity for Times {
    const WHAT: &'static str = "a factor";
    const WRITE: &'static str = "`5x`, `0.8x`";
    const NAME: &'static str = "Factor";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)?x$";
    fn parse(text: &str) -> Result<Self, Wrong> {
        in_u64(scaled(text, TIMES)?).map(Self)
    }
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", self.as_f64())
    }
}

impl Quantity for Frequency {
    const WHAT: &'static str = "a rate";
    const WRITE: &'static str = "`15/s`, `1/30m`";
    const NAME: &'static str = "Rate";
    const PATTERN: &'static str = r"^[0-9]+/[0-9]*(ns|us|ms|s|m|h|d)$";
    fn parse(text: &str) -> Result<Self, Wrong> {
        let (count, per) = text.split_once('/').ok_or(Wrong::NoUnit)?;
        let count: u64 = count.trim().parse().map_err(|_| Wrong::Text)?;
        let per = per.trim();
        let with_count = if per.starts_with(|c: char| c.is_ascii_digit()) {
            per.to_owned()
        } else {
            format!("1{per}")
        };
        let Time(per) = Time::parse(&with_count)?;
        if count == 0 || per.is_zero() {
            return Err(Wrong::Range("a rate is more than nothing"));
        }
        Ok(Self { count, per })
    }
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.per {
            per if per == Duration::from_secs(1) => write!(f, "{}/s", self.count),
            per => write!(f, "{}/{}", self.count, Time(per)),
        }
    }
}

/// The number before the unit, times what the unit is worth; exact.
fn scaled(text: &str, units: &'static [(&'static str, u128)]) -> Result<u128, Wrong> {
    let digits = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(Wrong::Text);
    }
    if unit.is_empty() {
        return Err(Wrong::NoUnit);
    }
    let known = units.iter().find(|(name, _)| *name == unit);
    let (_, worth) = known.ok_or_else(|| Wrong::Unit(unit.trim().to_owned(), units))?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || part.is_empty() || part.contains('.') {
        return Err(Wrong::Text);
    }
    let too_large = || Wrong::Range("that is too large");
    if whole.len() > 20 || part.len() > 12 {
        return Err(too_large());
    }
    let places = 10u128.pow(part.len() as u32);
    let number = whole.parse::<u128>().map_err(|_| Wrong::Text)? * places
        + part.parse::<u128>().map_err(|_| Wrong::Text)?;
    let product = number.checked_mul(*worth).ok_or_else(too_large)?;
    if product % places == 0 { Ok(product / places) } else { Err(Wrong::TooFine) }
}

fn in_u64(number: u128) -> Result<u64, Wrong> {
    u64::try_from(number).map_err(|_| Wrong::Range("that is too large"))
}

/// In the largest unit that gives a whole number.
fn write_largest(
    f: &mut fmt::Formatter<'_>,
    amount: u128,
    units: &[(&str, u128)],
    zero: &str,
) -> fmt::Result {
    let largest =
        units.iter().rev().find(|(_, worth)| amount >= *worth && amount.is_multiple_of(*worth));
    match largest {
        Some((unit, worth)) => write!(f, "{}{unit}", amount / worth),
        None => write!(f, "0{zero}"),
    }
}

fn complaint<Q: Quantity>(text: &str, wrong: &Wrong) -> Complaint {
    let (what, write) = (Q::WHAT, format!("Write {} such as {}", Q::WHAT, Q::WRITE));
    match wrong {
        Wrong::NoUnit => {
            Complaint::new("unit", format!("`{text}` is a bare number where a unit belongs"))
                .help(write)
        }
        Wrong::Unit(unit, units) => {
            let hint = unit_meant(unit, units)
                .map_or(String::new(), |name| format!("Did you mean `{name}`? "));
            Complaint::new("unit", format!("`{unit}` is no unit of {what}"))
                .help(format!("{hint}{write}"))
        }
        Wrong::Text => Complaint::new("range", format!("`{text}` is not {what}")).help(write),
        Wrong::Range(why) => {
            Complaint::new("range", format!("`{text}` is out of range: {why}")).help(write)
        }
        Wrong::TooFine => {
            Complaint::new("range", format!("`{text}` has more digits than {what} can keep"))
                .help(write)
        }
    }
}

/// The unit that is the same but for capitals, or else the longest one that is a single edit away.
fn unit_meant(unit: &str, units: &[(&'static str, u128)]) -> Option<&'static str> {
    let lower = unit.to_lowercase();
    let same = units.iter().map(|(name, _)| *name).find(|name| name.to_lowercase() == lower);
    let distance = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
    let close = || {
        let by_length = units.iter().map(|(name, _)| (distance(name), Reverse(name.len()), *name));
        let nearest = by_length.min().filter(|(distance, ..)| *distance <= 1 && unit.len() > 1);
        nearest.map(|(.., name)| name)
    };
    same.or_else(close)
}

struct Visitor<Q>(std::marker::PhantomData<Q>);

impl<Q: Quantity> Visitor<Q> {
    fn bare<E: de::Error>(number: &dyn fmt::Display) -> Result<Q, E> {
        Err(complaint::<Q>(&number.to_string(), &Wrong::NoUnit).raise())
    }
}

impl<Q: Quantity> de::Visitor<'_> for Visitor<Q> {
    type Value = Q;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Q::WHAT)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Q, E> {
        Q::parse(text).map_err(|wrong| complaint::<Q>(text, &wrong).raise())
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Q, E> {
        Self::bare(&number)
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Q, E> {
        Self::bare(&number)
    }
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Q, E> {
        Self::bare(&number)
    }
}

macro_rules! quantities {
    ($($name:ident),+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Visitor(std::marker::PhantomData))
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.write(f)
            }
        }
        impl std::str::FromStr for $name {
            type Err = Complaint;
            fn from_str(text: &str) -> Result<Self, Complaint> {
                Self::parse(text).map_err(|wrong| complaint::<Self>(text, &wrong))
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                <Self as Quantity>::NAME.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "pattern": <Self as Quantity>::PATTERN,
                    "description": format!("{}: {}", <Self as Quantity>::WHAT, <Self as Quantity>::WRITE),
                })
            }
        }
    )+};
}

quantities!(Time, Size, Frequency, Bits, Share, Multiple, Times);

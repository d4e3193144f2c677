//! Quantities and numbers with a least and a greatest value, in the type: whoever reads, describes or checks one knows the same range.

use std::{borrow::Cow, fmt, marker::PhantomData, ops::Deref, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    Complaint,
    units::{Bits, Multiple, Share, Size, Time, Times},
};

/// Amounts of [`Time`], in nanoseconds.
pub const US: u64 = 1_000;
pub const MS: u64 = 1_000 * US;
pub const SECOND: u64 = 1_000 * MS;
pub const MINUTE: u64 = 60 * SECOND;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;
/// Amounts of [`Size`], in bytes.
pub const MIB: u64 = 1 << 20;
pub const TIB: u64 = 1 << 40;

/// A value from `LEAST` to `MOST`, in whole multiples of `STEP`: amounts as [`Amount`] counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Within<Q, const LEAST: u64, const MOST: u64, const STEP: u64 = 1> {
    value: Q,
}

/// What can be counted in a smallest unit of its own.
pub trait Amount: Copy + fmt::Display {
    /// So many smallest units. The caller hands in no more than the type can hold.
    fn of(amount: u64) -> Self;
    fn amount(&self) -> u64;
    /// Reads an amount, which may be more than the type can hold.
    ///
    /// # Errors
    /// What is no amount of this sort at all.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error>;
}

macro_rules! quantities {
    ($($name:ident($inner:ty),)+) => {$(
        impl Amount for $name {
            fn of(amount: u64) -> Self {
                Self(<$inner>::try_from(amount).unwrap_or(<$inner>::MAX))
            }
            fn amount(&self) -> u64 {
                self.0.into()
            }
            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
                Self::deserialize(deserializer).map(|quantity| quantity.amount())
            }
        }
    )+};
}

quantities!(Size(u64), Share(u32), Multiple(u32), Times(u64), Bits(u64),);

/// In nanoseconds; no duration is longer than a u64 of them.
impl Amount for Time {
    fn of(amount: u64) -> Self {
        Self(Duration::from_nanos(amount))
    }
    fn amount(&self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        Self::deserialize(deserializer).map(|time| time.amount())
    }
}

macro_rules! numbers {
    ($($name:ty),+) => {$(
        impl Amount for $name {
            fn of(amount: u64) -> Self {
                Self::try_from(amount).unwrap_or(Self::MAX)
            }
            fn amount(&self) -> u64 {
                (*self).into()
            }
            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
                u64::deserialize(deserializer)
            }
        }
    )+};
}

numbers!(u16, u32, u64);

impl<Q: Amount, const LEAST: u64, const MOST: u64, const STEP: u64> Within<Q, LEAST, MOST, STEP> {
    /// A value that the program itself gives, such as a default; it is not looked at.
    pub const fn given(value: Q) -> Self {
        Self { value }
    }

    fn checked(amount: u64) -> Result<Self, Complaint> {
        let (least, most, step) = (Q::of(LEAST), Q::of(MOST), Q::of(STEP));
        let why = match amount {
            _ if amount < LEAST => format!("at least `{least}` belongs here"),
            _ if amount > MOST => format!("at most `{most}` belongs here"),
            _ if !amount.is_multiple_of(STEP) => format!("whole multiples of `{step}` belong here"),
            _ => return Ok(Self { value: Q::of(amount) }),
        };
        // What is more than the type can hold is shown as what was written.
        let found = match Q::of(amount) {
            held if held.amount() == amount => held.to_string(),
            _ => amount.to_string(),
        };
        let message = format!("`{found}` is out of range: {why}");
        Err(Complaint::new("range", message).help(format!("Write {}", Self::range())))
    }

    /// In words.
    fn range() -> String {
        let steps = match STEP {
            1 => String::new(),
            _ => format!(", in whole multiples of `{}`", Q::of(STEP)),
        };
        format!("a value from `{}` to `{}`{steps}", Q::of(LEAST), Q::of(MOST))
    }
}

impl<Q, const LEAST: u64, const MOST: u64, const STEP: u64> Deref for Within<Q, LEAST, MOST, STEP> {
    type Target = Q;
    fn deref(&self) -> &Q {
        &self.value
    }
}

impl<const LEAST: u64, const MOST: u64, const STEP: u64> From<Within<Time, LEAST, MOST, STEP>>
    for Duration
{
    fn from(time: Within<Time, LEAST, MOST, STEP>) -> Self {
        time.value.0
    }
}

impl<Q: fmt::Display, const LEAST: u64, const MOST: u64, const STEP: u64> fmt::Display
    for Within<Q, LEAST, MOST, STEP>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<Q, const LEAST: u64, const MOST: u64, const STEP: u64> FromStr for Within<Q, LEAST, MOST, STEP>
where
    Q: Amount + FromStr<Err = Complaint>,
{
    type Err = Complaint;
    fn from_str(text: &str) -> Result<Self, Complaint> {
        text.parse::<Q>().and_then(|value| Self::checked(value.amount()))
    }
}

impl<Q: Serialize, const LEAST: u64, const MOST: u64, const STEP: u64> Serialize
    for Within<Q, LEAST, MOST, STEP>
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, Q: Amount, const LEAST: u64, const MOST: u64, const STEP: u64> Deserialize<'de>
    for Within<Q, LEAST, MOST, STEP>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::checked(Q::read(deserializer)?).map_err(Complaint::raise)
    }
}

/// The schema of the value. `least` and `most` are for people, in the words of a scenario; editors check what JSON schema can say.
impl<Q: Amount + JsonSchema, const LEAST: u64, const MOST: u64, const STEP: u64> JsonSchema
    for Within<Q, LEAST, MOST, STEP>
{
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        Q::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Q::json_schema(generator);
        schema.insert("least".into(), Q::of(LEAST).to_string().into());
        schema.insert("most".into(), Q::of(MOST).to_string().into());
        if schema.get("type").is_some_and(|of| of == "integer") {
            schema.insert("minimum".into(), LEAST.into());
            schema.insert("maximum".into(), MOST.into());
        }
        schema
    }
}

/// A list that names something: what no item stands in means nothing.
///
/// # Errors
/// An empty list, and what its items are refused for.
pub fn some<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Visitor<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut all = vec![];
            while let Some(item) = items.next_element()? {
                all.push(item);
            }
            if all.is_empty() {
                let empty = Complaint::new("range", "an empty list");
                return Err(empty.help("Write what belongs in it, or leave the key out").raise());
            }
            Ok(all)
        }
    }
    deserializer.deserialize_seq(Visitor(PhantomData))
}

//! Each room that has kinds owns one static [`Catalog`], one line per kind. It feeds accepted names, did-you-mean, `explain`,
//! the JSON schema, the generated reference and the tests that visit every kind.

use std::{fmt, sync::Arc};

use document::{Node, Problems};
use schemars::{JsonSchema, Schema};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Driver, Fault, Observer, Service, Site};

/// One kind: how it is called, how its parameters are read, and how it comes to life.
pub struct Kind<M: 'static> {
    /// As written in YAML.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// A piece of YAML that loads.
    pub example: &'static str,
    pub schema: fn() -> Schema,
    /// Reads the parameters into their canonical form, all defaults filled in; every mistake goes to the problems.
    pub read: fn(&Node, &mut Problems) -> Option<Value>,
    /// Brings stored parameters to life.
    pub make: M,
}

impl<M> fmt::Debug for Kind<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The kinds of one room.
pub struct Catalog<M: 'static> {
    /// What its kinds are called in messages, such as `fault`.
    pub noun: &'static str,
    pub kinds: &'static [Kind<M>],
}

impl<M> fmt::Debug for Catalog<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("noun", &self.noun).field("kinds", &self.kinds).finish()
    }
}

impl<M> Catalog<M> {
    pub fn find(&self, name: &str) -> Option<&'static Kind<M>> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.iter().map(|kind| kind.name)
    }
}

/// Parameters that a person writes.
pub trait Params: Serialize + DeserializeOwned + JsonSchema {}
impl<P: Serialize + DeserializeOwned + JsonSchema> Params for P {}

impl<M> Kind<M> {
    pub const fn new<P: Params>(
        name: &'static str,
        about: &'static str,
        example: &'static str,
        make: M,
    ) -> Self {
        Self { name, about, example, schema: schema::<P>, read: read::<P>, make }
    }
}

fn schema<P: Params>() -> Schema {
    schemars::schema_for!(P)
}

fn read<P: Params>(node: &Node, problems: &mut Problems) -> Option<Value> {
    let params: P = document::read_as(node, problems)?;
    Some(serde_json::to_value(params).expect("parameters are plain data with text keys"))
}

/// Stored parameters, back as their type. They were written by [`Kind::read`] of the same version of the plan's format.
pub fn stored<P: Params>(params: &Value) -> Result<P, serde_json::Error> {
    serde_json::from_value(params.clone())
}

pub type MakeFault = fn(&Value) -> Result<Box<dyn Fault>, serde_json::Error>;
pub type MakeService = fn(&Value, &Site) -> Result<Arc<dyn Service>, serde_json::Error>;
pub type MakeDriver = fn(&Value, &Site) -> Result<Arc<dyn Driver>, serde_json::Error>;
pub type MakeObserver = fn(&Value, &Site) -> Result<Arc<dyn Observer>, serde_json::Error>;

/// A fault kind: its parameters are the fault.
pub const fn fault<P: Params + Fault + 'static>(
    name: &'static str,
    about: &'static str,
    example: &'static str,
) -> Kind<MakeFault> {
    Kind::new::<P>(name, about, example, |params| Ok(Box::new(stored::<P>(params)?)))
}

/// What one family of servers brings. Drivers and observers of the same system share its name unless it has several.
#[derive(Debug)]
pub struct System {
    pub name: &'static str,
    /// The only lab that it lives in, which then takes no other system; None for systems of real sockets.
    pub lab: Option<&'static str>,
    pub services: Catalog<MakeService>,
    pub drivers: Catalog<MakeDriver>,
    pub observers: Catalog<MakeObserver>,
}

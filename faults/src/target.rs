//! The words in which a scenario says whom a fault hits.

use std::num::NonZeroU32;

use document::units::Share;
use model::{NodeId, ServiceId, ShardId, plan};
use schemars::JsonSchema;
use seams::Objection;
use serde::{Deserialize, Serialize};

/// How many of the nodes that fit are hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HowMany {
    /// Every one.
    #[default]
    All,
    /// One, drawn from the plan's seed.
    One,
    /// So many, drawn from the plan's seed, such as `{fixed: 2}`.
    Fixed(NonZeroU32),
    /// A share, rounded up, drawn from the plan's seed, such as `{percent: 50%}`.
    Percent(Share),
    /// As many as can be lost while more than half are left.
    Minority,
    /// The least number that is more than half.
    Majority,
}

/// Declares parameters that name their nodes in the words of a target, beside fields of their own. (serde's own way to share fields
/// would lose where a mistake stands.)
macro_rules! aimed {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$of_field:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        $vis struct $name {
            /// Only nodes of this region.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub region: Option<String>,
            /// Only nodes of this zone.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub zone: Option<String>,
            /// Only nodes of this service.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub service: Option<String>,
            /// Only the node of this name.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub node: Option<String>,
            /// Only nodes that hold this role, such as `leader`, at the moment of injection.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub role: Option<String>,
            /// Where the role is held: a service, or one shard of it as `service/shard`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub of: Option<String>,
            /// How many of the nodes that fit.
            #[serde(default)]
            pub mode: $crate::target::HowMany,
            /// Nodes that are spared.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub exclude: Vec<String>,
            $($(#[$of_field])* pub $field: $type,)*
        }

        impl $name {
            pub(crate) fn target(&self) -> model::plan::NodeTarget {
                $crate::target::Words {
                    region: &self.region,
                    zone: &self.zone,
                    service: &self.service,
                    node: &self.node,
                    role: &self.role,
                    of: &self.of,
                    mode: self.mode,
                    exclude: &self.exclude,
                }
                .target()
            }

            pub(crate) fn check_target(&self) -> Vec<seams::Objection> {
                $crate::target::check(&self.service, &self.role, &self.of)
            }
        }
    };
}
pub(crate) use aimed;

aimed! {
    /// Whom a fault hits, where it names several groups.
    pub struct Aim {}
}

/// The same words, borrowed from whoever declared them.
pub(crate) struct Words<'a> {
    pub(crate) region: &'a Option<String>,
    pub(crate) zone: &'a Option<String>,
    pub(crate) service: &'a Option<String>,
    pub(crate) node: &'a Option<String>,
    pub(crate) role: &'a Option<String>,
    pub(crate) of: &'a Option<String>,
    pub(crate) mode: HowMany,
    pub(crate) exclude: &'a [String],
}

impl Words<'_> {
    pub(crate) fn target(&self) -> plan::NodeTarget {
        let (of_service, shard) = match self.of.as_deref().map(|of| of.split_once('/').ok_or(of)) {
            None => (None, None),
            Some(Ok((service, shard))) => {
                (Some(ServiceId::from(service)), Some(ShardId::from(shard)))
            }
            Some(Err(service)) => (Some(ServiceId::from(service)), None),
        };
        plan::NodeTarget {
            region: self.region.as_deref().map(Into::into),
            zone: self.zone.as_deref().map(Into::into),
            service: of_service.or_else(|| self.service.as_deref().map(Into::into)),
            node: self.node.as_deref().map(Into::into),
            role: self.role.clone(),
            shard,
            mode: self.mode.into(),
            exclude: self.exclude.iter().map(|name| NodeId::from(name.as_str())).collect(),
        }
    }
}

/// Words that contradict each other. Whether names are known is the plan's to check.
pub(crate) fn check(
    service: &Option<String>,
    role: &Option<String>,
    of: &Option<String>,
) -> Vec<Objection> {
    let mut wrong = vec![];
    let of_service = of.as_deref().map(|of| of.split_once('/').map_or(of, |(service, _)| service));
    if let (Some(service), Some(of)) = (service.as_deref(), of_service)
        && service != of
    {
        let message = format!("`service: {service}` and `of: {of}` name two services");
        wrong.push(Objection::new("of", message).help("Leave one of them out"));
    }
    if role.is_none() && of.as_deref().is_some_and(|of| of.contains('/')) {
        let message = "a shard has no nodes of its own";
        wrong.push(Objection::new("of", message).help("Say which `role` in it is meant"));
    }
    wrong
}

/// Contradictions within aims that stand under keys of their own, and within the two sides of `between`.
pub(crate) fn check_aims<'a>(
    aims: impl IntoIterator<Item = (&'static str, Option<&'a Aim>)>,
    between: Option<&'a [Aim; 2]>,
) -> Vec<Objection> {
    let sides = between
        .into_iter()
        .flat_map(|[first, second]| [("between.0", Some(first)), ("between.1", Some(second))]);
    let aims = aims.into_iter().chain(sides).filter_map(|(key, aim)| Some((key, aim?)));
    let told = |(key, aim): (&str, &Aim)| {
        aim.check_target().into_iter().map(|objection| objection.under(key)).collect::<Vec<_>>()
    };
    aims.flat_map(told).collect()
}

impl Aim {
    /// Whether it means a region as a whole, its clients included.
    pub(crate) fn whole_region(&self) -> Option<&str> {
        let Self {
            region,
            zone: None,
            service: None,
            node: None,
            role: None,
            of: None,
            mode: HowMany::All,
            exclude,
        } = self
        else {
            return None;
        };
        region.as_deref().filter(|_| exclude.is_empty())
    }
}

impl From<HowMany> for plan::Mode {
    fn from(many: HowMany) -> Self {
        match many {
            HowMany::All => Self::All,
            HowMany::One => Self::One,
            HowMany::Fixed(count) => Self::Fixed(count.get()),
            HowMany::Percent(share) => Self::Percent(share.as_f64() * 100.0),
            HowMany::Minority => Self::Minority,
            HowMany::Majority => Self::Majority,
        }
    }
}

//! The shape of a scenario file. Almost everything is optional here: what is missing is told, or defaulted, by the sections that
//! read it, so that one missing key does not hide the other mistakes. The JSON schema is made from these types.

use std::collections::BTreeMap;

use document::{
    Complaint, Either, Part, Sp,
    units::{Bits, Share, Size, Time, Times},
    within::{DAY, HOUR, MS, TIB, Within},
};
use model::plan::{Ack, BackoffJitter, OnFull, ReplayOrder, Shows, StreamPhase};
use schemars::JsonSchema;
use seams::links::{Jitter, Loss};
use serde::{Deserialize, Deserializer, de};

pub(crate) mod expect;
mod load;
mod safety;

pub(crate) use self::load::{Bursts, Capacity, Diurnal, Ramp, Rate, Shape, Steps};

/// Between two readings of a stream.
pub(crate) type Every = Within<Time, MS, DAY>;
/// How long somebody waits for somebody else.
pub(crate) type Patience = Within<Time, MS, HOUR>;
/// How long something lasts on the timeline.
pub(crate) type Length = Within<Time, MS, { 7 * DAY }>;
/// A pause that may be none.
pub(crate) type Pause = Within<Time, 0, DAY>;
/// On a way.
pub(crate) type Delay = Within<Time, 0, HOUR>;

/// A drill: a stack, the traffic to it, what goes wrong, and what must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// Name of the drill.
    pub(crate) scenario: Option<Sp<String>>,
    /// One or two sentences for the report.
    pub(crate) summary: Option<String>,
    /// Decides every random choice. Default: derived from the scenario's name.
    pub(crate) seed: Option<u64>,
    /// Files that this one is laid over, in this order, relative to this file.
    #[allow(
        dead_code,
        reason = "includes are followed before the sections are read; the field makes the key known"
    )]
    pub(crate) include: Option<Vec<String>>,
    pub(crate) stack: Option<Sp<Stack>>,
    pub(crate) traffic: Option<Sp<Traffic>>,
    /// Who reads back what became visible. Default: one system-of-record observer per service that a fleet sends to.
    pub(crate) observers: Option<Vec<Part>>,
    /// The timeline. Default: warmup, baseline, fault, recovery, failback, verify.
    pub(crate) phases: Option<Vec<Sp<Phase>>>,
    /// What goes wrong, and when.
    pub(crate) faults: Option<Vec<Part>>,
    pub(crate) safety: Option<safety::Safety>,
    /// What must hold. Gates that every drill has are added unless they are given here.
    pub(crate) gates: Option<Vec<Part>>,
    /// What is known to come out, where that is not a pass: `run` then ends well when exactly so it came out.
    pub(crate) expect: Option<expect::Expect>,
    /// How the run is shown.
    pub(crate) reports: Option<Vec<Sp<String>>>,
}

/// What is under test and where it runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stack {
    /// Where the stack runs. Default: `local`.
    pub(crate) lab: Option<Part>,
    pub(crate) regions: Option<BTreeMap<Sp<String>, Region>>,
    /// The steady way between regions, `one ~ other`, both ways unless the pair is given reversed too.
    pub(crate) links: Option<BTreeMap<Sp<String>, Quality>>,
    pub(crate) services: Option<Part>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Region {
    /// Parts of the region, such as `[a, b, c]`; nodes are spread over them.
    pub(crate) zones: Option<Vec<Sp<String>>>,
}

/// What a way does to packets, one way each: netem's parameters, names and meanings.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quality {
    /// Time in flight.
    pub(crate) delay: Option<Delay>,
    pub(crate) jitter: Option<Sp<Jitter>>,
    pub(crate) loss: Option<Loss>,
    /// Chance of each packet to arrive twice.
    pub(crate) duplicate: Option<Share>,
    /// Chance of each packet to have one bit flipped; a checksum then refuses most of them, which makes it a loss.
    pub(crate) corrupt: Option<Share>,
    /// Chance of each packet to leave without the delay, ahead of those that wait.
    pub(crate) reorder: Option<Sp<Share>>,
    /// How much passes.
    pub(crate) rate: Option<Bits>,
    /// How much may wait for the rate; what does not fit is lost. Default: 100 ms of the rate, at least `64KiB`.
    pub(crate) queue: Option<Sp<Size>>,
    /// The largest IP packet that passes, `552B` to `1499B`; a larger one is answered with "packet too big", so that path MTU discovery works.
    pub(crate) mtu: Option<Sp<Size>>,
    /// A change by the clock with a name, such as `leo_15s`, on top of the other keys.
    pub(crate) profile: Option<Sp<String>>,
    /// Changes by the clock, on top of the other keys: a CSV file with the header `at,delay,jitter,loss,rate,up`, or its rows as a list.
    #[schemars(with = "Option<Table<TraceRow>>")]
    pub(crate) trace: Option<Sp<Vec<Sp<TraceRow>>>>,
    /// The trace begins again every so often, and percentiles are judged over whole multiples of it, in seconds. Default: its last row stays.
    pub(crate) repeat: Option<Sp<Time>>,
    /// Access links only: the passes in which assets can be reached. A CSV file with the header `aos,los`, or its rows as a list.
    #[schemars(with = "Option<Table<Pass>>")]
    pub(crate) contact: Option<Sp<Vec<Sp<Pass>>>>,
}

/// A CSV file, relative to the file that names it, or its rows as a list.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(
    dead_code,
    reason = "files are read into rows before the sections are read; this is the shape for editors"
)]
enum Table<T> {
    File(String),
    Rows(Vec<T>),
}

/// What holds from one moment of a trace until the next row.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TraceRow {
    /// Since the beginning of the run; the first row is at `0s`.
    pub(crate) at: Time,
    pub(crate) delay: Option<Delay>,
    /// Half the width of a uniform draw around the delay.
    pub(crate) jitter: Option<Delay>,
    pub(crate) loss: Option<Share>,
    pub(crate) rate: Option<Bits>,
    /// Whether packets pass at all. Default: they do.
    pub(crate) up: Option<bool>,
}

/// From acquisition to loss of signal, both since the beginning of the run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pass {
    pub(crate) aos: Time,
    pub(crate) los: Time,
}

/// Nodes of a service, and the kind that runs on them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    /// How many nodes in which region. Default: one in every region, or beside `nodes_of` all of them.
    pub(crate) nodes: Option<BTreeMap<Sp<String>, Sp<u32>>>,
    /// Another service whose nodes this one shares, instead of nodes of its own.
    pub(crate) nodes_of: Option<Sp<String>>,
}

/// Who sends, and what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Traffic {
    pub(crate) fleets: Option<Part>,
    /// Small readings of the harness's own, one per shard and region: resolution where assets are slow.
    pub(crate) probe: Option<Sp<Probe>>,
    /// What the stack carries, all fleets together: `plan` then prints how loaded the drill is. `wetdress capacity` finds it.
    pub(crate) capacity: Option<Capacity>,
    /// A reading that is acked later than this counts as not good. Default: `1s`.
    pub(crate) deadline: Option<Patience>,
    /// How many threads send: from 1 to 64; each has its share of the assets of every fleet. Default: one for every four cores, up to 8.
    pub(crate) threads: Option<Within<u32, 1, 64>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Probe {
    pub(crate) every: Option<Sp<Every>>,
    /// The service to probe. Default: the only one.
    pub(crate) of: Option<Sp<String>>,
}

/// A group of always-on sources.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fleet {
    /// A preset that the other keys are laid over.
    #[allow(
        dead_code,
        reason = "the profile is merged before the fleet is read; the field makes the key known"
    )]
    pub(crate) profile: Option<String>,
    pub(crate) driver: Option<Part>,
    /// How many sources.
    pub(crate) assets: Option<Sp<u32>>,
    /// Share of the assets per home region, 100 % in all. Default: equal shares over the regions of the service.
    pub(crate) home: Option<Sp<BTreeMap<Sp<String>, Share>>>,
    /// Where an asset goes, in this order, when its home does not answer. Default: every other region of the service.
    pub(crate) failover: Option<BTreeMap<Sp<String>, Vec<Sp<String>>>>,
    /// How long an asset stays away at least before it tries its home again, and over what time the fleet spreads its return.
    pub(crate) failback: Option<Failback>,
    /// The hop between an asset and its region.
    pub(crate) access: Option<Quality>,
    pub(crate) streams: Option<Sp<BTreeMap<Sp<String>, Stream>>>,
    /// How many times the nominal rate of its streams it sends, per phase. Default: `1x`.
    #[serde(default)]
    pub(crate) load: Vec<Sp<Shape>>,
    #[serde(default)]
    pub(crate) connection: Connection,
    #[serde(default)]
    pub(crate) recorder: Recorder,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failback {
    pub(crate) after: Option<Pause>,
    pub(crate) jitter: Option<Pause>,
}

/// One series of readings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stream {
    pub(crate) every: Option<Sp<Every>>,
    /// Where in the interval an asset sends. Default: `random`.
    pub(crate) phase: Option<StreamPhase>,
    /// Largest shift to either side of the grid; it does not add up.
    pub(crate) jitter: Option<Sp<Time>>,
    /// Size, envelope of 56 bytes included: `256B`, or `{p50: 450B, p99: 900B}`.
    pub(crate) payload: Option<Sp<Payload>>,
    /// Who waits for an answer. Default: `required`.
    pub(crate) ack: Option<Ack>,
}

/// A fixed size, or a log-normal one through two quantiles.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Payload {
    Fixed(Size),
    Spread(Spread),
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spread {
    pub(crate) p50: Size,
    pub(crate) p99: Size,
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let what = "a size such as `256B`, or `{p50: 450B, p99: 900B}`";
        deserializer.deserialize_any(Either { what, plain: Self::Fixed, mapping: Self::Spread })
    }
}

/// How an asset holds its connection.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Connection {
    /// Default: `5s`.
    pub(crate) connect_timeout: Option<Patience>,
    /// An attempt without an answer is Unknown after this long. Default: `1s`.
    pub(crate) request_timeout: Option<Patience>,
    #[serde(default)]
    pub(crate) backoff: Backoff,
    /// How many assets send over one connection, as behind a gateway. Default: 1, a connection of its own for each.
    pub(crate) shared_by: Option<std::num::NonZeroU32>,
    /// Unanswered readings of one asset. Default: 16.
    pub(crate) max_inflight: Option<std::num::NonZeroU16>,
    /// Failed attempts in a row before the asset moves on along its failover list. Default: 2.
    pub(crate) attempts: Option<std::num::NonZeroU16>,
}

/// Wait before the n-th try to connect: `min(base * factor^n, max)`, then jitter.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backoff {
    /// Default: `1s`.
    pub(crate) base: Option<Patience>,
    /// Default: 2.
    pub(crate) factor: Option<Sp<f64>>,
    /// Default: `60s`.
    pub(crate) max: Option<Sp<Patience>>,
    /// Default: `full`.
    pub(crate) jitter: Option<BackoffJitter>,
}

/// Store and forward on board.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorder {
    /// Default: `64MiB`.
    pub(crate) capacity: Option<Sp<Within<Size, 64, TIB>>>,
    /// Default: `drop_oldest`.
    pub(crate) on_full: Option<OnFull>,
    #[serde(default)]
    pub(crate) replay: Replay,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {
    /// Default: `live_first`.
    pub(crate) order: Option<ReplayOrder>,
    /// Replayed readings per reading of the nominal rate, on top of the live ones. Default: `5x`.
    pub(crate) rate: Option<Within<Times, 10, 1_000_000>>,
    /// Whether a replayed reading says so on the wire. Default: `stored`.
    pub(crate) mark: Option<Mark>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mark {
    Stored,
    Live,
}

/// Where an observer lives and what it shows; the other keys are its kind's own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Observer {
    pub(crate) name: Option<Sp<String>>,
    /// Default: the only one.
    pub(crate) service: Option<Sp<String>>,
    pub(crate) region: Option<Sp<String>>,
    /// Default: `log`.
    pub(crate) shows: Option<Shows>,
    /// Whether this one decides what was lost. Default: true for the first `log` of a service.
    pub(crate) of_record: Option<bool>,
    /// Whose readings must become visible there. Default: of the fleets that send to its service; where none does, of all.
    pub(crate) fleets: Option<Vec<Sp<String>>>,
}

/// One stretch of the timeline.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Phase {
    pub(crate) name: Option<Sp<String>>,
    #[serde(rename = "for")]
    pub(crate) lasts: Option<Sp<Length>>,
    /// Only for the last phase: sending stops and the phase lasts until everything is decided.
    pub(crate) until: Option<Sp<Until>>,
    /// The longest that `until` may take. Default: `2m`.
    pub(crate) max: Option<Sp<Length>>,
    /// Whether percentiles may be gated in it and a baseline taken from it. Outages and losses count in every phase. Default: true.
    pub(crate) measure: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Until {
    Quiesced,
}

/// When a fault opens and closes; beside these keys stands exactly one fault kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// Name in reports. Default: the kind, numbered where it stands more than once.
    pub(crate) id: Option<Sp<String>>,
    /// `phase` or `phase + 3s`.
    pub(crate) at: Option<Sp<String>>,
    /// A duration, or a phase at whose end the fault ends. Default: the phase in which it opens.
    #[serde(rename = "for")]
    pub(crate) lasts: Option<Sp<Lasts>>,
    /// Opens on an event instead of a time.
    pub(crate) when: Option<Sp<When>>,
    /// Targets named by role are looked up again when the role moves. Default: false.
    pub(crate) follow: Option<Sp<bool>>,
}

/// A duration such as `30s`, or the name of a phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lasts {
    Time(Length),
    Phase(String),
}

impl<'de> Deserialize<'de> for Lasts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Lasts;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a duration such as `30s`, or the name of a phase")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Lasts, E> {
                if text.starts_with(|c: char| c.is_ascii_digit()) {
                    return text.parse().map(Lasts::Time).map_err(Complaint::raise);
                }
                Ok(Lasts::Phase(text.to_owned()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Lasts, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Lasts, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Lasts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DurationOrPhase".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string"})
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct When {
    pub(crate) event: Option<Sp<EventName>>,
    /// For `role-changed`. Default: the role of the service that leads.
    pub(crate) role: Option<Sp<String>>,
    /// `service` or `service/shard`.
    pub(crate) of: Option<Sp<String>>,
    /// The phase in which the event counts. Default: any.
    pub(crate) within: Option<Sp<String>>,
    /// How long after the event. Default: `0s`.
    pub(crate) after: Option<Within<Time, 0, { 7 * DAY }>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EventName {
    RoleChanged,
    ProcessExited,
}

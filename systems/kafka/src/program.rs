//! How a node's Java machine is started.

use std::{collections::BTreeMap, ops::Deref, time::Duration};

use seams::{
    Command, Process, Timer,
    secure::Hidden,
    servers::{Requirement, Versions},
};

use crate::{
    lock::{self, Lock},
    properties,
    settings::{Heap, Timers, Version},
};

/// What `ci/install-servers` calls it.
const INSTALL: &str = "kafka";
/// Several Java machines on few processors.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(180);

/// What all nodes of a cluster start with.
pub(crate) struct Program<'a> {
    pub(crate) version: &'a Version,
    pub(crate) heap: Heap,
    pub(crate) cluster: String,
    pub(crate) eligible_leader_replicas: bool,
}

impl Program<'_> {
    /// The process `kafka` of a node: its disk is formatted before its first start.
    pub(crate) fn process(&self, mut server_properties: String, lock: Option<Lock>) -> Process {
        let server_file = match lock {
            None => properties::SERVER_FILE,
            Some(_) => properties::PRIVATE_SERVER_FILE,
        };
        let mut format = vec![
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            &self.cluster,
            "--config",
            server_file,
        ];
        if !self.eligible_leader_replicas {
            format.extend(["--feature", "eligible.leader.replicas.version=0"]);
        }
        let logging = format!("-Dlog4j2.configurationFile={}", properties::LOGGING_FILE);
        let mut command = self.java(&["kafka.Kafka", server_file]);
        command.args.insert(0, logging);
        let mut format = self.java(&format);
        let mut files: BTreeMap<_, _> =
            [(properties::LOGGING_FILE.to_owned(), properties::LOGGING.to_owned())].into();
        let mut private = BTreeMap::new();
        if let Some(lock) = lock {
            for (name, value) in &lock.properties {
                server_properties.push_str(&format!("{name}={value}\n"));
            }
            private = lock.private;
            private.insert(server_file.to_owned(), Hidden::new(server_properties));
            for user in lock.users {
                format.args.extend(["--add-scram".to_owned(), user]);
            }
            private.insert(properties::FORMAT_FILE.to_owned(), lock::arguments(&format.args));
            format.args = vec![format!("@{}", properties::FORMAT_FILE)];
        } else {
            files.insert(server_file.to_owned(), server_properties);
        }
        Process {
            name: "kafka".to_owned(),
            files,
            private,
            steps: vec![format],
            command,
            ..Process::default()
        }
    }

    fn java(&self, more: &[&str]) -> Command {
        let heap = format!("-Xmx{}m", self.heap.0 >> 20);
        let fixed = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"];
        let jars = format!("{{servers}}/kafka-{}/*", self.version.deref());
        let args = [heap.as_str()].into_iter().chain(fixed).chain([jars.as_str()]);
        let args = args.chain(more.iter().copied()).map(str::to_owned).collect();
        // Java says what it reads from the environment; a tester's own settings are not the node's.
        let env = [("JAVA_TOOL_OPTIONS", ""), ("JDK_JAVA_OPTIONS", "")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Command { program: "kafka-java".into(), args, env }
    }
}

/// Java, and the jars of this version.
pub(crate) fn requirements(version: &Version) -> Vec<Requirement> {
    let jar = format!("kafka-{version}/kafka_2.13-{version}.jar");
    let java = Versions { ask: &["-version"], from: (17, 0), to: (99, 0) };
    vec![
        Requirement::program("kafka-java", INSTALL).with_versions(java),
        Requirement::program(jar, INSTALL),
    ]
}

/// The timers of a profile, one of which bounds how soon somebody takes over.
pub(crate) fn timers(profile: Timers, bounding: &str) -> Vec<Timer> {
    let timer = |(name, value): (&str, Duration)| Timer {
        name: name.to_owned(),
        value,
        bounds_failover: name == bounding,
    };
    properties::timers(profile).into_iter().map(timer).collect()
}

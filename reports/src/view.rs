//! What reports may see, and where they write.

use std::{fs, io, path::Path};

use findings::{Findings, Verdicts};
use model::{Event, Plan, ServiceId};
use run::Loaded;

/// One run, read from its folder.
#[derive(Clone, Copy, Debug)]
pub struct RunView<'a> {
    /// The run as its folder holds it: plan, events, and, when asked for, ledger and sightings.
    pub run: &'a Loaded,
    pub findings: &'a Findings,
    pub judgement: &'a Verdicts,
}

impl<'a> RunView<'a> {
    pub(crate) fn plan(&self) -> &'a Plan {
        &self.run.plan
    }

    /// For the logs and captures.
    pub(crate) fn folder(&self) -> &'a Path {
        self.run.folder.path()
    }

    /// Services and the version that each told when it was ready; empty when none ever answered.
    pub(crate) fn servers(&self) -> impl Iterator<Item = (&'a ServiceId, &'a str)> {
        self.run.events.iter().filter_map(|record| match &record.event {
            Event::ServiceReady { service, version } => Some((service, version.as_str())),
            _ => None,
        })
    }

    /// `store: reference 0.1.0, locks: etcd 3.4.23`.
    pub(crate) fn stack(&self) -> String {
        let versions = self.servers().map(|(service, version)| format!("{service}: {version}"));
        versions.collect::<Vec<_>>().join(", ")
    }

    /// How packets travelled.
    pub(crate) fn engine(&self) -> Option<(&'a str, &'a [String])> {
        self.run.events.iter().find_map(|record| match &record.event {
            Event::LabOpened { engine, notes, .. } => Some((engine.as_str(), notes.as_slice())),
            _ => None,
        })
    }

    /// `packets/3-cut-a-b.pcapng, packets/5-loss-b-c.pcapng`: captures around the effects of faults, by name; None where there are none.
    pub(crate) fn packets(&self) -> Option<String> {
        let files = fs::read_dir(self.folder().join("packets")).ok()?.filter_map(Result::ok);
        let names = files
            .map(|file| file.file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".pcapng"));
        let mut names: Vec<String> = names.map(|name| format!("packets/{name}")).collect();
        names.sort();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Service and what its client does by itself.
    pub(crate) fn policies(&self) -> Vec<(String, String)> {
        let policies = self.run.events.iter().filter_map(|record| match &record.event {
            Event::ClientPolicy { service, policy } => Some((service.to_string(), policy.clone())),
            _ => None,
        });
        policies.collect()
    }
}

/// Where a report's files go.
pub trait Folder {
    /// Writes a file; `name` may have folders in it.
    fn put(&mut self, name: &str, content: &[u8]) -> io::Result<()>;
}

/// The run's own folder.
impl Folder for &Path {
    fn put(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let path = self.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        // A reader never sees half a report.
        let part = path.with_extension("part");
        fs::write(&part, content)?;
        fs::rename(part, path)
    }
}

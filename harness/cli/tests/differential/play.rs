//! The drill in the pretend lab, by the binary itself.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use model::Lever;
use plan::Catalogs;
use seams::Lab;

use crate::{
    catalogs, draw,
    fixtures::{self, Fixture},
};

/// What all drills share.
pub(crate) struct Stage {
    pub(crate) catalogs: Catalogs,
    /// What the pretend lab can do.
    pub(crate) offers: Vec<Lever>,
    /// By seed.
    pub(crate) fixtures: BTreeMap<u64, Fixture>,
    folder: PathBuf,
}

/// A drill that came to its end.
pub(crate) struct Played {
    folder: PathBuf,
    keep: std::cell::Cell<bool>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let lab = pretend::Pretend::new(model::Topology::default(), 0);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime without anything can be built");
        let offers = runtime.block_on(lab.offers()).into_iter().collect();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("differential");
        let fixtures = fixtures::read();
        Self { catalogs: catalogs::catalogs(), offers, fixtures, folder }
    }

    pub(crate) fn play(&self, seed: u64, drill: &draw::Drill) -> Result<Played, String> {
        let folder = self.folder.join(format!("seed-{seed}"));
        // What an earlier round kept would only mislead.
        let _absent = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("the target's own folder can be written");
        let scenario = folder.join("drill.yaml");
        std::fs::write(&scenario, draw::text(&drill.scenario)).expect("the scenario is written");
        let output = Command::new(env!("CARGO_BIN_EXE_wetdress"))
            .args(["run", "--json", "--runs"])
            .args([&folder, &scenario])
            .output()
            .expect("the binary runs");
        match output.status.code() {
            Some(0..=2) => Ok(Played { folder, keep: false.into() }),
            code => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(format!("exit {code:?}, kept in {}: {said}", folder.display()))
            }
        }
    }
}

impl Played {
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.join("latest")
    }

    /// Keeps the folder, and says where it is.
    pub(crate) fn keep(&self) -> String {
        self.keep.set(true);
        self.folder.display().to_string()
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        if !self.keep.get() {
            let _left_for_the_next_round = std::fs::remove_dir_all(&self.folder);
        }
    }
}

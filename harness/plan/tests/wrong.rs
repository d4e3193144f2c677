//! Scenarios that must be refused, each with the message that it gets.

mod kinds;

use std::{fs, path::PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/wrong")
}

#[test]
fn every_wrong_scenario_is_refused_with_its_message() {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .expect("the folder is part of the project")
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    assert!(files.len() >= 25, "{} kinds of mistake", files.len());
    for path in files {
        let name = path.file_stem().expect("files have names").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("readable");
        let Err(mistakes) =
            wetdress_plan::load(&text, &path.display().to_string(), &kinds::catalogs())
        else {
            panic!("{name} was accepted");
        };
        // Where the project lies is not part of the message.
        let shown = mistakes.render(false).replace(&format!("{}/", folder().display()), "");
        insta::with_settings!({snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(name, shown);
        });
    }
}

#[test]
fn ten_mistakes_give_ten_messages_at_ten_places() {
    let path = folder().join("ten-mistakes.yaml");
    let text = fs::read_to_string(&path).expect("readable");
    let mistakes = wetdress_plan::load(&text, "ten.yaml", &kinds::catalogs())
        .expect_err("it has ten mistakes");
    let list = mistakes.list();
    assert_eq!(list.len(), 10, "{mistakes}");
    let mut places: Vec<(u32, u32)> =
        list.iter().map(|mistake| (mistake.line, mistake.column)).collect();
    places.dedup();
    assert_eq!(places.len(), 10);
    assert!(
        list.iter().all(|mistake| mistake.help.is_some()
            || !mistake.meant.is_empty()
            || mistake.code == "range"),
        "{mistakes}"
    );
}

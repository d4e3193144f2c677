//! Exit codes are those of the table, whatever is asked: no panic reaches a user.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
};

use crate::stage::{Copy, FAILS, code, scenario, temporary, wetdress, words};

const TABLE: [i32; 8] = [0, 1, 2, 3, 4, 5, 64, 130];

/// Every command with every kind of argument that nobody should give.
#[test]
fn every_exit_code_is_one_of_the_table() {
    let kept = temporary();
    let path = |name: &[u8]| kept.path().join(OsStr::from_bytes(name)).into_os_string();
    let (nothing, folder, empty) = (path(b"nothing"), path(b"folder"), path(b"empty"));
    let (strange, noise, link) = (path(b"strange\xff"), path(b"noise"), path(b"link"));
    fs::create_dir(&folder).expect("a new folder");
    fs::write(&empty, "").expect("a file");
    fs::write(&strange, FAILS).expect("a file");
    fs::write(&noise, [0xff, 0xfe, 0, 1]).expect("a file");
    symlink("link", &link).expect("a link to itself");
    let hostile: [OsString; 9] = [
        nothing,
        folder,
        empty,
        strange,
        noise,
        link,
        "".into(),
        OsString::from("x".repeat(5_000)),
        OsStr::from_bytes(b"\xff\xfe").to_owned(),
    ];
    let commands: [&[&str]; 17] = [
        &[],
        &["check"],
        &["check", "--json", "--stack"],
        &["check", "--seed"],
        &["plan"],
        &["plan", "--expand"],
        &["run", "--runs", "/dev/null"],
        &["run", "--json", "--runs", "/dev/null"],
        &["run", "nothing.yaml", "--lab"],
        &["judge"],
        &["judge", "--on-inconclusive", "warn"],
        &["report"],
        &["report", ".", "--format"],
        &["explain"],
        &["list"],
        &["schema"],
        &["--color"],
    ];
    for given in &hostile {
        for command in commands {
            let said = wetdress(command).arg(given).output().expect("the binary starts");
            let words = words(&said);
            assert!(TABLE.contains(&code(&said)), "{command:?} {given:?}: {words}");
            assert!(
                !words.contains("panicked") && !words.contains("mistake in wetdress"),
                "{words}"
            );
            assert!(!words.is_empty(), "{command:?} {given:?} says something");
        }
    }
}

#[test]
fn paths_are_bytes() {
    let kept = temporary();
    let folder = kept.path().join(OsStr::from_bytes(b"d\xff"));
    fs::create_dir(&folder).expect("a new folder");
    let (file, runs) = (folder.join("x.yaml"), folder.join("runs"));
    let check = || wetdress(["check".as_ref(), file.as_os_str()]).output().expect("it starts");
    let missing = check();
    assert_eq!(code(&missing), 64, "{}", words(&missing));
    fs::write(&file, FAILS).expect("a file");
    let read = check();
    assert_eq!(code(&read), 0, "{}", words(&read));
    for more in [&[][..], &["--json"]] {
        let ran = wetdress(["run".as_ref(), file.as_os_str(), "--runs".as_ref(), runs.as_os_str()])
            .args(more)
            .output()
            .expect("it starts");
        assert_eq!(code(&ran), 1, "{}", words(&ran));
    }
    let latest = runs.join("latest");
    for verb in ["judge", "report"] {
        let said = wetdress([verb.as_ref(), latest.as_os_str()]).output().expect("it starts");
        assert_eq!(code(&said), i32::from(verb == "judge"), "{}", words(&said));
    }
}

#[test]
fn a_report_that_does_not_exist_is_wrong_usage() {
    let copy = Copy::new();
    let folder = copy.file("");
    let said = wetdress(["report".as_ref(), folder.as_os_str()])
        .args(["--format", "html,junt"])
        .output()
        .expect("it starts");
    assert_eq!(code(&said), 64, "{}", words(&said));
    for part in ["no report `junt`", "did you mean `junit`", "html, json, junit"] {
        assert!(words(&said).contains(part), "{part}: {}", words(&said));
    }
}

#[test]
fn runs_that_is_a_file_is_wrong_usage() {
    let (_kept, file, runs) = scenario(FAILS);
    fs::write(&runs, "").expect("a file");
    let said = wetdress(["run".as_ref(), file.as_os_str(), "--runs".as_ref(), runs.as_os_str()])
        .output()
        .expect("it starts");
    assert_eq!(code(&said), 64, "{}", words(&said));
    assert!(words(&said).contains("`--runs` takes a folder"), "{}", words(&said));
}

/// Somebody's own folder of that name.
#[test]
fn a_run_goes_on_where_latest_is_no_link() {
    let (_kept, file, runs) = scenario(FAILS);
    let mine = runs.join("latest/mine");
    fs::create_dir_all(&mine).expect("a new folder");
    let said = wetdress(["run".as_ref(), file.as_os_str(), "--runs".as_ref(), runs.as_os_str()])
        .output()
        .expect("it starts");
    assert_eq!(code(&said), 1, "{}", words(&said));
    assert!(words(&said).contains("left as it is"), "{}", words(&said));
    assert!(mine.is_dir());
}

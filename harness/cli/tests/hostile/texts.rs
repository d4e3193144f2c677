//! What is no scenario at all, or hardly one.

use crate::{DRILL, catalogs::catalogs, mistakes, refused};

#[test]
fn nothing_is_told_to_be_nothing() {
    let needs = "A scenario needs `scenario: name`, a `stack` and `traffic`";
    for (text, words) in [
        ("", "the file is empty"),
        ("# a comment\n\n", "the file is empty"),
        ("---\n", "a scenario is a mapping"),
        ("null\n", "a scenario is a mapping"),
        ("word\n", "a scenario is a mapping"),
        ("\"\"\n", "a scenario is a mapping"),
        ("[a]\n", "a scenario is a mapping"),
    ] {
        let told = mistakes(text);
        let [only] = &told[..] else { panic!("{text:?}: {told:?}") };
        assert!(only.contains(words) && only.contains(needs), "{text:?}: {only}");
    }
}

#[test]
fn a_byte_order_mark_is_fine_and_control_characters_are_not() {
    assert_eq!(mistakes(&format!("\u{feff}{}", DRILL.trim_start())), Vec::<String>::new());
    let told = mistakes(&DRILL.replace("scenario: hostile", "scenario: x\nsummary: \"\\e[2J\""));
    assert!(told.join("\n").contains("the control character U+001B"), "{told:?}");
}

#[test]
fn names_are_plain_letters() {
    let rule = "Names begin with a letter and have at most 63 letters, digits";
    for (piece, by) in [
        ("{a: {}", "{ä: {}"),
        ("{a: {}", "{a: {zones: [ä]}"),
        ("{store:", "{störe:"),
        ("    t:", "    ţ:"),
        ("{s: {", "{š: {"),
        ("name: baseline", "name: bäseline"),
    ] {
        assert!(DRILL.contains(piece));
        let told = mistakes(&DRILL.replacen(piece, by, 1)).join("\n");
        assert!(told.contains(rule), "{by}: {told}");
    }
}

#[test]
fn a_huge_value_is_not_echoed() {
    let long = "x".repeat(3 << 20);
    let text = DRILL.replace("every: 1s", &format!("every: {long}"));
    let mistakes = plan::load(&text, "long.yaml", &catalogs()).expect_err("it is no duration");
    let [only] = &mistakes.list()[..] else { panic!("{} mistakes", mistakes.count()) };
    assert!(only.message.len() < 200, "{}", only.message.len());
    assert!(mistakes.render(false).len() < 10_000);
    let text = DRILL.replace(
        "scenario: hostile",
        &format!("scenario: hostile\nsummary: {}", "x".repeat(5 << 20)),
    );
    let mistakes = plan::load(&text, "long.yaml", &catalogs()).expect_err("it is too long");
    assert!(mistakes.to_string().contains("it is larger than 4 MiB"), "{mistakes}");
    refused("every: 1s", &format!("every: 1{}s", "0".repeat(300)), "", &["…", "too large"]);
    refused(
        "scenario: hostile",
        &format!("scenario: hostile\nseed: 1{}", "0".repeat(300)),
        "",
        &["…"],
    );
}

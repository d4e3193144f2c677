//! Today's exceptions. They may only shrink.

use std::collections::BTreeMap;

use crate::{Check, Offence};

pub(crate) const LIST: &str = include_str!("ratchet.txt");

/// Check, place and size of each line; `#` begins a comment.
pub(crate) fn read(list: &str) -> Vec<(&str, &str, usize)> {
    let lines =
        list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let read = |line| -> Option<(&str, &str, usize)> {
        let (check, rest) = str::split_once(line, ' ')?;
        let (size, place) = rest.trim_start().split_once(' ')?;
        Some((check, place.trim(), size.parse().ok()?))
    };
    lines
        .map(|line| read(line).unwrap_or_else(|| panic!("`{line}` is no `CHECK SIZE PLACE`")))
        .collect()
}

/// What has grown, what is new, and which lines are no longer needed, each with what to do.
pub(crate) fn complaints(offences: &[Offence], listed: &[(&str, &str, usize)]) -> Vec<String> {
    let allowed: BTreeMap<(&str, &str), usize> =
        listed.iter().map(|(check, place, size)| ((*check, *place), *size)).collect();
    let mut said = vec![];
    for Offence { check, place, size } in offences {
        let (name, reason) = (check.name(), check.reason());
        match allowed.get(&(name, place.as_str())) {
            None => said.push(format!("{name} {size} {place}: {reason}")),
            Some(was) if size > was => said.push(format!(
                "{name} {size} {place}: it may shrink from {was}, it must not grow; {reason}"
            )),
            Some(_) => {}
        }
    }
    let there = |(check, place): &(&str, &str)| {
        offences.iter().any(|o: &Offence| o.check.name() == *check && o.place == *place)
    };
    let gone = allowed.keys().filter(|line| !there(line));
    said.extend(gone.map(|(check, place)| {
        format!("{check} {place}: within the limit now; remove its line from ratchet.txt")
    }));
    said
}

#[test]
fn growing_and_new_ones_fail_and_shrinking_asks_for_the_line() {
    let offence = |place: &str, size| Offence { check: Check::File, place: place.to_owned(), size };
    let listed = read("# today\nfile 500 old.rs\n\nfile 480 gone.rs\n");
    let said = complaints(&[offence("old.rs", 501), offence("new.rs", 460)], &listed);
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].contains("it may shrink from 500, it must not grow"), "{said:?}");
    assert!(said[1].starts_with("file 460 new.rs: a file of more than 450 lines"), "{said:?}");
    assert_eq!(said[2], "file gone.rs: within the limit now; remove its line from ratchet.txt");
    let same = [offence("old.rs", 499), offence("gone.rs", 480)];
    assert_eq!(complaints(&same, &listed), Vec::<String>::new(), "smaller, and still over it");
}

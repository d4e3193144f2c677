//! Events are stored one per line, and read back as they were.

use wetdress_model::{
    End, Event, LabEvent, Lever, Link, Micros, Record,
    event::{HealedBy, Health, LocalError, Place},
};

fn node(name: &str) -> End {
    End::Node(name.into())
}

#[test]
fn what_a_lab_noticed_survives_its_line() {
    let link = || Link::new(node("a"), node("b"));
    let (node_id, process) = ("a".into(), "store".to_owned());
    let told = [
        LabEvent::InForce { revision: 3 },
        LabEvent::Hit {
            lever: Lever::Silence,
            at: Place::Cell("west/assets".into()),
            count: 7,
            first: Micros(5),
            established: 0,
        },
        LabEvent::Canary { link: link(), passed: false },
        LabEvent::Healed { link: link(), by: HealedBy::Canary },
        LabEvent::CannotDo { lever: Lever::DiskFull, end: node("a"), why: "no".to_owned() },
        LabEvent::ProcessStarted { node: node_id, process: process.clone() },
        LabEvent::ProcessExited {
            node: "a".into(),
            process,
            status: "signal 9".into(),
            asked: true,
        },
        LabEvent::Standstill { from: Micros(-1), to: Micros(4_000_000) },
        LabEvent::DiskStalled { from: Micros(7), to: Micros(900_000) },
    ];
    for (number, told) in (0..).zip(told) {
        let record = Record { number, at: Micros(-4), event: Event::Lab(told) };
        let line = serde_json::to_string(&record).expect("plain data");
        assert!(line.contains(r#""what":"lab""#), "{line}");
        let back: Record = serde_json::from_str(&line).expect("it was just written");
        assert_eq!(back, record);
    }
}

/// An older journal knows nothing of refusals of the machine, and says so by their absence.
#[test]
fn refusals_of_the_machine_are_stored_by_name() {
    let told =
        Health { local_errors: [(LocalError::TooManyOpenFiles, 312)].into(), ..Health::default() };
    let line = serde_json::to_value(&told).expect("plain data");
    assert_eq!(line["local_errors"], serde_json::json!({"too_many_open_files": 312}));
    let mut older = line.clone();
    older.as_object_mut().expect("a mapping").remove("local_errors");
    let read = |value| serde_json::from_value::<Health>(value).expect("it was just written");
    assert_eq!((read(line), read(older).local_errors), (told, [].into()));
}

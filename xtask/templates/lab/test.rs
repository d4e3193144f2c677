//! What a scenario may write for the lab, and that one gets in and out.

use std::{path::PathBuf, sync::Arc};

use document::{Ids, Problems, SourceId, parse};
use model::Topology;
use seams::{Ended, LabSetup};
use wetdress_MODULE::LAB;

#[test]
fn every_kind() {
    let (mut ids, mut problems) = (Ids::default(), Problems::new());
    let node = parse(LAB.example, SourceId(0), &mut ids, &mut problems).expect("it is YAML");
    let params = (LAB.read)(&node, &mut problems).expect("the example is read");
    assert_eq!(problems, []);
    let topology = Arc::new(Topology::default());
    let setup = LabSetup { params, topology, seed: 1, folder: PathBuf::new() };
    let body = |entered: Result<seams::Entered, seams::LabError>| async move {
        let entered = entered.expect("the lab was made");
        assert!(entered.lab.offers().await.is_empty(), "nothing that is not proven");
        entered.lab.close().await;
        7
    };
    let ended = LAB.make.enter(setup, Box::new(|entered| Box::pin(body(entered))));
    assert_eq!(ended.expect("everybody gets in"), Ended::Returned(7));
}

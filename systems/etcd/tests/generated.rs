//! The checked-in client code is what the checked-in protos say, made without protoc.
//! `WETDRESS_BLESS=1 cargo test -p wetdress-etcd --test generated` writes it anew.

use std::path::Path;

const MEND: &str = "WETDRESS_BLESS=1 cargo test -p wetdress-etcd --test generated";

#[test]
fn generated_code_is_fresh() {
    let room = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fresh = tempfile::tempdir().expect("a folder for the fresh code");
    let protos = protox::compile(["rpc.proto"], [room.join("proto")]).expect("the protos compile");
    tonic_prost_build::configure()
        .build_server(false)
        .build_transport(false)
        .bytes(".etcdserverpb.PutRequest")
        .out_dir(fresh.path())
        .compile_fds(protos)
        .expect("code is generated");

    for name in ["etcdserverpb.rs", "mvccpb.rs"] {
        let new = std::fs::read_to_string(fresh.path().join(name)).expect("it was just made");
        let kept = room.join("src/generated").join(name);
        if std::env::var_os("WETDRESS_BLESS").is_some() {
            std::fs::write(&kept, &new).expect("the room can be written");
        }
        let old = std::fs::read_to_string(&kept).unwrap_or_default();
        assert!(old == new, "{} differs from its proto; mend it with\n  {MEND}", kept.display());
    }
}

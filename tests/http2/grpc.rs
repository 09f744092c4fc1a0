//! gRPC's own client and server.

use super::programs::Program;
use super::support::origin::unused_address;
use super::{Route, Way, expected, found};

const STEPS: [&str; 11] = [
    "unary", "metadata", "packed", "streams", "turns", "large", "errors", "cancel", "deadline",
    "together", "unary",
];

fn exercise(is_encrypted: bool) {
    let (way, server) = (Way::new(), Program::grpc(is_encrypted));
    way.compare("grpc_client.py", &server, &STEPS);
    // On both routes.
    for line in ["waiting", "cancelled"] {
        server.wait_for_lines(&format!("{line} cancel"), 2);
    }
    // Two calls as they are, one in gzip.
    let views = ["grpc>protobuf", "grpc>protobuf", "grpc>gzip>protobuf"];
    let both = views.map(|view| [("outbound", view), ("inbound", view)]).concat();
    assert_eq!(found(&way.proxy.settled_findings(), &server), expected(&both));
}

#[test]
fn grpc_over_tls_sees_no_difference() {
    exercise(true);
}

#[test]
fn grpc_without_tls_sees_no_difference() {
    exercise(false);
}

#[test]
fn grpc_is_told_of_a_server_that_is_not_reached() {
    let way = Way::new();
    let base = format!("https://localhost:{}", unused_address().port());
    let shown = way.play("grpc_client.py", Route::Proxied, &base, &["unreachable"]);
    assert!(shown.starts_with("unreachable UNAVAILABLE ") && shown.contains("502"), "{shown}");
}

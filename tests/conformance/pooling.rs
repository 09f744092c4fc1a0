//! Idle upstream connections and the origins that end them.

use super::support::{Origin, Proxy, Reply, json};

fn connections_for_two_requests(keep_alive: &'static str) -> usize {
    let origin = Origin::http(move |_| Reply::with("200 OK", keep_alive, "hello"));
    let proxy = Proxy::start(json!({}));
    for _ in 0..2 {
        assert_eq!(proxy.get(&origin.url("/")).text(), "hello");
    }
    origin.connections()
}

#[test]
fn an_origin_that_waits_a_second_only_gets_a_connection_a_request() {
    assert_eq!(connections_for_two_requests("Keep-Alive: timeout=1\r\n"), 2);
    assert_eq!(connections_for_two_requests("Keep-Alive: timeout=60, max=100\r\n"), 1);
    assert_eq!(connections_for_two_requests(""), 1);
}

//! `/metrics`: read by a parser of the format, and held against traffic that was made for it.

use openmetrics_parser::{openmetrics, prometheus};

use crate::cause_finding;
use crate::support::{Connection, Origin, Proxy, Reply, json, tls, wait_until};

/// The page in Prometheus's own text format.
pub fn page(proxy: &Proxy) -> String {
    let answer = proxy.admin("/metrics");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    answer.text()
}

/// The value of the sample whose line begins so.
pub fn value(page: &str, sample: &str) -> f64 {
    let line = page.lines().find(|line| line.starts_with(sample));
    let line = line.unwrap_or_else(|| panic!("no {sample} in\n{page}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[test]
fn traffic_is_counted_by_what_it_was() {
    let origin = Origin::http(|_| Reply::ok("answer"));
    let proxy = Proxy::start(json!({"admin_addr": "127.0.0.1:0"}));
    cause_finding(&proxy, &origin);
    let unused = crate::support::origin::unused_address();
    assert_eq!(proxy.get(&format!("http://{unused}/")).status(), 502);
    let page = page(&proxy);
    let is = |sample: &str, expected: f64| assert_eq!(value(&page, sample), expected, "{sample}");
    is("clawsec_requests_total{core=\"0\"}", 2.0);
    is("clawsec_connections_total{core=\"0\"}", 2.0);
    is(
        "clawsec_findings_total{pattern=\"unix_sensitive\",direction=\"outbound\",severity=\"medium\"}",
        1.0,
    );
    is("clawsec_upstream_errors_total{core=\"0\",kind=\"connection_refused\"}", 1.0);
    is("clawsec_request_duration_seconds_count{core=\"0\"}", 1.0);
    is("clawsec_request_duration_seconds_bucket{core=\"0\",le=\"+Inf\"}", 1.0);
    is("clawsec_workers ", 1.0);
    is("clawsec_workers_stalled ", 0.0);
    is("clawsec_ready ", 1.0);
    is("clawsec_findings_write_failing ", 0.0);
    assert!(value(&page, "clawsec_ca_not_after_seconds ") > 1.8e9);
    is("clawsec_findings_dropped_total{core=\"0\"}", 0.0);
    is("clawsec_finding_queue_length ", 0.0);
    assert!(value(&page, "clawsec_bytes_total{core=\"0\",direction=\"inbound\"}") > 6.0);
    assert!(value(&page, "clawsec_bytes_total{core=\"0\",direction=\"outbound\"}") > 10.0);
    assert!(value(&page, "clawsec_scanned_bytes_total{core=\"0\"}") > 10.0);
    assert!(value(&page, "clawsec_scan_duration_seconds_count{core=\"0\"}") >= 1.0);
    assert!(value(&page, "process_resident_memory_bytes ") > 1e6);
    assert!(value(&page, "process_start_time_seconds ") > 1.7e9);
    let took = value(&page, "clawsec_request_duration_seconds_sum{core=\"0\"}");
    assert!((0.0..60.0).contains(&took), "{took}");
}

/// One scan in 64 is timed: of 256 messages four, and of the two heads at most one.
#[test]
fn scans_of_websocket_messages_are_timed() {
    const MESSAGE: &[u8] = b"\x81\x02hi";
    let origin = Origin::raw(|mut connection| {
        connection.receive_head();
        connection.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        );
        connection.send(MESSAGE.repeat(256));
        connection.receive_to_end();
    });
    let dest = origin.dest();
    let proxy = Proxy::start(json!({"admin_addr": "127.0.0.1:0"}));
    let mut client = proxy.connect();
    client.send(format!(
        "GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ));
    assert_eq!(client.receive_head().start, "HTTP/1.1 101 Switching Protocols");
    client.receive_exact(256 * MESSAGE.len());
    let timed = || value(&page(&proxy), "clawsec_scan_duration_seconds_count{core=\"0\"}");
    wait_until("the messages' scans in the histogram", || timed() >= 4.0);
}

#[test]
fn handshakes_and_the_leaf_cache_are_counted() {
    let origin = Origin::https(tls::server(tls::Shown::Valid), |_| Reply::ok(""));
    let proxy = Proxy::start(json!({"admin_addr": "127.0.0.1:0"}));
    for _ in 0..2 {
        let mut client = proxy.https(&origin.local_dest());
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(client.receive_response().status(), 200);
    }
    let page = page(&proxy);
    assert_eq!(value(&page, "clawsec_handshakes_total{core=\"0\",side=\"client\"}"), 2.0);
    assert_eq!(value(&page, "clawsec_leaf_cache_total{core=\"0\",result=\"miss\"}"), 1.0);
    assert_eq!(value(&page, "clawsec_leaf_cache_total{core=\"0\",result=\"hit\"}"), 1.0);
}

#[test]
fn every_core_has_its_own_rows_and_open_connections_are_a_level() {
    let proxy = Proxy::start(json!({"admin_addr": "127.0.0.1:0", "workers": 2}));
    let open = |page: &str| -> f64 {
        (0..2)
            .map(|core| value(page, &format!("clawsec_connections_open{{core=\"{core}\"}}")))
            .sum()
    };
    let held: Vec<Connection> = (0..4).map(|_| proxy.connect()).collect();
    wait_until("four open connections", || open(&page(&proxy)) == 4.0);
    drop(held);
    wait_until("none", || open(&page(&proxy)) == 0.0);
    assert_eq!(value(&page(&proxy), "clawsec_workers "), 2.0);
}

#[test]
fn both_formats_are_read_by_a_parser() {
    let origin = Origin::http(|_| Reply::ok(""));
    let proxy = Proxy::start(json!({"admin_addr": "127.0.0.1:0"}));
    cause_finding(&proxy, &origin);
    let text = page(&proxy);
    let parsed = prometheus::parse_prometheus(&text).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    assert!(parsed.families.contains_key("clawsec_requests_total"), "{text}");
    let mut client = Connection::open(proxy.admin_address());
    client.send(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\
         Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n",
    );
    let answer = client.receive_response();
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = answer.text();
    let parsed = openmetrics::parse_openmetrics(&text).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    let durations = &parsed.families["clawsec_request_duration_seconds"];
    assert_eq!(durations.help, "From the decision about a request to the last byte of its answer");
}

//! Pages in a browser can reach 127.0.0.1: the gateway lets only those of `gateway_allowed_origins` in.

use serde_json::{Value, json};

use crate::support::{Origin, Proxy, Reply, Response};

fn ask(proxy: &Proxy, fields: &str) -> Response {
    let mut client = proxy.connect_gateway();
    client.send(format!("GET /api HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n"));
    client.receive_response()
}

fn gateway(allowed: Value) -> (Origin, Proxy) {
    let origin = Origin::http(|_| Reply::ok("from the gateway"));
    let proxy = Proxy::start(json!({
        "gateway_target_port": origin.address.port(),
        "gateway_allowed_origins": allowed,
    }));
    (origin, proxy)
}

#[test]
fn by_default_pages_of_this_machine_and_requests_of_no_page_pass() {
    let (origin, proxy) = gateway(Value::Null);
    let allowed = [
        "",
        "Origin: http://localhost\r\n",
        "Origin: https://localhost:3000\r\n",
        "ORIGIN: http://127.0.0.1:18790\r\n",
        "Origin: http://[::1]:8080\r\n",
    ];
    for fields in allowed {
        assert_eq!(ask(&proxy, fields).text(), "from the gateway", "{fields}");
    }
    assert_eq!(origin.requests().len(), allowed.len());
}

#[test]
fn other_pages_are_refused_and_nothing_reaches_the_gateway() {
    let (origin, proxy) = gateway(Value::Null);
    let websocket = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for fields in [
        "Origin: https://evil.example\r\n",
        "origin: http://localhost.evil.example\r\n",
        "Origin: null\r\n",
        "Origin:\r\n",
        "Origin: http://localhost\r\nOrigin: https://evil.example\r\n",
        &format!("Origin: https://evil.example\r\n{websocket}"),
    ] {
        let response = ask(&proxy, fields);
        assert_eq!(response.status(), 403, "{fields}");
        assert_eq!(response.json()["error"], "http_request_denied", "{fields}");
        let status = response.header("proxy-status").unwrap();
        assert!(status.contains("error=http_request_denied"), "{status}");
    }
    assert_eq!(origin.connections(), 0);
    proxy.wait_for_log(&["gateway_allowed_origins", "Origin"]);
}

#[test]
fn who_is_refused_is_told_which_page_and_which_setting() {
    let (_origin, proxy) = gateway(Value::Null);
    let long = format!("https://{}.example", "a".repeat(200));
    for (origin, shown) in [
        ("https://app.example:8443", "Origin https://app.example:8443"),
        ("null", "Origin null"),
        (&long, &format!("{}...", &long[..128])),
        // What is no origin might be anything.
        ("app.example\t[2J", "Origin is none of a page"),
    ] {
        let response = ask(&proxy, &format!("Origin: {origin}\r\n"));
        assert_eq!(response.status(), 403, "{origin}");
        let detail = response.json()["detail"].as_str().unwrap().to_owned();
        let named = detail.ends_with(shown) && detail.contains("gateway_allowed_origins");
        assert!(named, "{origin}: {detail}");
        proxy.wait_for_log(&["gateway_allowed_origins", shown]);
    }
    let app = "https://app.example:8443";
    let (_origin, proxy) = gateway(json!([app]));
    assert_eq!(ask(&proxy, &format!("Origin: {app}\r\n")).status(), 200);
}

/// Browsers send no Origin with what an `<img>`, a `<script>`, a link or a form's GET asks for.
#[test]
fn what_other_pages_make_a_browser_get_without_origin_is_refused() {
    let (origin, proxy) = gateway(Value::Null);
    for (fields, shown) in [
        ("Sec-Fetch-Site: cross-site\r\n", "did not say which"),
        ("sec-fetch-site: same-site\r\nsec-fetch-site: cross-site\r\n", "did not say which"),
        (
            "Sec-Fetch-Site: Cross-Site\r\nReferer: https://evil.example/?x\r\n",
            "(https://evil.example)",
        ),
        (
            "Sec-Fetch-Site: cross-site\r\nReferer: http://localhost@evil.example/\r\n",
            "did not say which",
        ),
        ("Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n", "did not say which"),
    ] {
        let response = ask(&proxy, fields);
        assert_eq!(response.status(), 403, "{fields}");
        let detail = response.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(shown) && detail.contains("gateway_allowed_origins"), "{detail}");
    }
    assert_eq!(origin.connections(), 0);
    let own = [
        "Sec-Fetch-Site: none\r\n",
        "Sec-Fetch-Site: same-origin\r\n",
        "Sec-Fetch-Site: same-site\r\nReferer: http://localhost:3000/app\r\n",
        // Its page keeps its address back, and can only be one of 127.0.0.1.
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: cross-site\r\nReferer: http://[::1]:3000?x\r\n",
        "Sec-Fetch-Mode: cors\r\n",
    ];
    for fields in own {
        assert_eq!(ask(&proxy, fields).status(), 200, "{fields}");
    }
    assert_eq!(origin.requests().len(), own.len());
    let named = "Sec-Fetch-Site: cross-site\r\nReferer: https://app.example/\r\n";
    for (allowed, fields, status) in [
        (json!(["https://app.example"]), named, 200),
        (json!(["https://app.example"]), "Sec-Fetch-Site: cross-site\r\n", 403),
        (json!(["https://app.example"]), "Sec-Fetch-Site: same-site\r\n", 403),
        (json!(["http://127.0.0.1:3000"]), "Sec-Fetch-Site: same-site\r\n", 403),
        (json!(["*"]), "Sec-Fetch-Site: cross-site\r\n", 200),
    ] {
        let (_origin, proxy) = gateway(allowed);
        assert_eq!(ask(&proxy, fields).status(), status, "{fields}");
    }
}

/// A link can hand the gateway's own page parameters that it acts on with its user's token. Whoever follows it is told
/// the way past: what one types comes from no page.
#[test]
fn a_link_of_another_site_is_refused_and_says_how_to_go_there_all_the_same() {
    let (origin, proxy) = gateway(Value::Null);
    let document = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-User: ?1\r\n";
    let long = format!("https://{}.example", "a".repeat(200));
    for referer in ["", "Referer: https://evil.example/\r\n", &format!("Referer: {long}/\r\n")] {
        let response = ask(&proxy, &format!("Sec-Fetch-Site: cross-site\r\n{document}{referer}"));
        assert_eq!(response.status(), 403, "{referer}");
        let detail = response.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.ends_with("to open it all the same, enter its address"), "{detail}");
    }
    assert_eq!(origin.connections(), 0);
    let frame = document.replace("document", "iframe");
    let response = ask(&proxy, &format!("Sec-Fetch-Site: cross-site\r\n{frame}"));
    assert!(!response.text().contains("enter its address"), "{}", response.text());
    assert_eq!(ask(&proxy, &format!("Sec-Fetch-Site: none\r\n{document}")).status(), 200);
    let named = "Sec-Fetch-Site: cross-site\r\nReferer: http://localhost:3000/\r\n";
    assert_eq!(ask(&proxy, &format!("{named}{document}")).status(), 200);
}

#[test]
fn what_is_configured_replaces_the_default() {
    let (origin, proxy) = gateway(json!(["https://app.example", "https://*.lab.example:*"]));
    for (asked, status) in [
        ("https://app.example", 200),
        ("https://x.lab.example:8443", 200),
        ("http://app.example", 403),
        ("https://x.lab.example", 403),
        ("http://localhost", 403),
    ] {
        assert_eq!(ask(&proxy, &format!("Origin: {asked}\r\n")).status(), status, "{asked}");
    }
    assert_eq!(ask(&proxy, "").status(), 200);
    assert_eq!(origin.requests().len(), 3);
}

#[test]
fn a_page_under_a_name_of_its_own_that_leads_here_is_refused() {
    let call = |proxy: &Proxy, host: &str| {
        let mut client = proxy.connect_gateway();
        client.send(format!("GET /api HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        client.receive_response().status()
    };
    let (origin, proxy) = gateway(Value::Null);
    let known = [
        "127.0.0.1:18790",
        "[::1]:18790",
        "192.0.2.7",
        "localhost:1",
        "clawsec:18790",
        "LOCALHOST",
        "localhost.",
        "localhost.:18790",
        "host.docker.internal:18790",
        "agent.localhost",
    ];
    for host in known {
        assert_eq!(call(&proxy, host), 200, "{host}");
    }
    for host in [
        "rebound.evil.example:18790",
        "evil.example.",
        "localhost.evil.example.",
        "localhost.evil.example",
        "1.2.3.4.evil.example",
        // Anybody on the network answers for it.
        "evil.local:18790",
    ] {
        assert_eq!(call(&proxy, host), 403, "{host}");
    }
    assert_eq!(origin.requests().len(), known.len());
    proxy.wait_for_log(&["not known by this Host", "gateway_allowed_origins"]);
    let (_origin, proxy) = gateway(json!(["https://app.example", "https://*.lab.example:*"]));
    for (host, status) in
        [("app.example", 200), ("x.lab.example:8443", 200), ("localhost", 200), ("a.example", 403)]
    {
        assert_eq!(call(&proxy, host), status, "{host}");
    }
}

#[test]
fn the_forward_proxy_does_not_look_at_origins() {
    let (_gateway, proxy) = gateway(Value::Null);
    let origin = Origin::http(|_| Reply::ok("elsewhere"));
    let url = origin.url("/");
    let dest = origin.dest();
    let response = proxy.exchange(format!(
        "GET {url} HTTP/1.1\r\nHost: {dest}\r\nOrigin: https://evil.example\r\n\r\n"
    ));
    assert_eq!(response.text(), "elsewhere");
}

/// HTTP/2 in the clear would be unread; what else is offered beside it stays.
#[test]
fn an_offer_of_websocket_beside_h2c_is_passed_on_alone() {
    let (origin, proxy) = gateway(Value::Null);
    for (offer, passed_on) in [
        ("Upgrade: websocket, h2c\r\n", Some("websocket")),
        ("Upgrade: H2C,websocket\r\n", Some("websocket")),
        ("Upgrade: h2c\r\nUpgrade: websocket\r\n", Some("websocket")),
        ("Upgrade: h2c\r\n", None),
    ] {
        let fields =
            format!("Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n{offer}");
        assert_eq!(ask(&proxy, &fields).status(), 200, "{offer}");
        let seen = origin.requests().pop().unwrap();
        let upgrades: Vec<&str> = seen.head.values("upgrade").collect();
        assert_eq!(upgrades, Vec::from_iter(passed_on), "{offer}");
        assert_eq!(seen.head.header("http2-settings"), None, "{offer}");
    }
}

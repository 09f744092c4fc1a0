//! Request targets and header fields: what the origin and the client see of each other's heads.

use crate::support::{Origin, Proxy, Reply, Request, json};

/// Sends one request and gives back what the origin saw.
fn forwarded(proxy: &Proxy, origin: &Origin, request: &str) -> Request {
    let before = origin.requests().len();
    let method = request.split(' ').next().unwrap();
    let mut client = proxy.connect();
    client.send(request);
    assert_eq!(client.receive_response_to(method).status(), 200);
    let requests = origin.requests();
    assert_eq!(requests.len(), before + 1);
    requests.into_iter().next_back().unwrap()
}

#[test]
fn an_absolute_target_becomes_a_path_with_the_host_of_the_target() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let dest = origin.dest();
    for (target, path) in [
        (format!("http://{dest}/a/b?c=d&e"), "/a/b?c=d&e"),
        (format!("HTTP://{dest}/%7Euser/;p=1?q=%20"), "/%7Euser/;p=1?q=%20"),
        (format!("http://{dest}"), "/"),
        (format!("http://{dest}?q=1"), "/?q=1"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n");
        let seen = forwarded(&proxy, &origin, &request);
        assert_eq!(seen.start, format!("GET {path} HTTP/1.1"));
        assert_eq!(seen.values("host").collect::<Vec<_>>(), [dest.as_str()]);
    }
}

#[test]
fn a_path_goes_to_the_host_of_the_host_field() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    for host in [origin.dest(), origin.local_dest(), origin.local_dest().to_uppercase()] {
        let seen =
            forwarded(&proxy, &origin, &format!("GET /path?x HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(seen.start, "GET /path?x HTTP/1.1");
        assert_eq!(seen.header("host"), Some(host.as_str()));
    }
}

#[test]
fn options_about_the_whole_server_is_forwarded_as_such() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let dest = origin.dest();
    for request in [
        format!("OPTIONS http://{dest} HTTP/1.1\r\nHost: {dest}\r\n\r\n"),
        format!("OPTIONS * HTTP/1.1\r\nHost: {dest}\r\n\r\n"),
    ] {
        assert_eq!(forwarded(&proxy, &origin, &request).start, "OPTIONS * HTTP/1.1");
    }
}

#[test]
fn max_forwards_is_lowered_and_ends_at_the_proxy() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let dest = origin.dest();
    for method in ["OPTIONS", "TRACE"] {
        let request = |hops: u8| {
            format!(
                "{method} http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nMax-Forwards: {hops}\r\n\r\n"
            )
        };
        let seen = forwarded(&proxy, &origin, &request(3));
        assert_eq!(seen.header("max-forwards"), Some("2"));
        let before = origin.requests().len();
        assert_eq!(proxy.exchange(request(0)).status(), 200);
        assert_eq!(origin.requests().len(), before, "{method} ends here");
    }
}

#[test]
fn any_method_is_forwarded() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok(""));
    let dest = origin.dest();
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "PROPFIND", "M-SEARCH", "get"] {
        let request = format!("{method} http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n\r\n");
        assert_eq!(forwarded(&proxy, &origin, &request).method(), method);
    }
}

#[test]
fn order_case_and_repetition_of_request_fields_are_kept() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let dest = origin.dest();
    let fields = "x-lower: 1\r\nX-Upper: 2\r\nCookie: a=1\r\nX-UPPER: 3\r\nCookie: b=2\r\n\
                  X-Empty: \r\nX-Spaces: inner   spaces\tand tabs\r\nX-Latin: caf\u{e9}\r\n";
    let seen = forwarded(
        &proxy,
        &origin,
        &format!("GET http://{dest}/fields HTTP/1.1\r\nHost: {dest}\r\n{fields}\r\n"),
    );
    let expected = format!("GET /fields HTTP/1.1\r\nHost: {dest}\r\n{fields}\r\n");
    assert_eq!(String::from_utf8_lossy(&seen.raw), expected);
}

#[test]
fn the_head_of_an_answer_is_kept_byte_for_byte() {
    let proxy = Proxy::start(json!({}));
    for head in [
        "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nDATE: now\r\nX-Empty:\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 404 Nothing like that here\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 299 \r\nContent-Length: 2\r\nX-Latin: caf\u{e9}\r\n\r\n",
    ] {
        let origin = Origin::http(move |_| Reply::raw(format!("{head}ok")));
        let response = proxy.get(&origin.url("/"));
        assert_eq!(String::from_utf8_lossy(&response.raw), head);
    }
}

#[test]
fn hop_by_hop_fields_and_those_that_connection_names_stay_here() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| {
        Reply::with(
            "200 OK",
            "Connection: X-Named-Too, keep-alive\r\nX-Named-Too: 1\r\nKeep-Alive: timeout=5\r\nX-End: 1\r\n",
            "ok",
        )
    });
    let dest = origin.dest();
    let request = format!(
        "GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nConnection: X-Named, keep-alive\r\n\
         X-Named: 1\r\nKeep-Alive: 5\r\nProxy-Connection: keep-alive\r\n\
         Proxy-Authorization: Basic Zm9v\r\nUpgrade: h2c\r\nTE: gzip\r\nX-End: 1\r\n\r\n"
    );
    let mut client = proxy.connect();
    client.send(&request);
    let response = client.receive_response();
    let seen = origin.requests().remove(0);
    for gone in [
        "x-named",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "upgrade",
        "te",
        "connection",
    ] {
        assert_eq!(seen.header(gone), None, "{gone} reached the origin");
    }
    assert_eq!(seen.header("x-end"), Some("1"));
    for gone in ["x-named-too", "keep-alive"] {
        assert_eq!(response.header(gone), None, "{gone} reached the client");
    }
    assert_eq!(response.header("x-end"), Some("1"));
}

#[test]
fn connection_cannot_name_away_what_frames_or_addresses_a_message() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let dest = origin.dest();
    let seen = forwarded(
        &proxy,
        &origin,
        &format!(
            "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: 4\r\n\
             Connection: Host, Content-Length, Transfer-Encoding\r\n\r\nbody"
        ),
    );
    assert_eq!(seen.header("host"), Some(dest.as_str()));
    assert_eq!(seen.body, b"body");
}

#[test]
fn te_trailers_is_passed_on_as_a_hop_of_our_own() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let dest = origin.dest();
    let request = format!(
        "GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nConnection: TE\r\nTE: trailers\r\n\r\n"
    );
    let seen = forwarded(&proxy, &origin, &request);
    assert_eq!(seen.header("te"), Some("trailers"));
    assert_eq!(seen.header("connection").map(str::to_lowercase).as_deref(), Some("te"));
}

#[test]
fn nothing_tells_the_origin_of_the_proxy() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let dest = origin.dest();
    let request = format!("GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n\r\n");
    let seen = forwarded(&proxy, &origin, &request);
    assert_eq!(seen.names(), ["Host"]);
}

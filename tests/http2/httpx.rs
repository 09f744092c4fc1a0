//! httpx with its `http2`.

use super::programs::{Program, Speaks};
use super::{Route, Way, expected, found};

const STEPS: [&str; 5] = ["plain", "post", "large", "events", "together"];

fn exercise(speaks: Speaks) {
    let (way, origin) = (Way::new(), Program::node(speaks));
    way.compare("httpx_client.py", &origin, &STEPS);
    let views = ["", "gzip"];
    let both = views.map(|view| [("outbound", view), ("inbound", view)]).concat();
    assert_eq!(found(&way.proxy.settled_findings(), &origin), expected(&both));
}

#[test]
fn httpx_sees_no_difference() {
    exercise(Speaks::Http2);
}

#[test]
fn httpx_that_offers_both_gets_http1() {
    let (way, origin) = (Way::new(), Program::node(Speaks::Both));
    let shown = way.play("httpx_client.py", Route::Proxied, &origin.base(), &["both"]);
    assert!(shown.starts_with("both HTTP/1.1 200 "), "{shown}");
}

/// Behind a proxy httpx offers HTTP/1.1 too, and speaks HTTP/2 whatever is agreed on if it was told to.
#[test]
fn httpx_speaks_http2_that_was_not_agreed_on() {
    let (way, origin) = (Way::new(), Program::node(Speaks::Both));
    let shown = way.play("httpx_client.py", Route::Proxied, &origin.base(), &["unasked"]);
    assert!(shown.starts_with("unasked HTTP/2 200 "), "{shown}");
}

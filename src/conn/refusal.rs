//! Why a request is not forwarded, as the error that its client is told.

use crate::config::OriginPatterns;
use crate::error::{Error, Side, Stage};
use crate::http::head::HeadError;
use crate::http::reply::Cause;
use crate::limits::ORIGIN_SHOWN_MAX_BYTES;

/// Its head is malformed.
pub(super) fn refusal(error: &HeadError) -> Error {
    let cause = Cause::HttpRequestError;
    Error::answered(Side::Client, Stage::RequestHead, error.status, cause, error.reason)
}

/// A page of somebody else's sent it to the gateway. What is no origin is not told.
pub(super) fn foreign_page(value: &[u8]) -> Error {
    let shown = match OriginPatterns::origin_of(value) {
        Some(origin) => cut(origin),
        None => "is none of a page".to_owned(),
    };
    denied(format!("gateway_allowed_origins does not name the page that sent this: Origin {shown}"))
}

/// The same without Origin, by the word of its browser. `is_link`: it is to be shown as a page.
pub(super) fn foreign_site(page: &[u8], is_link: bool) -> Error {
    let shown = match OriginPatterns::origin_of(page) {
        Some("null") | None => "it did not say which".to_owned(),
        Some(origin) => cut(origin),
    };
    let how = if is_link { ": to open it all the same, enter its address" } else { "" };
    denied(format!(
        "gateway_allowed_origins does not name the page that sent this or leads here ({shown}){how}"
    ))
}

fn cut(origin: &str) -> String {
    match origin.get(..ORIGIN_SHOWN_MAX_BYTES) {
        Some(shown) if shown.len() < origin.len() => format!("{shown}..."),
        _ => origin.to_owned(),
    }
}

fn denied(detail: impl Into<String>) -> Error {
    let cause = Cause::HttpRequestDenied;
    Error::answered(Side::Client, Stage::RequestHead, 403, cause, detail)
}

/// It may come from a page under a name of its own that was made to lead to the gateway.
pub(super) fn foreign_name() -> Error {
    denied(
        "the gateway is not known by this Host: use an address or localhost, or name its page in \
         gateway_allowed_origins",
    )
}

/// There is nowhere that the gateway's listener would tunnel to.
pub(super) fn no_tunnel() -> Error {
    let cause = Cause::HttpRequestError;
    let detail = "this is the gateway's listener: CONNECT is for the proxy's (proxy_port)";
    Error::answered(Side::Client, Stage::RequestHead, 405, cause, detail)
}

/// It cannot go where it wants to.
pub(super) fn unroutable(detail: &str) -> Error {
    let cause = Cause::HttpRequestError;
    Error::answered(Side::Client, Stage::RequestHead, 400, cause, detail)
}

//! Why a request is not forwarded, as the error that its client is told.

use crate::error::{Error, Side, Stage};
use crate::http::head::HeadError;
use crate::http::reply::Cause;

/// Its head is malformed.
pub(super) fn refusal(error: &HeadError) -> Error {
    let cause = Cause::HttpRequestError;
    Error::answered(Side::Client, Stage::RequestHead, error.status, cause, error.reason)
}

/// A page of somebody else's sent it to the gateway.
pub(super) fn foreign_page() -> Error {
    let cause = Cause::HttpRequestDenied;
    let detail = "the page that sent this (Origin) is not in gateway_allowed_origins";
    Error::answered(Side::Client, Stage::RequestHead, 403, cause, detail)
}

/// It may come from a page under a name of its own that was made to lead to the gateway.
pub(super) fn foreign_name() -> Error {
    let cause = Cause::HttpRequestDenied;
    let detail = "the gateway is not known by this Host: use an address or localhost, or name its page in \
                  gateway_allowed_origins";
    Error::answered(Side::Client, Stage::RequestHead, 403, cause, detail)
}

/// It cannot go where it wants to.
pub(super) fn unroutable(detail: &str) -> Error {
    let cause = Cause::HttpRequestError;
    Error::answered(Side::Client, Stage::RequestHead, 400, cause, detail)
}

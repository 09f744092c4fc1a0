//! How much of a client's work may fail: figures say little of a proxy that fails its clients. Decides; no IO.

use serde_json::Value;

use crate::Outcome;

/// The share of requests that may fail in a figure.
const ERRORS_MAX_SHARE: f64 = 0.01;

/// An error when too little of the work went well. An event is no request: what fails is its stream.
pub fn check(result: &Value) -> Outcome<()> {
    let count = |name| result.get(name).and_then(Value::as_f64);
    let errors = count("errors").unwrap_or(0.0);
    let streams = count("streams").filter(|streams| *streams > 0.0);
    let offered = count("offered");
    let tries = streams.or(offered).or(count("requests")).unwrap_or(0.0);
    if let (Some(offered), Some(unanswered)) = (offered, count("unanswered"))
        && unanswered > ERRORS_MAX_SHARE * offered
    {
        return Err(
            format!("{unanswered} of {offered} requests that fell due were not answered").into()
        );
    }
    if errors > ERRORS_MAX_SHARE * tries {
        let texts = result.get("error_texts").cloned().unwrap_or_default();
        return Err(format!("{errors} errors: {texts}").into());
    }
    if tries == 0.0 && count("asked").is_none() {
        return Err("no request was answered".into());
    }
    if let (Some(asked), Some(answered)) = (count("asked"), count("answered"))
        && answered < (1.0 - ERRORS_MAX_SHARE) * asked
    {
        return Err(format!("only {answered} of {asked} connections were answered").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_client_fails_when_one_in_a_hundred_of_its_own_tries_does() {
        for (result, is_good) in [
            (json!({"requests": 1000, "errors": 10}), true),
            (json!({"requests": 1000, "errors": 11}), false),
            // Many events of the streams that went well hide none that failed.
            (json!({"requests": 100_000, "streams": 100, "errors": 2}), false),
            (json!({"requests": 100_000, "streams": 100, "errors": 1}), true),
            // A stalled proxy fails nobody: it only does not answer.
            (json!({"requests": 1492, "offered": 3000, "unanswered": 1508, "errors": 0}), false),
            (json!({"requests": 2970, "offered": 3000, "unanswered": 30, "errors": 0}), true),
            (json!({"requests": 0, "errors": 0}), false),
            (json!({"asked": 1000, "answered": 990}), true),
            (json!({"asked": 1000, "answered": 989}), false),
        ] {
            assert_eq!(check(&result).is_ok(), is_good, "{result}");
        }
    }
}

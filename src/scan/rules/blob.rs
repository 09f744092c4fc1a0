//! Tokens within base64 of something else. A picture of a megabyte is a million places where chance may write four
//! letters that a token begins with.

use super::validate::Evidence;
use crate::limits::{BASE64_LINE_MIN_BYTES, BASE64_RUN_MIN_BYTES};

/// Whether a match is a part of a run of base64, on one line or wrapped: a long row of letters, digits, `+` and `/`
/// without a separator, space or quote, that begins before it. What stands at the beginning is there by intent.
pub(super) fn is_within_base64(evidence: &Evidence<'_>) -> bool {
    if !evidence.matched.iter().all(|byte| is_of_base64(byte) || b"-_".contains(byte)) {
        return false;
    }
    let before = evidence.before.iter().rev().take_while(|byte| is_of_base64(byte)).count();
    let (behind, rest) = run(evidence.after);
    let next = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n").unwrap_or_default();
    let wrapped = Some(run(next).0).filter(|length| *length >= BASE64_LINE_MIN_BYTES);
    let around = before.saturating_add(behind).saturating_add(wrapped.unwrap_or(0));
    before > 0 && around >= BASE64_RUN_MIN_BYTES && is_mixed(evidence, before, behind)
}

fn is_of_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

fn run(text: &[u8]) -> (usize, &[u8]) {
    let length = text.iter().take_while(|byte| is_of_base64(byte)).count();
    (length, text.get(length..).unwrap_or_default())
}

/// Whether a run has what base64 of anything has within so many bytes, and paths of names have not: capitals, small
/// letters and digits, none of them seldom.
fn is_mixed(evidence: &Evidence<'_>, before: usize, behind: usize) -> bool {
    let before = evidence.before.get(evidence.before.len().saturating_sub(before)..);
    let behind = evidence.after.get(..behind);
    let around = || before.into_iter().chain(behind).flatten();
    let count = |is: fn(&u8) -> bool| around().filter(|byte| is(byte)).count();
    let least = around().count() / 16;
    count(u8::is_ascii_digit) > least
        && count(u8::is_ascii_uppercase) > 2 * least
        && count(u8::is_ascii_lowercase) > 2 * least
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(before: &str, matched: &str, after: &str) -> bool {
        let [before, matched, after] = [before, matched, after].map(str::as_bytes);
        is_within_base64(&Evidence {
            secret: matched,
            matched,
            before,
            after,
            ..Evidence::default()
        })
    }

    fn base64(bytes: usize) -> String {
        let digits = "q8Zr1kPm/W0tVb3NxA7cDy+4RfGh2JsLuE9iTo5wQ";
        digits.chars().cycle().take(bytes).collect()
    }

    #[test]
    fn chance_writes_tokens_into_pictures() {
        let token = format!("TOKN{}", base64(31).replace(['/', '+'], "x"));
        let (half, run) = (base64(BASE64_RUN_MIN_BYTES / 2), base64(BASE64_RUN_MIN_BYTES));
        assert!(judged(&format!("\"data\":\"{run}/"), &token, ""));
        assert!(!judged("\"", &token, &format!("/{run}\"")));
        assert!(judged(&format!("{half}/"), &token, &format!("/{half}")));
        assert!(!judged(&half, &token, ""));
        assert!(!judged(&format!("{run} "), &token, " and so on"));
        assert!(!judged(&format!("{run}."), &token, &format!(".{run}")));
        let path = "/usr/local/share/documents".repeat(10);
        assert!(!judged(&path, &token, ""));
    }

    #[test]
    fn base64_may_be_wrapped() {
        let token = format!("TOKN{}", base64(31).replace(['/', '+'], "x"));
        let line = base64(BASE64_LINE_MIN_BYTES + 16);
        let (half, short) =
            (line.get(..38).unwrap(), line.get(..BASE64_LINE_MIN_BYTES - 1).unwrap());
        for line_end in ["\n", "\r\n"] {
            let after = format!("{half}{half}{line_end}{line}{line_end}");
            assert!(judged(&format!("{half}/"), &token, &after));
            let after = format!("{half}{half}{line_end}{short}{line_end}");
            assert!(!judged(&format!("{half}/"), &token, &after));
        }
    }
}

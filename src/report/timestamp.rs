//! Moments as text, always UTC. Decides only: takes a moment, reads no clock.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// ISO 8601 as Python writes it, always with six digits: `2026-02-19T13:41:59.587248+00:00`.
pub fn iso8601(at: SystemTime) -> String {
    let mut text = String::with_capacity(32);
    append_iso8601(&mut text, at);
    text
}

/// The same, appended.
pub(super) fn append_iso8601(text: &mut String, at: SystemTime) {
    let at = utc(at);
    append_date(text, at, 'T');
    text.push('.');
    let micros = at.subsec_nanosecond().unsigned_abs() / 1000;
    append_two(text, micros / 10_000);
    append_two(text, micros / 100);
    append_two(text, micros);
    text.push_str("+00:00");
}

/// Appends what Python's logging puts first in a line: `2026-02-19 13:41:59,587`.
pub(super) fn append_log_time(text: &mut String, at: SystemTime) {
    let at = utc(at);
    append_date(text, at, ' ');
    text.push(',');
    let millis = at.subsec_nanosecond().unsigned_abs() / 1_000_000;
    append_digit(text, millis / 100);
    append_two(text, millis);
}

fn append_date(text: &mut String, at: DateTime, separator: char) {
    let year = u32::from(at.year().unsigned_abs());
    append_two(text, year / 100);
    append_two(text, year);
    text.push('-');
    append_two(text, at.month().unsigned_abs().into());
    text.push('-');
    append_two(text, at.day().unsigned_abs().into());
    text.push(separator);
    append_two(text, at.hour().unsigned_abs().into());
    text.push(':');
    append_two(text, at.minute().unsigned_abs().into());
    text.push(':');
    append_two(text, at.second().unsigned_abs().into());
}

/// The last two digits of a number. Every line has two moments in it, and the machinery of `write!` takes several
/// times as long.
fn append_two(text: &mut String, number: u32) {
    append_digit(text, number / 10);
    append_digit(text, number);
}

fn append_digit(text: &mut String, number: u32) {
    text.extend(char::from_digit(number % 10, 10));
}

/// A clock set to before 1970 or after the year 9999 shows as 1970.
fn utc(at: SystemTime) -> DateTime {
    let timestamp = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    Offset::UTC.to_datetime(timestamp.max(Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_formats_of_the_original() {
        let at = UNIX_EPOCH + Duration::from_micros(1_771_508_519_587_248);
        assert_eq!(iso8601(at), "2026-02-19T13:41:59.587248+00:00");
        let mut text = String::new();
        append_log_time(&mut text, at);
        assert_eq!(text, "2026-02-19 13:41:59,587");
    }

    #[test]
    fn digits_are_kept_when_they_are_zero() {
        assert_eq!(iso8601(UNIX_EPOCH), "1970-01-01T00:00:00.000000+00:00");
        let at = UNIX_EPOCH + Duration::new(1, 42_999);
        assert_eq!(iso8601(at), "1970-01-01T00:00:01.000042+00:00");
    }

    #[test]
    fn impossible_clocks_do_no_harm() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(iso8601(before), "1970-01-01T00:00:00.000000+00:00");
        let after = UNIX_EPOCH + Duration::from_secs(400_000_000_000);
        assert_eq!(iso8601(after), "1970-01-01T00:00:00.000000+00:00");
    }
}

//! Numbers of the command line, within what can be measured.

/// The longest span: a day.
const SECONDS_MAX: f64 = 86_400.0;
/// The highest rate; no client of this kind gets near it.
const RATE_MAX: f64 = 10_000_000.0;

/// A span in seconds.
pub fn seconds(text: &str) -> Result<f64, String> {
    within(text, 0.0, SECONDS_MAX)
}

/// A span in seconds that is long enough to measure something in.
pub fn measured_seconds(text: &str) -> Result<f64, String> {
    within(text, 0.01, SECONDS_MAX)
}

/// So many a second.
pub fn rate(text: &str) -> Result<f64, String> {
    within(text, 0.001, RATE_MAX)
}

/// A part of the whole.
pub fn share(text: &str) -> Result<f64, String> {
    within(text, 0.0, 1.0)
}

fn within(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    // What is not a number is in no range.
    match (least..=most).contains(&number) {
        true => Ok(number),
        false => Err(format!("must be {least} to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_no_clock_can_keep_are_refused() {
        assert_eq!(rate("1000"), Ok(1000.0));
        for text in ["0", "-1", "NaN", "inf", "1e300", ""] {
            assert!(rate(text).is_err(), "{text}");
            assert!(measured_seconds(text).is_err(), "{text}");
        }
        assert_eq!(seconds("0"), Ok(0.0));
        assert!(share("1.5").is_err());
    }
}

//! An Accept field (RFC 9110 §12.5.1): which of two representations it prefers. Decides; nobody is refused for it.

/// Whether `wanted` is named, and liked at least as much as what is sent otherwise.
pub fn prefers(accept: &str, wanted: &str, otherwise: &str) -> bool {
    let quality = quality(accept, wanted);
    quality > 0.0 && quality >= quality_by_range(accept, otherwise)
}

/// The weight of a media type that is named itself; 0 where it is not.
fn quality(accept: &str, name: &str) -> f32 {
    highest(accept, name).unwrap_or(0.0)
}

/// The weight by the most specific range that it falls in.
fn quality_by_range(accept: &str, name: &str) -> f32 {
    let kind = name.split_once('/').map_or(name, |(kind, _)| kind);
    let ranges = [name.to_owned(), format!("{kind}/*"), "*/*".to_owned()];
    ranges.iter().find_map(|range| highest(accept, range)).unwrap_or(0.0)
}

/// The highest weight that goes with a range: the same type may come with several parameters.
fn highest(accept: &str, range: &str) -> Option<f32> {
    let weights = accept.split(',').filter_map(|element| {
        let mut parts = element.split(';').map(str::trim);
        let is_it = parts.next()?.eq_ignore_ascii_case(range);
        is_it.then(|| parts.find_map(weight).unwrap_or(1.0))
    });
    weights.reduce(f32::max)
}

/// A `q=0.5`; one that is no weight is as none.
fn weight(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    let weight = value.trim().parse().ok().filter(|weight| (0.0..=1.0).contains(weight));
    weight.filter(|_| name.trim().eq_ignore_ascii_case("q"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_with_the_weight_nought_is_not_wanted_and_the_heavier_one_is() {
        for (accept, is_preferred) in [
            ("text/event-stream", true),
            ("Text/Event-Stream; charset=utf-8", true),
            ("text/event-stream, */*", true),
            ("application/json;q=0.5, text/event-stream;q=0.9", true),
            ("text/event-stream;q=0.5, */*;q=0.1", true),
            ("text/event-stream;q=high", true),
            ("text/event-stream;q=0", false),
            ("text/event-stream ; Q=0.000", false),
            ("application/json, text/event-stream;q=0.9", false),
            ("text/event-stream;q=0.1, application/*;q=0.2", false),
            ("text/event-streams", false),
            ("application/json", false),
            ("*/*", false),
            ("", false),
        ] {
            let preferred = prefers(accept, "text/event-stream", "application/json");
            assert_eq!(preferred, is_preferred, "{accept}");
        }
    }

    #[test]
    fn what_a_prometheus_asks_for_is_open_metrics() {
        let accept = "application/openmetrics-text;version=1.0.0;q=0.6,application/openmetrics-text;\
                      version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3";
        assert!(prefers(accept, "application/openmetrics-text", "text/plain"));
    }
}

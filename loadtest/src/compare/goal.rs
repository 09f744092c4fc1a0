//! What ClawSec is to reach in a row, and how its figure stands to that.

use super::report::shown;

/// What is to reach.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// At most these multiples of what peers need.
    Factors(&'static [(&'static str, f64)]),
    AtMost(f64),
    AtLeast(f64),
    /// Measured for its own sake.
    None,
}

impl Goal {
    /// For the table.
    pub fn text(self) -> String {
        match self {
            Goal::None => String::new(),
            Goal::AtMost(bound) => format!("≤ {}", shown(bound)),
            Goal::AtLeast(bound) => format!("≥ {}", shown(bound)),
            Goal::Factors(factors) => {
                let part = |(name, factor): &(&str, f64)| format!("{name} × {factor}");
                factors.iter().map(part).collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// How ClawSec's figure stands to it, and to the peers' in turn.
    pub fn verdict(self, own: Option<f64>, peer: impl Fn(&'static str) -> Option<f64>) -> String {
        if matches!(self, Goal::None) {
            return String::new();
        }
        let Some(own) = own else { return "not measured".to_owned() };
        match self {
            Goal::None => String::new(),
            Goal::AtMost(bound) => at_most(own, bound),
            Goal::AtLeast(bound) if own >= bound => "reached".to_owned(),
            Goal::AtLeast(bound) => missed(100.0 * (1.0 - own / bound)),
            Goal::Factors(factors) => {
                let part = |(name, factor): &(&'static str, f64)| match peer(name) {
                    Some(peer) if peer > 0.0 => {
                        let ratio = own / peer;
                        format!("{name} {ratio:.2} {}", at_most(ratio, *factor))
                    }
                    _ => format!("{name} not measured"),
                };
                factors.iter().map(part).collect::<Vec<_>>().join("; ")
            }
        }
    }
}

fn at_most(own: f64, bound: f64) -> String {
    match bound {
        _ if own <= bound => "reached".to_owned(),
        0.0 => format!("**missed by {}**", shown(own)),
        bound => missed(100.0 * (own / bound - 1.0)),
    }
}

fn missed(percent: f64) -> String {
    format!(
        "**missed by {} %**",
        if percent < 1.0 { shown(percent) } else { format!("{percent:.0}") }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_compare_with_bound_or_peer() {
        let goal = Goal::Factors(&[("nginx", 0.9), ("squid", 0.25)]);
        let peer = |name| (name == "nginx").then_some(20.0);
        assert_eq!(goal.verdict(Some(18.0), peer), "nginx 0.90 reached; squid not measured");
        assert_eq!(
            goal.verdict(Some(27.0), |_| Some(20.0)),
            "nginx 1.35 **missed by 50 %**; squid 1.35 **missed by 440 %**"
        );
        assert_eq!(goal.verdict(None, peer), "not measured");
        assert_eq!(goal.text(), "nginx × 0.9, squid × 0.25");
        assert_eq!(Goal::AtMost(20.0).verdict(Some(20.1), peer), "**missed by 0.50 %**");
        assert_eq!(Goal::AtMost(0.0).verdict(Some(3.0), peer), "**missed by 3.00**");
        assert_eq!(Goal::AtLeast(2.0).verdict(Some(1.5), peer), "**missed by 25 %**");
        assert_eq!(Goal::AtLeast(1.85).verdict(Some(1.9), peer), "reached");
    }
}

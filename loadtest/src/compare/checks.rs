//! What a client's result has to say before a figure is taken from it. Decides; no IO.

use serde_json::Value;

use super::rows::{Row, Sample, Work};
use crate::Outcome;
use crate::client::{NOISE_KIB, SHRANK};

/// The share of the events of a direct run that has to arrive through a proxy.
const EVENTS_MIN_SHARE: f64 = 0.9;

pub fn figure(result: &Value, at: &str) -> Outcome<f64> {
    let found = result.pointer(at).and_then(Value::as_f64);
    found.ok_or_else(|| format!("the client's result has nothing at {at}").into())
}

/// Events that a proxy keeps back are in no quantile: they have to be as many as without it.
pub fn checked_events(work: Work, direct: &Value, through: &Value) -> Outcome<()> {
    let (sent, came) = (figure(direct, "/requests")?, figure(through, "/requests")?);
    if work == Work::Events && came < EVENTS_MIN_SHARE * sent {
        return Err(format!("only {came} events arrived, of {sent} without a proxy").into());
    }
    Ok(())
}

/// A figure of CPU time. Of processes that ended meanwhile it has what they used only if their parent waited for them.
pub fn charged(result: &Value, at: &str) -> Outcome<Sample> {
    let ended = result.pointer("/proxy/processes_ended").and_then(Value::as_u64).unwrap_or(0);
    let told = format!("{ended} of its processes ended meanwhile, what they used may be missing");
    Ok(Sample { figure: figure(result, at)?, note: (ended > 0).then_some(told), decides: true })
}

/// The row of resumed sessions means nothing when they were not resumed.
pub fn checked_resumption(row: &Row, result: &Value) -> Outcome<()> {
    let count = |name| result.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let share = count("resumed") / count("connections").max(1.0);
    if row.id == "resumed" && share < 0.9 {
        return Err(format!("only {:.0} % of the sessions were resumed", share * 100.0).into());
    }
    Ok(())
}

/// Memory that shrank is no growth; one that hardly grew is told with what readings are off by.
pub fn checked_growth(result: &Value, at: &str) -> Outcome<Sample> {
    let each = figure(result, at)?;
    let shrank = result.get("shrank").and_then(Value::as_array);
    let is_own = |name: &Value| name.as_str().is_some_and(|name| at.ends_with(&format!("/{name}")));
    if shrank.is_some_and(|names| names.iter().any(is_own)) {
        return Err(SHRANK.into());
    }
    let noise = NOISE_KIB as f64 / figure(result, "/connections")?;
    let note = (each < noise).then(|| format!("readings are off by up to {noise:.2} KiB each"));
    Ok(Sample { figure: each, note, decides: true })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn processes_that_ended_are_told() {
        for (ended, is_told) in [(2, true), (0, false)] {
            let result = json!({ "proxy": { "processes_ended": ended, "cpu": 7.5 } });
            let sample = charged(&result, "/proxy/cpu").unwrap();
            assert_eq!((sample.figure, sample.note.is_some()), (7.5, is_told));
        }
    }

    #[test]
    fn a_row_of_memory_fails_by_its_own_shrinking_alone() {
        let result = json!({
            "shrank": ["idle_after_answer"],
            "connections": 2000,
            "pss_kib_each": { "idle": -0.2, "awaiting_answer": 12.0, "idle_after_answer": -3.0 },
        });
        let idle = checked_growth(&result, "/pss_kib_each/idle").unwrap();
        assert_eq!((idle.figure, idle.note.is_some()), (-0.2, true));
        let awaiting = checked_growth(&result, "/pss_kib_each/awaiting_answer").unwrap();
        assert_eq!((awaiting.figure, awaiting.note.is_some()), (12.0, false));
        let said = checked_growth(&result, "/pss_kib_each/idle_after_answer").unwrap_err();
        assert!(said.to_string().contains("not fresh"), "{said}");
    }
}

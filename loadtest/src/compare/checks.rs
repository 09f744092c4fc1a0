//! What a client's result has to say before a figure is taken from it. Decides; no IO.

use serde_json::Value;

use super::rows::{Row, Work};
use crate::Outcome;

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

/// The row of resumed sessions means nothing when they were not resumed.
pub fn checked_resumption(row: &Row, result: &Value) -> Outcome<()> {
    let count = |name| result.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let share = count("resumed") / count("connections").max(1.0);
    if row.id == "resumed" && share < 0.9 {
        return Err(format!("only {:.0} % of the sessions were resumed", share * 100.0).into());
    }
    Ok(())
}

//! Whether a command stands in the arguments of a tool call, as the interfaces of models write these: an object, or a
//! string of JSON with one in it. What is written so is what an agent's tools are for.

use super::asides::{key_before, member_before};
use super::quote::{Quote, before_blanks};
use crate::limits::JSON_ASIDE_MAX_BYTES;

/// The keys of a call's arguments.
const ARGUMENTS: [&[u8]; 5] = [b"arguments", b"input", b"args", b"action", b"parameters"];
/// What a call says of itself before its arguments, if they are an object: these are names that others use, too.
const BESIDE: [&[u8]; 6] = [b"name", b"id", b"call_id", b"type", b"status", b"tool"];
/// The keys of what holds a call's name and arguments.
const CALLS: [&[u8]; 4] = [b"function", b"functionCall", b"function_call", b"params"];

/// Whether the member that begins at `at`, and in which a list begins at `list`, is one of the arguments. `is_joined`:
/// the text is what events say together, as the arguments of a streamed call are.
pub(super) fn is_in_call(
    text: &[u8],
    (at, list): (usize, usize),
    quote: Quote,
    is_joined: bool,
) -> bool {
    let near = list.saturating_sub(JSON_ASIDE_MAX_BYTES);
    let Some(before) = text.get(near..at).and_then(before_object) else { return false };
    let is_outermost = quote == Quote::default();
    if let Some(before) = before.strip_suffix(b":") {
        let Some((key, _)) = key_before(before, &ARGUMENTS, quote) else { return false };
        let outer = before_blanks(before.get(..key).unwrap_or_default());
        let of_call = || {
            let holder = before_blanks(outer.strip_suffix(b"{")?).strip_suffix(b":")?;
            key_before(holder, &CALLS, quote)
        };
        return member_before(before, key, &BESIDE, quote).is_some() || of_call().is_some();
    }
    let Some(outer) = quote.outer() else { return is_outermost && is_joined };
    let key = outer.before(before).map(before_blanks).and_then(|before| before.strip_suffix(b":"));
    key.is_some_and(|before| key_before(before, &ARGUMENTS, outer).is_some())
}

/// What is before the object that a text ends in.
fn before_object(text: &[u8]) -> Option<&[u8]> {
    let mut depth = 0_usize;
    for (at, byte) in text.iter().enumerate().rev() {
        match byte {
            b'}' | b']' => depth += 1,
            b'{' | b'[' if depth > 0 => depth -= 1,
            b'{' => return text.get(..at).map(before_blanks),
            b'[' => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::{Asides, Lines};

    /// Whether the one command in it is a call's.
    fn is_call(json: &str, is_joined: bool) -> bool {
        let (mut asides, mut lines) = (Asides::new(is_joined), Lines::default());
        asides.feed(json.as_bytes(), &mut lines);
        assert_ne!(lines.commands.is_empty(), lines.calls.is_empty(), "{json}: {lines:?}");
        lines.commands.is_empty()
    }

    #[test]
    fn commands_in_the_arguments_of_tool_calls_are_told_apart() {
        for json in [
            r#"{"tool_calls":[{"id":"call_1","type":"function","function":{"name":"shell","arguments":"{\"command\":[\"bash\",\"-lc\",\"ls -la\"]}"}}]}"#,
            r#"{"function":{"arguments":"{\"workdir\":\"/x\", \"command\": [\"bash\",\"-lc\",\"ls\"]}","name":"shell"}}"#,
            r#"{"type":"function_call","name":"shell","arguments" : "{\n \"command\":[\"bash\",\"-lc\",\"ls\"],\"timeout_ms\":1}"}"#,
            r#"{"type":"tool_use","id":"toolu_1","name":"shell","input":{"command":["bash","-lc","ls"]}}"#,
            r#"{"id":"toolu_1","input":{"env":{"A":["b"]},"command":["bash","-lc","ls"]},"name":"shell"}"#,
            r#"{"call_id":"call_1","status":"completed","action":{"type":"exec","command":["bash","-lc","ls"]}}"#,
            r#"{"functionCall":{"args":{"command":["bash","-lc","ls"]},"name":"shell"}}"#,
            r#"{"method":"tools/call","params":{"arguments":{"command":"bash","args":["-lc","ls"]}}}"#,
            r#"{"log":"{\"name\":\"shell\",\"input\":{\"command\":[\"bash\",\"-lc\",\"ls\"]}}"}"#,
            r#"{"log":"{\"arguments\":\"{\\\"command\\\":[\\\"bash\\\",\\\"-lc\\\",\\\"ls\\\"]}\"}"}"#,
        ] {
            assert!(is_call(json, false), "{json}");
        }
        assert!(is_call(r#"{"command":["bash","-lc","ls"]}"#, true));
    }

    #[test]
    fn commands_elsewhere_are_no_calls() {
        for json in [
            r#"{"command":["bash","-lc","ls"]}"#,
            r#"["bash","-lc","ls"]"#,
            r#"{"arguments":["bash","-lc","ls"]}"#,
            r#"{"input":{"command":["bash","-lc","ls"]}}"#,
            r#"{"x":1,"input":{"command":["bash","-lc","ls"]}}"#,
            r#"{"mcpServers":{"x":{"command":"bash","args":["-lc","ls"]}}}"#,
            r#"{"content":"{\"command\":[\"bash\",\"-lc\",\"ls\"]}"}"#,
            r#"{"name":"x","input":{"a":1},"command":["bash","-lc","ls"]}"#,
            r#"{"spec":{"containers":[{"name":"x","command":["bash","-lc","ls"]}]}}"#,
        ] {
            assert!(!is_call(json, false), "{json}");
        }
    }

    #[test]
    fn the_arguments_are_looked_for_within_the_bound_and_not_past_it() {
        use crate::limits::JSON_ASIDE_MAX_BYTES;
        let json = |len: usize| {
            let fill = "x".repeat(len - r#""arguments":"{\"a\":\"\",\"command\":"#.len());
            format!(r#"{{"arguments":"{{\"a\":\"{fill}\",\"command\":[\"sh\",\"-c\",\"ls\"]}}"}}"#)
        };
        assert!(is_call(&json(JSON_ASIDE_MAX_BYTES), false));
        assert!(!is_call(&json(JSON_ASIDE_MAX_BYTES + 1), false));
    }
}

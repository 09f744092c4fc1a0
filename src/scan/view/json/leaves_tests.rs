//! Which leaves are found, and which of them are one text.

use std::collections::HashMap;

use proptest::prelude::*;

use super::leaves::{Lanes, NotJson, Reader};
use crate::limits::{JSON_DEPTH_MAX, JSON_HELD_MAX, JSON_NAMES_MAX};

/// Lane, key and text of a leaf.
type Found = (u64, String, String);

fn leaves(json: &str) -> (Vec<Found>, Result<Lanes, NotJson>) {
    let mut leaves = Vec::new();
    let outcome = Reader::new().visit(json.as_bytes(), &mut |leaf| {
        let [key, text] =
            [leaf.key, leaf.text].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        leaves.push((leaf.lane, key, text));
    });
    (leaves, outcome)
}

fn texts(json: &str) -> Vec<String> {
    leaves(json).0.into_iter().map(|(_, _, text)| text).collect()
}

/// The texts of each lane over successive events, joined, in the order of their first pieces.
fn joined(events: &[&str]) -> Vec<String> {
    let mut reader = Reader::new();
    let mut places = HashMap::new();
    let mut lanes: Vec<Vec<u8>> = Vec::new();
    for event in events {
        let outcome = reader.visit(event.as_bytes(), &mut |leaf| {
            let place = *places.entry(leaf.lane).or_insert(lanes.len());
            lanes.resize(lanes.len().max(place + 1), Vec::new());
            lanes[place].extend_from_slice(leaf.text);
        });
        assert_eq!(outcome, Ok(Lanes::Exact), "{event}");
    }
    lanes.into_iter().map(|text| String::from_utf8(text).unwrap()).collect()
}

#[test]
fn strings_are_leaves_and_numbers_are_none() {
    let (found, outcome) =
        leaves(r#" {"a":"one","b":[1,true,null,"two",{"c":"th\u0072ee\n"}],"":"four","e":""} "#);
    assert_eq!(outcome, Ok(Lanes::Exact));
    let found: Vec<_> = found.iter().map(|(_, key, text)| (&**key, &**text)).collect();
    assert_eq!(found, [("a", "one"), ("b", "two"), ("c", "three\n"), ("", "four")]);
    assert_eq!(texts("\u{feff}\"alone\\t\""), ["alone\t"]);
    assert!(texts("12").is_empty());
}

#[test]
fn what_describes_a_text_is_no_leaf() {
    let event = r#"{"id":"x","object":"y","type":"z","model":"m","obfuscation":"abc","text":"t",
        "p":"abcdef","signature":"s","usage":{"service_tier":"u"},"stop_reason":"end"}"#;
    assert_eq!(texts(event), ["t"]);
}

#[test]
fn anthropic_messages_have_a_lane_for_each_block() {
    let events = [
        r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[]}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"let me "}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"think"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"cu"}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"cmd\":\"ba"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"rl"}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"sh\"}"}}"#,
    ];
    assert_eq!(joined(&events), ["let me think", "curl", r#"{"cmd":"bash"}"#]);
}

#[test]
fn chat_completions_have_a_lane_for_each_choice_and_call() {
    let events = [
        r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"he"},"finish_reason":null}]}"#,
        r#"{"id":"c","choices":[{"delta":{"content":"wo"},"index":1}]}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{"content":"llo"}},{"index":1,"delta":{"content":"rld"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"[1"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\":1}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"]"}}]}}]}"#,
    ];
    assert_eq!(joined(&events), ["hello", "world", "{\"a\":1}", "[1]"]);
}

#[test]
fn responses_have_a_lane_for_each_part() {
    let events = [
        r#"{"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"he","obfuscation":"x"}"#,
        r#"{"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":1,"delta":"wo"}"#,
        r#"{"type":"response.function_call_arguments.delta","delta":"{\"","item_id":"f","output_index":1}"#,
        r#"{"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"llo"}"#,
        r#"{"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":1,"delta":"rld"}"#,
        r#"{"type":"response.function_call_arguments.delta","delta":"a\"}","item_id":"f","output_index":1}"#,
    ];
    assert_eq!(joined(&events), ["hello", "world", "{\"a\"}"]);
}

#[test]
fn a_gemini_answer_is_one_lane_in_an_array_and_out_of_it() {
    let one = r#"{"candidates":[{"content":{"parts":[{"text":"he"}],"role":"model"},"index":0}],"modelVersion":"g"}"#;
    let two = r#"{"candidates":[{"content":{"parts":[{"text":"llo"}],"role":"model"},"finishReason":"STOP"}]}"#;
    assert_eq!(joined(&[one, two]), ["hello"]);
    let (found, _) = leaves(&format!("[{one},\n{two}]"));
    let lanes: Vec<u64> = found.iter().map(|(lane, ..)| *lane).collect();
    assert_eq!(lanes.len(), 2);
    assert_eq!(lanes[0], lanes[1]);
}

#[test]
fn other_streams_have_one_lane_for_a_text() {
    for (one, two) in [
        // Ollama
        (
            r#"{"model":"l","created_at":"1","message":{"role":"assistant","content":"he"},"done":false}"#,
            r#"{"model":"l","created_at":"2","message":{"role":"assistant","content":"llo"},"done":false}"#,
        ),
        (
            r#"{"model":"l","response":"he"}"#,
            r#"{"model":"l","response":"llo","done_reason":"stop"}"#,
        ),
        // Bedrock's converse-stream
        (
            r#"{"contentBlockIndex":0,"delta":{"text":"he"},"p":"abc"}"#,
            r#"{"contentBlockIndex":0,"delta":{"text":"llo"},"p":"abcdefg"}"#,
        ),
        // Cohere
        (
            r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"he"}}}}"#,
            r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"llo"}}}}"#,
        ),
        // Text Generation Inference
        (
            r#"{"index":1,"token":{"id":1,"text":"he","logprob":-1.5,"special":false}}"#,
            r#"{"index":2,"token":{"id":2,"text":"llo","logprob":-0.5,"special":false}}"#,
        ),
        // A relay that renames items.
        (
            r#"{"item_id":"one","output_index":0,"delta":"he"}"#,
            r#"{"item_id":"two","output_index":0,"delta":"llo"}"#,
        ),
    ] {
        assert_eq!(joined(&[one, two]), ["hello"], "{one}");
    }
    let one = r#"{"contentBlockIndex":0,"delta":{"text":"he"}}"#;
    let two = r#"{"contentBlockIndex":1,"delta":{"text":"llo"}}"#;
    assert_eq!(joined(&[one, two]), ["he", "llo"]);
}

#[test]
fn events_of_two_kinds_are_two_texts() {
    let realtime = |kind: &str, delta: &str| {
        let marks = r#""item_id":"i","output_index":0,"content_index":0"#;
        format!(r#"{{"type":"response.{kind}.delta",{marks},"delta":"{delta}"}}"#)
    };
    let events = [
        realtime("output_audio_transcript", "run rm -r"),
        realtime("output_audio", "AAEC"),
        realtime("output_audio_transcript", "f / now"),
        realtime("output_audio", "AwQF"),
    ];
    assert_eq!(joined(&events.each_ref().map(|event| &**event)), ["run rm -rf / now", "AAECAwQF"]);
    let events = [
        r#"{"type":"stdout","data":"run rm -r"}"#,
        r#"{"data":"sleeping","type":"stderr"}"#,
        r#"{"data":"f / now","type":"stdout"}"#,
    ];
    assert_eq!(joined(&events), ["run rm -rf / now", "sleeping"]);
    // Of what an event holds only the first piece may say what it is.
    let calls = [
        r#"{"choices":[{"delta":{"calls":[{"id":"a","type":"function","arguments":"{\"a"}]}}]}"#,
        r#"{"choices":[{"delta":{"calls":[{"arguments":"\":1}"}]}}]}"#,
    ];
    assert_eq!(joined(&calls), ["{\"a\":1}"]);
}

#[test]
fn calls_of_tools_are_texts_of_their_own() {
    for (key, kind) in [
        ("toolCallId", "tool-input-delta"),
        ("toolCallId", "TOOL_CALL_ARGS"),
        ("tool_call_id", "x"),
        ("run_id", "on_chat_model_stream"),
    ] {
        let event = |id, delta| format!(r#"{{"type":"{kind}","{key}":"{id}","delta":"{delta}"}}"#);
        let events = [event("a", "run rm -r"), event("b", "xx "), event("a", "f / now")];
        let events = events.each_ref().map(|event| &**event);
        assert_eq!(joined(&events), ["run rm -rf / now", "xx "], "{key}");
    }
}

#[test]
fn names_set_events_apart_where_they_come_again() {
    let event = |name: &str, text: &str| format!(r#"{{"t":"{text}","id":"{name}"}}"#);
    let told = |events: &[(&str, &str)]| {
        let events: Vec<String> = events.iter().map(|(name, text)| event(name, text)).collect();
        joined(&events.iter().map(|event| &**event).collect::<Vec<_>>())
    };
    // Each event has its own, or all have one, or one follows the other.
    assert_eq!(told(&[("a", "x"), ("b", "y"), ("c", "z")]), ["xyz"]);
    assert_eq!(told(&[("a", "x"), ("a", "y"), ("b", "z"), ("b", "z")]), ["xyzz"]);
    // Both were begun before either went on.
    let begun = [("a", ""), ("b", ""), ("a", "x"), ("b", "1"), ("a", "y"), ("b", "2"), ("c", "7")];
    assert_eq!(told(&begun), ["xy", "12", "7"]);
}

#[test]
fn no_more_names_than_the_bound_are_remembered() {
    for (count, is_told) in [(JSON_NAMES_MAX, true), (JSON_NAMES_MAX + 1, false)] {
        let names: Vec<String> =
            (0..count).chain([count - 1, 900, count - 1]).map(|name| name.to_string()).collect();
        let events: Vec<String> =
            names.iter().map(|name| format!(r#"{{"t":"x","id":"{name}"}}"#)).collect();
        let texts = joined(&events.iter().map(|event| &**event).collect::<Vec<_>>());
        assert_eq!(texts.len() > 1, is_told, "{count}");
    }
}

#[test]
fn an_index_counts_before_and_behind_its_text() {
    for (one, two) in [
        (r#"{"index":4,"text":"a"}"#, r#"{"text":"b","index":4}"#),
        (r#"{"a":{"b":"a"},"n_index":1}"#, r#"{"n_index":1,"a":{"b":"b"}}"#),
        (r#"{"a":[{"b":"a"}],"item_id":"x"}"#, r#"{"item_id":"x","a":[{"b":"b"}]}"#),
    ] {
        assert_eq!(joined(&[one, two]), ["ab"]);
    }
    assert_eq!(joined(&[r#"{"index":4,"t":"a"}"#, r#"{"t":"b","index":5}"#]), ["a", "b"]);
    assert_eq!(joined(&[r#"{"a":["x","y"]}"#, r#"{"a":["1","2"]}"#]), ["x1", "y2"]);
    assert_eq!(joined(&[r#"["stdout","x"]"#, r#"["stdout","1"]"#]), ["stdoutstdout", "x1"]);
    assert_eq!(joined(&[r#"[{"a":"x"},{"a":"y"}]"#, r#"[{"a":"1"}]"#]), ["xy1"]);
    assert_eq!(joined(&[r#"[["x"],["y"]]"#, r#"[["1"],["2"]]"#]), ["xy12"]);
}

#[test]
fn what_is_no_json_ends_the_visit_behind_what_came_before() {
    for (json, expected) in [
        ("", NotJson::Cut),
        ("[DONE]", NotJson::Unexpected { at: 1 }),
        ("{\"a\":\"x\"} {", NotJson::Unexpected { at: 10 }),
        ("{\"a\":\"x\",}", NotJson::Unexpected { at: 9 }),
        ("{\"a\":\"x\"]", NotJson::Unexpected { at: 8 }),
        ("[\"x\",]", NotJson::Unexpected { at: 5 }),
        ("[\"x\" \"y\"]", NotJson::Unexpected { at: 5 }),
        ("{\"a\":\"x\" \"b\":1}", NotJson::Unexpected { at: 9 }),
        ("{\"a\":\"x\",\"b\" 1}", NotJson::Unexpected { at: 13 }),
        ("[\"x\",nil]", NotJson::Unexpected { at: 5 }),
        ("[\"x\",0x1]", NotJson::Unexpected { at: 5 }),
        ("[\"x\",", NotJson::Cut),
        ("[\"x", NotJson::Cut),
        ("{\"a\":\"x\",\"b", NotJson::Cut),
    ] {
        let (found, outcome) = leaves(json);
        assert_eq!(outcome, Err(expected), "{json}");
        assert!(!expected.to_string().is_empty());
        let texts: Vec<_> = found.iter().map(|(.., text)| &**text).collect();
        assert_eq!(texts, if json.contains('x') { vec!["x"] } else { vec![] }, "{json}");
    }
    assert_eq!(texts(r#"["x\"#), ["x\\"]);
    assert_eq!(texts(r#"["x\ud83d"#), ["x\u{fffd}"]);
    assert_eq!(texts(r#"["\q\n"]"#), ["\\q\n"]);
}

#[test]
fn past_the_depth_all_strings_are_one_lane() {
    let nest = |depth: usize| {
        let open = "{\"k\":".repeat(depth - 1);
        format!("{open}{{\"a\":\"x\",\"b\":\"y\"}}{}", "}".repeat(depth - 1))
    };
    let (at_the_bound, outcome) = leaves(&nest(JSON_DEPTH_MAX));
    assert_eq!(outcome, Ok(Lanes::Exact));
    assert_eq!(at_the_bound.len(), 2);
    assert_ne!(at_the_bound[0].0, at_the_bound[1].0);
    let (past_it, outcome) = leaves(&nest(JSON_DEPTH_MAX + 1));
    assert_eq!(outcome, Ok(Lanes::Exact));
    let texts: Vec<_> = past_it.iter().map(|(.., text)| &**text).collect();
    assert_eq!(texts, ["a", "x", "b", "y"], "nothing is lost");
    assert!(past_it.iter().all(|leaf| leaf.0 == past_it[0].0));
    assert_eq!(leaves(&"[".repeat(100_000)).1, Err(NotJson::Cut));
}

#[test]
fn past_the_bound_leaves_are_given_out_early() {
    let event = |count: usize, index: usize| {
        let texts = vec!["\"x\""; count].join(",");
        format!("{{\"a\":[{texts}],\"index\":{index}}}")
    };
    let (one, outcome) = leaves(&event(JSON_HELD_MAX, 1));
    assert_eq!(outcome, Ok(Lanes::Exact));
    let (two, _) = leaves(&event(JSON_HELD_MAX, 2));
    assert!(one.iter().zip(&two).all(|(one, two)| one.0 != two.0));

    let (one, outcome) = leaves(&event(JSON_HELD_MAX + 1, 1));
    assert_eq!(outcome, Ok(Lanes::Early));
    assert_eq!(one.len(), JSON_HELD_MAX + 1);
    let (two, _) = leaves(&event(JSON_HELD_MAX + 1, 2));
    let same: Vec<bool> = one.iter().zip(&two).map(|(one, two)| one.0 == two.0).collect();
    assert_eq!(same.iter().filter(|same| **same).count(), JSON_HELD_MAX);
    assert!(!same[JSON_HELD_MAX], "the last is told by its index");
}

#[test]
fn past_the_bound_of_objects_open_ones_keep_their_indices() {
    // The root, the outer object, and those in the array.
    let event = |count: usize| {
        let objects = vec!["{}"; count].join(",");
        format!("{{\"index\":7,\"a\":[{objects}],\"t\":{{\"b\":\"x\"}}}}")
    };
    let (few, outcome) = leaves(&event(JSON_HELD_MAX - 3));
    assert_eq!(outcome, Ok(Lanes::Exact));
    let (many, outcome) = leaves(&event(JSON_HELD_MAX - 2));
    assert_eq!(outcome, Ok(Lanes::Early));
    assert_eq!(few[0].0, many[0].0);
}

#[test]
fn a_reader_is_as_new_for_each_text() {
    let event = r#"{"a":[{"b":"x\n","index":1}],"c":"y"}"#;
    let mut reader = Reader::new();
    let mut lanes = Vec::new();
    for other in ["[\"x", "{\"a\":{\"index\":9,", "[[[[", "\"\\n", event] {
        let _ = reader.visit(other.as_bytes(), &mut |_| {});
        let mut found = Vec::new();
        reader
            .visit(event.as_bytes(), &mut |leaf| found.push((leaf.lane, leaf.text.to_vec())))
            .unwrap();
        lanes.push(found);
    }
    assert!(lanes.iter().all(|found| *found == lanes[0] && found.len() == 2));
}

/// Any JSON value.
fn value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z\"\\\\\n\u{1}é😀]{0,30}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[k-n\"]{0,3}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The strings of a value, in their order.
fn strings(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) if !text.is_empty() => found.push(text.clone()),
        serde_json::Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        serde_json::Value::Object(map) => map.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn leaves_are_the_strings_that_serde_json_reads(value in value()) {
        let mut expected = Vec::new();
        strings(&value, &mut expected);
        for json in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let (found, outcome) = leaves(&json);
            prop_assert!(outcome.is_ok(), "{json}");
            let found: Vec<_> = found.into_iter().map(|(.., text)| text).collect();
            prop_assert_eq!(&found, &expected, "{}", json);
        }
    }

    #[test]
    fn no_bytes_are_too_much(
        bytes in proptest::collection::vec(
            prop_oneof![
                Just(b'"'), Just(b'\\'), Just(b'u'), Just(b'{'), Just(b'}'), Just(b'['), Just(b']'),
                Just(b','), Just(b':'), Just(b'1'), any::<u8>()
            ], 0..100)
    ) {
        let _ = Reader::new().visit(&bytes, &mut |_| {});
    }
}

//! What an agent sends: a conversation that grows. Each request is the one before with new messages behind the others,
//! then the same system prompt and tools; when it is long enough, another conversation begins.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::bodies::Bodies;
use crate::text::{self, Text};

/// A conversation's first request, roughly, and the longest.
const START_BYTES: usize = 64 * 1024;
const LONGEST_BYTES: usize = 256 * 1024;
/// What stands behind the messages, roughly.
const SYSTEM_BYTES: usize = 12 * 1024;
const TOOLS: usize = 16;
const TOOL_BYTES: usize = 1024;
/// What a message says: what a model writes, and what a tool gives back.
const WRITTEN_BYTES: (u64, u64) = (200, 900);
const GIVEN_BACK_BYTES: (u64, u64) = (1000, 6000);
/// Each so many requests there is one new message, not two.
const ONE_EACH: u64 = 4;

const FRONT: &[u8] = br#"{"model":"load-model-1","messages":["#;

/// What all conversations of a client have in common.
pub struct Conversations {
    contents: Bodies,
    /// Behind the messages.
    tail: Vec<u8>,
}

impl Conversations {
    pub fn new() -> Conversations {
        let text = text::talk();
        let tail = tail(&text);
        Conversations { contents: Bodies::of_client(text), tail }
    }
}

/// One connection's.
pub struct Conversation {
    all: Arc<Conversations>,
    body: Vec<u8>,
    /// Where the messages end in it; 0 before the first.
    end: usize,
    /// Where the next conversation begins.
    start_bytes: usize,
    requests: u64,
    random: u64,
}

impl Conversation {
    /// Connection `index` of so many: the first conversations begin at different lengths, so that the mean length of
    /// a request is the same at any time.
    pub fn new(all: Arc<Conversations>, index: usize, connections: usize) -> Conversation {
        let further = (LONGEST_BYTES - START_BYTES) * index / connections.max(1);
        let random = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(index as u64 + 1);
        let start_bytes = START_BYTES + further;
        Conversation { all, body: Vec::new(), end: 0, start_bytes, requests: 0, random }
    }

    /// The next request's body.
    pub fn next(&mut self) -> &[u8] {
        let all = Arc::clone(&self.all);
        self.requests += 1;
        let goes_on = self.end > 0 && {
            self.body.truncate(self.end);
            if !self.requests.is_multiple_of(ONE_EACH) {
                self.add_message("assistant");
            }
            self.add_message("user");
            self.body.len() + all.tail.len() <= LONGEST_BYTES
        };
        if !goes_on {
            self.body.clear();
            self.body.extend_from_slice(FRONT);
            while self.body.len() + all.tail.len() < self.start_bytes {
                self.add_message("user");
                self.add_message("assistant");
            }
            self.add_message("user");
            self.start_bytes = START_BYTES;
        }
        self.end = self.body.len();
        self.body.extend_from_slice(&all.tail);
        &self.body
    }

    fn add_message(&mut self, role: &str) {
        let call = format!("call-{}", self.next_random() >> 16);
        let content = match role {
            "assistant" => json!([
                { "type": "text", "text": self.contents(WRITTEN_BYTES) },
                { "type": "tool_use", "id": call, "name": "tool-3", "input": { "path": self.contents((20, 60)) } },
            ]),
            _ => json!([
                { "type": "tool_result", "tool_use_id": call, "content": self.contents(GIVEN_BACK_BYTES) },
            ]),
        };
        if self.body.last() != Some(&b'[') {
            self.body.push(b',');
        }
        append(&mut self.body, &json!({ "role": role, "content": content }));
    }

    /// New text, from anywhere of the text.
    fn contents(&mut self, (least, most): (u64, u64)) -> String {
        let len = least + self.next_random() % (most - least);
        let at = self.next_random();
        let mut out = Vec::with_capacity(len as usize);
        self.all.contents.body_from(at, len).write(len as usize, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// xorshift.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

fn append(body: &mut Vec<u8>, value: &Value) {
    body.extend_from_slice(value.to_string().as_bytes());
}

/// System prompt and tools, and the end of the body.
fn tail(text: &Text) -> Vec<u8> {
    let piece = |at: usize, len: usize| {
        String::from_utf8_lossy(text.bytes.get(at..at + len).unwrap_or_default()).into_owned()
    };
    let tool = |number: usize| {
        json!({
            "name": format!("tool-{number}"),
            "description": piece(SYSTEM_BYTES + number * TOOL_BYTES, TOOL_BYTES),
            "input_schema": {
                "type": "object",
                "properties": {
                    "path": { "type": "string", "description": piece(number * 100, 80) },
                    "limit": { "type": "integer", "minimum": 1 },
                },
                "required": ["path"],
            },
        })
    };
    let mut tail = br#"],"system":"#.to_vec();
    append(&mut tail, &Value::from(piece(0, SYSTEM_BYTES)));
    tail.extend_from_slice(br#","tools":"#);
    append(&mut tail, &(0..TOOLS).map(tool).collect());
    tail.push(b'}');
    tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_grows_to_its_bound_and_another_begins() {
        let all = Arc::new(Conversations::new());
        let mut last_starts = Vec::new();
        for index in 0..4 {
            let mut one = Conversation::new(Arc::clone(&all), index, 4);
            let sizes: Vec<usize> = (0..200).map(|_| one.next().len()).collect();
            assert!(sizes.iter().all(|size| *size <= LONGEST_BYTES));
            let starts: Vec<usize> =
                sizes.windows(2).filter(|pair| pair[1] < pair[0]).map(|pair| pair[1]).collect();
            assert!((3..10).contains(&starts.len()), "{sizes:?}");
            let usual = START_BYTES..START_BYTES + 16 * 1024;
            assert!(starts.iter().all(|size| usual.contains(size)), "{starts:?}");
            last_starts.push(sizes[0]);
        }
        assert!(last_starts.is_sorted() && last_starts[0] < 90_000, "{last_starts:?}");
    }
}

//! What several strings of JSON say together: a command as the list of its words, a setting as its name and its value, a
//! text that is cut into objects. Each is written out as the line that it would be in a shell, in a file of settings, or there. JSON that is a string of
//! JSON, as the arguments of a call are, and lists as Python writes them are read the same way.

use std::ops::Range;

use fearless_simd::{Simd, dispatch};
use memchr::memchr2;
use smallvec::SmallVec;

use super::calls::is_in_call;
use super::escape::unescape;
use super::quote::{Quote, before_blanks, behind_blanks};
use super::siblings::{self, Siblings, siblings};
use crate::limits::{JSON_ASIDE_MAX_BYTES, JSON_ASIDE_NAME_MAX_BYTES, JSON_ASIDE_WORDS_MAX};
use crate::scan::view::chunk::{CHUNK_BYTES, Chunk, last_chunk, level};

/// How the key of a value ends.
const VALUE: &[u8] = b"alue";
const KEPT_BYTES: usize = 2 * JSON_ASIDE_MAX_BYTES;
/// The keys of what names a value, and of the command that arguments are for.
const NAMES: [&[u8]; 5] = [b"name", b"Name", b"key", b"Key", b"variable"];
/// The key of a value that says which type it has, as OpenTelemetry writes attributes.
const TYPED_VALUE: &[u8] = b"stringValue";
const COMMANDS: [&[u8]; 4] = [b"command", b"cmd", b"program", b"executable"];
const ARGUMENTS: [&[u8]; 2] = [b"args", b"arguments"];

/// Finds them in JSON that comes in pieces.
#[derive(Debug, Default)]
pub struct Asides {
    /// The last bytes, twice as many as one of them may be long.
    kept: Vec<u8>,
    is_joined: bool,
}

/// The lines that were found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lines {
    pub commands: Vec<u8>,
    /// Those of tool calls.
    pub calls: Vec<u8>,
    pub settings: Vec<u8>,
    /// What two objects side by side say, and three.
    pub pairs: Vec<u8>,
    pub triples: Vec<u8>,
}

impl Asides {
    /// Nothing read yet. `is_joined`: it is what the events of a stream say together.
    pub fn new(is_joined: bool) -> Self {
        Asides { kept: Vec::new(), is_joined }
    }

    /// Takes the next bytes, and appends what ends in them.
    pub fn feed(&mut self, bytes: &[u8], lines: &mut Lines) {
        let kept = self.kept.len();
        let mut near = 0;
        if kept > 0 {
            // What is seen near the front may have begun before it.
            near = JSON_ASIDE_MAX_BYTES;
            self.kept.extend_from_slice(bytes.get(..KEPT_BYTES).unwrap_or(bytes));
            let wants = |at, end| at < kept + near && end > kept;
            find(&self.kept, &wants, self.is_joined, lines);
        }
        find(bytes, &|at, _| at >= near, self.is_joined, lines);
        self.kept.truncate(kept);
        let last = bytes.get(bytes.len().saturating_sub(KEPT_BYTES)..).unwrap_or_default();
        let stale = (kept + last.len()).saturating_sub(KEPT_BYTES);
        self.kept.drain(..stale.min(kept));
        self.kept.extend_from_slice(last);
    }
}

/// Appends those that are wanted, by where they are seen and where they end.
fn find(text: &[u8], wants: &dyn Fn(usize, usize) -> bool, is_joined: bool, lines: &mut Lines) {
    let wants = |at: usize, place: &Range<usize>| {
        place.end - place.start <= JSON_ASIDE_MAX_BYTES && wants(at, place.end)
    };
    let mut from = 0;
    while let Some(at) = next_place(text, from) {
        from = at + 1;
        if text.get(at) == Some(&b'[') {
            if let Some((place, words)) = command(text, at)
                && wants(at, &place)
            {
                let out = match is_of_call(text, (place.start, at), &words, is_joined) {
                    true => &mut lines.calls,
                    false => &mut lines.commands,
                };
                write_command(text, &words, out);
            }
        } else if text.get(at) == Some(&b't') {
            find_siblings(text, at, &wants, lines);
        } else if let Some(at) = value_key(text, at)
            && let Some((place, name, value)) = setting(text, at)
            && wants(at, &place)
        {
            lines.settings.extend_from_slice(slice(text, &name.place));
            lines.settings.push(b'=');
            value.write(text, &mut lines.settings);
            lines.settings.push(b'\n');
        }
    }
}

/// Appends what the object whose text has its key before `at` says with those behind it.
fn find_siblings(
    text: &[u8],
    at: usize,
    wants: &dyn Fn(usize, &Range<usize>) -> bool,
    lines: &mut Lines,
) {
    let Some(Siblings { two: (place, [first, second]), third }) = siblings(text, at) else {
        return;
    };
    if wants(at, &place) {
        siblings::write(text, &[&first, &second], &mut lines.pairs);
    }
    if let Some((third, end)) = third
        && wants(at, &(place.start..end))
    {
        siblings::write(text, &[&first, &second, &third], &mut lines.triples);
    }
}

/// Where a list may begin, or the key of a value or a text may end: the next such place from `from` on.
fn next_place(text: &[u8], from: usize) -> Option<usize> {
    dispatch!(level(), simd => next_place_by(simd, text, from))
}

#[inline(always)]
fn next_place_by(simd: impl Simd, text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at < text.len() {
        let whole = text.get(at..).and_then(<[u8]>::first_chunk);
        let places = match (whole, text.get(at + 1..).and_then(<[u8]>::first_chunk)) {
            (Some(own), Some(next)) => places(Chunk::new(simd, own), Chunk::new(simd, next)),
            _ => {
                let [own, next] = [at, at + 1].map(|at| last_chunk(text, at));
                places(Chunk::new(simd, &own), Chunk::new(simd, &next))
            }
        };
        if places != 0 {
            return Some(at + places.trailing_zeros() as usize);
        }
        at += CHUNK_BYTES;
    }
    None
}

/// The same in a chunk, with the same bytes from the second on, and one more.
#[inline(always)]
fn places<S: Simd>(chunk: Chunk<S>, next: Chunk<S>) -> u64 {
    let quoted = next.equals(b'"').or(next.equals(b'\\'));
    let blank = next.within(b'\t', 5).or(next.equals(b' '));
    let lists = chunk.equals(b'[').and(quoted.or(next.equals(b'\'')).or(blank)).mask();
    // Of the first three bytes nothing is known before them.
    let [a, l, u] = [b'a', b'l', b'u'].map(|byte| chunk.equals(byte).mask());
    let letters = (a << 3 | 0b111) & (l << 2 | 0b11) & (u << 1 | 1);
    let (t, e) = (chunk.equals(b't'), chunk.equals(b'e'));
    let texts =
        (t.mask() << 3 | 0b111) & (e.mask() << 2 | 0b11) & (chunk.equals(b'x').mask() << 1 | 1);
    lists | e.and(quoted).mask() & letters | t.and(quoted).mask() & texts
}

/// Where the end of a value's key begins that ends at `last`.
fn value_key(text: &[u8], last: usize) -> Option<usize> {
    let at = (last + 1).checked_sub(VALUE.len())?;
    text.get(at..)?.starts_with(VALUE).then_some(at)
}

/// What is between the quotes of a string.
#[derive(Clone, Debug, Default)]
pub(super) struct Word {
    place: Range<usize>,
    quote: Quote,
}

type Words = SmallVec<[Word; 8]>;

impl Word {
    /// Where it stands.
    pub(super) fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    /// Appends what it stands for.
    pub(super) fn write(&self, text: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        unescape(slice(text, &self.place), out);
        for _ in 0..self.quote.inner_levels() {
            let inner = out.split_off(start);
            unescape(&inner, out);
        }
    }
}

/// The command whose words, or all but the first, are the array at `at`.
fn command(text: &[u8], at: usize) -> Option<(Range<usize>, Words)> {
    let (mut words, end) = list(text, at)?;
    let mut start = at;
    let before = text.get(..at)?;
    let quote = words.first()?.quote;
    if quote != Quote::default() && !is_value_behind(before_blanks(before)) {
        return None;
    }
    let behind_key = before_blanks(before).strip_suffix(b":");
    if let Some((key, _)) = behind_key.and_then(|before| key_before(before, &ARGUMENTS, quote))
        && let Some((first, name)) = member_before(text, key, &COMMANDS, quote)
    {
        words.insert(0, name);
        start = first;
    }
    let (first, others) = words.split_first()?;
    let first = slice(text, &first.place);
    let is_name = first.len() <= JSON_ASIDE_NAME_MAX_BYTES && first.iter().all(is_of_name);
    // Lists of words are many; one of a command has options or paths.
    let is_argument =
        |word: &Word| matches!(slice(text, &word.place), [b'-' | b'/' | b'~' | b'.', _, ..] | b"/");
    let is_one = is_name && !first.starts_with(b"-") && others.iter().any(is_argument);
    is_one.then_some((start..end, words))
}

/// Whether a command that begins at `start`, and whose list begins at `list`, is one of a tool call.
fn is_of_call(text: &[u8], (start, list): (usize, usize), words: &[Word], is_joined: bool) -> bool {
    let Some(quote) = words.first().map(|word| word.quote) else { return false };
    let behind_key = text.get(..list).and_then(|before| before_blanks(before).strip_suffix(b":"));
    let member = match start < list {
        true => Some(start),
        false => behind_key.and_then(|key| key_before(key, &COMMANDS, quote)).map(|(key, _)| key),
    };
    member.is_some_and(|at| is_in_call(text, (at, list), quote, is_joined))
}

/// Whether a list that stands in a text is a value there, or an argument. Others say how something is to be started,
/// such as `CMD ["sh", "-c", …]` of a Dockerfile, and a `command:` in YAML.
fn is_value_behind(before: &[u8]) -> bool {
    match before {
        [key @ .., b':'] => matches!(before_blanks(key), [.., b'"' | b'\'']),
        _ => matches!(before, [.., b'(' | b'=' | b',' | b'[' | b'"' | b'\'']),
    }
}

/// The strings of the array at `at`, if there is nothing else in it, and where it ends.
fn list(text: &[u8], at: usize) -> Option<(Words, usize)> {
    let mut words = Words::new();
    let mut at = behind_blanks(text, at + 1);
    let first = Quote::at(text, at)?;
    loop {
        let (word, end) = string(text, at, first)?;
        at = behind_blanks(text, end);
        words.push(word);
        match text.get(at)? {
            b',' if words.len() < JSON_ASIDE_WORDS_MAX => at = behind_blanks(text, at + 1),
            b']' => return Some((words, at + 1)),
            _ => return None,
        }
    }
}

/// A name, and the value whose key ends with what is at `at`: behind the name, or before it.
fn setting(text: &[u8], at: usize) -> Option<(Range<usize>, Word, Word)> {
    let end = at + VALUE.len();
    let quote = Quote::at(text, end)?;
    let key = at.checked_sub(1 + quote.len())?;
    let is_key = matches!(text.get(at - 1), Some(b'v' | b'V'))
        && quote.byte == b'"'
        && Quote::at(text, key) == Some(quote);
    if !is_key {
        return None;
    }
    let before = member_before(text, key, &NAMES, quote);
    let colon = behind_blanks(text, end + quote.len());
    let (b':', _) = text.get(colon..)?.split_first()? else { return None };
    let start = behind_blanks(text, colon + 1);
    let (value, end) = string(text, start, quote).or_else(|| typed(text, start, quote))?;
    let (place, name) = match before {
        Some((start, name)) => (start..end, name),
        None => member_behind(text, end, quote).map(|(end, name)| (key..end, name))?,
    };
    (!value.place.is_empty()).then_some((place, name, value))
}

/// The value in an object that tells its type, and where the object ends.
fn typed(text: &[u8], at: usize, quote: Quote) -> Option<(Word, usize)> {
    let (b'{', _) = text.get(at..)?.split_first()? else { return None };
    let key = behind_blanks(text, at + 1);
    let (value, end) = member(text, key, &[TYPED_VALUE], quote)?;
    let close = behind_blanks(text, end);
    (text.get(close) == Some(&b'}')).then_some((value, close + 1))
}

/// The member behind the one that ends at `at`, if it has a name's key and a simple word as its value.
fn member_behind(text: &[u8], at: usize, quote: Quote) -> Option<(usize, Word)> {
    let comma = behind_blanks(text, at);
    let (b',', _) = text.get(comma..)?.split_first()? else { return None };
    let (name, end) = member(text, behind_blanks(text, comma + 1), &NAMES, quote)?;
    let is_name = (1..=JSON_ASIDE_NAME_MAX_BYTES).contains(&name.place.len())
        && slice(text, &name.place).iter().all(is_of_name);
    is_name.then_some((end, name))
}

/// The string at the key at `at`, if it is one of these, and where it ends.
fn member(text: &[u8], at: usize, keys: &[&[u8]], quote: Quote) -> Option<(Word, usize)> {
    let start = at + Quote::at(text, at).filter(|own| *own == quote)?.len();
    let rest = text.get(start..)?;
    let is_key =
        |key: &&&[u8]| rest.starts_with(key) && Quote::at(text, start + key.len()) == Some(quote);
    let key = keys.iter().find(is_key)?;
    let colon = behind_blanks(text, start + key.len() + quote.len());
    let (b':', _) = text.get(colon..)?.split_first()? else { return None };
    string(text, behind_blanks(text, colon + 1), quote)
}

/// The string at `at` of a list that begins with `first`, and where it ends.
pub(super) fn string(text: &[u8], at: usize, first: Quote) -> Option<(Word, usize)> {
    // What Python writes as `['sh', '-c', "it's"]` has either.
    let quote = Quote::at(text, at).filter(|quote| *quote == first || first.byte == b'\'')?;
    let start = at + quote.len();
    let mut end = start;
    while end - start < JSON_ASIDE_MAX_BYTES {
        let near = text.len().min(start + JSON_ASIDE_MAX_BYTES);
        end += memchr2(b'"', quote.byte, text.get(end..near)?)?;
        let escapes = text.get(start..end)?.iter().rev().take_while(|byte| **byte == b'\\').count();
        let byte = *text.get(end)?;
        if byte == quote.byte && quote.ends_behind(escapes) {
            let place = start..end - quote.escapes;
            return Some((Word { place, quote }, end + 1));
        }
        // The end of what all of this stands in.
        if byte == b'"' && (escapes < quote.escapes || escapes == 0) {
            return None;
        }
        end += 1;
    }
    None
}

/// The member that ends before the key at `at`, if it has one of these keys and a simple word as its value: where its
/// key begins, and the value.
pub(super) fn member_before(
    text: &[u8],
    at: usize,
    keys: &[&[u8]],
    quote: Quote,
) -> Option<(usize, Word)> {
    let before = before_blanks(text.get(..at)?).strip_suffix(b",")?;
    let before = quote.before(before_blanks(before))?;
    let row = before.iter().rev().take(JSON_ASIDE_NAME_MAX_BYTES + 1);
    let len = row.take_while(|byte| is_of_name(byte)).count();
    let place = before.len() - len..before.len();
    let before = quote.before(before.get(..place.start)?)?;
    let (start, _) = key_before(before_blanks(before).strip_suffix(b":")?, keys, quote)?;
    (1..=JSON_ASIDE_NAME_MAX_BYTES).contains(&len).then_some((start, Word { place, quote }))
}

/// Where the key begins that `text` ends with, if it is one of these, and which.
pub(super) fn key_before<'k>(
    text: &[u8],
    keys: &[&'k [u8]],
    quote: Quote,
) -> Option<(usize, &'k [u8])> {
    let text = quote.before(before_blanks(text))?;
    keys.iter().find_map(|key| {
        let before = quote.before(text.strip_suffix(*key)?)?;
        Some((before.len(), *key))
    })
}

fn is_of_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/' | b'+')
}

fn slice<'t>(text: &'t [u8], place: &Range<usize>) -> &'t [u8] {
    text.get(place.clone()).unwrap_or_default()
}

/// Writes the words of a command; what a shell is given to run stands in quotes.
fn write_command(text: &[u8], words: &[Word], out: &mut Vec<u8>) {
    let mut is_script = false;
    for word in words {
        let quote: &[u8] = if is_script { b"'" } else { b"" };
        out.extend_from_slice(quote);
        word.write(text, out);
        out.extend_from_slice(quote);
        out.push(b' ');
        let word = slice(text, &word.place);
        is_script = word.len() <= 4 && word.starts_with(b"-") && word.ends_with(b"c");
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Lines {
        let (mut asides, mut lines) = (Asides::new(false), Lines::default());
        pieces.iter().for_each(|piece| asides.feed(piece, &mut lines));
        lines
    }

    /// The commands, and the settings.
    fn found(pieces: &[&[u8]]) -> (String, String) {
        let Lines { commands, calls, settings, .. } = read(pieces);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text([commands, calls].concat()), text(settings))
    }

    fn commands(json: &str) -> String {
        found(&[json.as_bytes()]).0
    }

    fn settings(json: &str) -> String {
        found(&[json.as_bytes()]).1
    }

    #[test]
    fn commands_are_written_as_a_shell_takes_them() {
        for (json, line) in [
            (r#"["rm","-rf","/"]"#, "rm -rf / \n"),
            (r#"{"command": ["bash", "-lc", "id \"x\""]}"#, "bash -lc 'id \"x\"' \n"),
            (r#"{"command":"rm","args":["-rf","/"]}"#, "rm -rf / \n"),
            ("{\"cmd\" : \"/bin/cat\" ,\n\"arguments\" : [ \"/etc/x\" ]}", "/bin/cat /etc/x \n"),
            (r#"["a","b"] ["x y","-c"] ["-a","-b"] [] ["rm"] [1,"-x"] ["rm","-r",{}]"#, ""),
            (r#"{"required":["path","mode"],"args":["-y"]}"#, ""),
        ] {
            assert_eq!(commands(json), line, "{json}");
        }
    }

    #[test]
    fn commands_in_strings_of_json_and_in_lists_of_python_are_found() {
        for (json, line) in [
            (r#"{"arguments":"{\"cmd\": [\"rm\",\"-rf\" , \"/\"]}"}"#, "rm -rf / \n"),
            (r#"{"a":"{\"command\":\"rm\",\n \"args\":[\n\"-r\",\"/\"]}"}"#, "rm -r / \n"),
            (r#""[\"sh\",\"-c\",\"echo \\\"x\\\" \\\\\"]""#, "sh -c 'echo \"x\" \\' \n"),
            (r#""\"[\\\"sh\\\",\\\"-c\\\",\\\"a\\\\\\\"b\\\"]\"""#, "sh -c 'a\"b' \n"),
            (r#""run(['sh', '-c', \"echo 'x'\"])""#, "sh -c 'echo 'x'' \n"),
            (r#""['sh', '-c", '/']" "[\"sh\", '-c']" "[\"sh\", \"-c" , \"-d\"]""#, ""),
        ] {
            assert_eq!(commands(json), line, "{json}");
        }
    }

    #[test]
    fn how_a_container_is_to_be_started_is_no_command_that_somebody_gives() {
        for json in [
            r#"{"content":"FROM x\nCMD [\"sh\", \"-c\", \"python manage.py migrate\"]\n"}"#,
            r#"{"content":"command: [\"/bin/sh\", \"-c\", \"exec x\"]\n"}"#,
        ] {
            assert_eq!(commands(json), "", "{json}");
        }
    }

    #[test]
    fn settings_in_strings_of_json_are_found() {
        let json = r#"{"text":"[{\"name\": \"A_TOKEN\",\n \"value\": \"a\\\"b\"}]"}"#;
        assert_eq!(settings(json), "A_TOKEN=a\"b\n");
        assert_eq!(settings(r#"{"text":"{\"name\": \"A\", \"value": "b"}"#), "");
    }

    #[test]
    fn settings_are_written_as_in_a_file() {
        for (json, line) in [
            (r#"[{"name":"A_TOKEN","value":"1\n5"}]"#, "A_TOKEN=1\n5\n"),
            ("{\"Key\" : \"k\" ,\n \"Value\" : \"v\"}", "k=v\n"),
            (r#"{"name":"A b","value":"x"} {"value":"x"} {"name":"a","value":1}"#, ""),
            (r#"{"name":"a","value":""} {"names":"a","values":"b"} {"xname":"a","value":"b"}"#, ""),
        ] {
            assert_eq!(settings(json), line, "{json}");
        }
    }

    #[test]
    fn settings_are_found_whose_value_is_typed_or_stands_before_the_name() {
        for (json, line) in [
            (r#"{"key":"A_TOKEN","value":{"stringValue":"b"}}"#, "A_TOKEN=b\n"),
            ("{\"key\" : \"A\",\n\"value\" : {\n\"stringValue\" : \"b\" }\n}", "A=b\n"),
            (r#"{"value":"b","name":"A_TOKEN"}"#, "A_TOKEN=b\n"),
            (r#"{"value":{"stringValue":"b"}, "key":"A"}"#, "A=b\n"),
            (r#"{"variable":"A_TOKEN","value":"b"}"#, "A_TOKEN=b\n"),
            (r#"[{"name":"A","value":"b"},{"value":"c","name":"D"}]"#, "A=b\nD=c\n"),
            (r#"{"name":"A","value":"b","key":"C"}"#, "A=b\n"),
            (r#"{"t":"{\"value\":\"b\",\"name\":\"A\"}"}"#, "A=b\n"),
            (r#"{"key":"A","value":{"intValue":"1"}} {"value":"b","name":"A b"}"#, ""),
            (r#"{"value":"b","other":"A"} {"value":"b"},{"name":"A"} {"value":"b","name":1}"#, ""),
        ] {
            assert_eq!(settings(json), line, "{json}");
        }
    }

    #[test]
    fn as_much_as_the_bounds_is_written_and_no_more() {
        let list = |words: usize| format!("[\"rm\"{}]", ",\"-f\"".repeat(words - 1));
        assert!(!commands(&list(JSON_ASIDE_WORDS_MAX)).is_empty());
        assert!(commands(&list(JSON_ASIDE_WORDS_MAX + 1)).is_empty());
        let long = |len: usize| format!("[\"rm\",\"-{}\"]", "f".repeat(len - 10));
        assert_eq!(long(50).len(), 50);
        assert!(!commands(&long(JSON_ASIDE_MAX_BYTES)).is_empty());
        assert!(commands(&long(JSON_ASIDE_MAX_BYTES + 1)).is_empty());
        let named = |len: usize| format!(r#"{{"name":"{}","value":"v"}}"#, "n".repeat(len));
        assert!(!settings(&named(JSON_ASIDE_NAME_MAX_BYTES)).is_empty());
        assert!(settings(&named(JSON_ASIDE_NAME_MAX_BYTES + 1)).is_empty());
    }

    proptest! {
        #[test]
        fn they_are_found_however_the_text_is_cut(
            parts in proptest::collection::vec(prop_oneof![
                Just(r#"["rm", "-rf","/"]"#.to_owned()),
                Just(r#"{"command":"rm","args":["-rf","/\"\u0041"]},"#.to_owned()),
                Just(r#"{"name": "A","value" :"b\\"},"#.to_owned()),
                Just(r#"{"value":"b", "name":"A"},"#.to_owned()),
                Just(r#"{"key":"A","value":{"stringValue": "b"}},"#.to_owned()),
                Just(r#"{"type":"text","text":"a b"},"#.to_owned()),
                Just(r#"{"text": "c\u0041", "marks":[{"type":"bold"}]},"#.to_owned()),
                Just(r#"[\"rm\", \"-rf\",\n\"/\"]"#.to_owned()),
                Just(r#""arguments":"{\"a\":1,\"cmd\":[\"rm\",\"-rf\"]}","#.to_owned()),
                "[\\[\\]{}\"',:a\\\\/-]{0,9}",
                "[a-z]{0,700}",
            ], 0..8),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let text = parts.concat();
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            ends.sort_unstable();
            ends.push(text.len());
            let mut from = 0;
            let pieces: Vec<&[u8]> = ends
                .into_iter()
                .map(|end| &text.as_bytes()[std::mem::replace(&mut from, end)..end])
                .collect();
            let sorted = |lines: Lines| {
                [lines.commands, lines.calls, lines.settings, lines.pairs, lines.triples].map(|text| {
                    let mut lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
                    lines.sort();
                    lines
                })
            };
            prop_assert_eq!(sorted(read(&pieces)), sorted(read(&[text.as_bytes()])));
        }
    }
}

//! Whether lines of JSON that come with others at once are the events of a stream: by the first of them. To join the
//! lines of a file costs as much as to scan it, so only those are joined of which each says a few letters more.

use crate::limits::{
    SCAN_DELTA_LINES_MAX, SCAN_DELTA_MAX_BYTES, SCAN_DELTA_OTHERS_MAX, SCAN_FIRST_LINE_MAX_BYTES,
};
use crate::scan::view::json::{Reader, number_of};

/// What the first lines of some JSON are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstLines {
    /// Two in a row that differ in one short text.
    Deltas,
    /// More of them are needed to tell.
    Open,
    Others,
}

/// What a line says: the place of each of its texts, a number of the text, and how long that is.
#[derive(Default, PartialEq, Eq)]
struct Line(Vec<(u64, u64, usize)>);

/// Looks at lines as far as they came.
pub(super) fn first_lines(head: &[u8]) -> FirstLines {
    let mut reader = Reader::new();
    let mut last = None;
    let head = head.get(..SCAN_FIRST_LINE_MAX_BYTES).unwrap_or(head);
    let mut count = 0;
    let mut rest = head;
    while let Some(end) = memchr::memchr3(b'\n', b'\r', 0x1e, rest) {
        let (line, behind) = rest.split_at_checked(end + 1).unwrap_or((rest, &[]));
        rest = behind;
        let line = line.get(..end).unwrap_or_default().trim_ascii();
        if line.is_empty() {
            continue;
        }
        count += 1;
        let Some(line) = Line::read(line, &mut reader).filter(|line| !line.is_prose()) else {
            return FirstLines::Others;
        };
        if last.as_ref().is_some_and(|last: &Line| last.goes_on_in(&line)) {
            return FirstLines::Deltas;
        }
        if count >= SCAN_DELTA_LINES_MAX {
            return FirstLines::Others;
        }
        last = Some(line);
    }
    match head.len() < SCAN_FIRST_LINE_MAX_BYTES {
        true => FirstLines::Open,
        false => FirstLines::Others,
    }
}

impl Line {
    /// None if it is no object to its end.
    fn read(line: &[u8], reader: &mut Reader) -> Option<Line> {
        let mut texts = Vec::new();
        let is_object = line.starts_with(b"{") && line.ends_with(b"}");
        let visited = is_object.then(|| {
            reader.visit(line, &mut |leaf| {
                if texts.len() <= SCAN_DELTA_OTHERS_MAX && !is_uuid(leaf.text) {
                    texts.push((leaf.lane, number_of(leaf.text), leaf.text.len()));
                }
            })
        });
        matches!(visited, Some(Ok(_))).then_some(Line(texts))
    }

    /// Whether it says one thing, and more of it than an event does.
    fn is_prose(&self) -> bool {
        matches!(self.0.as_slice(), [(_, _, len)] if *len > SCAN_DELTA_MAX_BYTES)
    }

    /// Whether another one says the same but for one short text.
    fn goes_on_in(&self, other: &Line) -> bool {
        let pairs = || self.0.iter().zip(&other.0);
        let is_alike = self.0.len() == other.0.len()
            && self.0.len() <= SCAN_DELTA_OTHERS_MAX
            && pairs().all(|(one, other)| one.0 == other.0);
        let mut new = pairs().filter(|(one, other)| one != other);
        let is_short = |(one, other): (&(u64, u64, usize), &(u64, u64, usize))| {
            one.2.max(other.2) <= SCAN_DELTA_MAX_BYTES
        };
        is_alike && new.next().is_some_and(is_short) && new.next().is_none()
    }
}

/// Names that are new each time say nothing.
fn is_uuid(text: &[u8]) -> bool {
    let is_dash = |at: usize| text.get(at) == Some(&b'-');
    text.len() == 36 && [8, 13, 18, 23].into_iter().all(is_dash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> FirstLines {
        first_lines(lines.join("\n").as_bytes())
    }

    #[test]
    fn lines_that_differ_in_a_few_letters_are_deltas() {
        let chunk = |text: &str| {
            let choice =
                format!(r#"{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}"#);
            format!(r#"{{"id":"chatcmpl-1","object":"chunk","choices":[{choice}]}}"#)
        };
        let (first, second, third) = (chunk(""), chunk("It"), chunk(" is"));
        assert_eq!(of(&[&first, &second, &third, ""]), FirstLines::Deltas);
        assert_eq!(of(&[&first, &second, &third]), FirstLines::Open);
        let typed = |text: &str| format!(r#"{{"event_type":"text-generation","text":"{text}"}}"#);
        assert_eq!(of(&[&typed("It"), &typed(" is"), ""]), FirstLines::Deltas);
        let named = |text: &str, digit: u8| {
            format!(r#"{{"text":"{text}","uuid":"0000000{digit}-0000-0000-0000-000000000000"}}"#)
        };
        assert_eq!(of(&[&named("It", 1), &named(" is", 2), ""]), FirstLines::Deltas);
    }

    #[test]
    fn lines_of_prose_and_of_records_are_others() {
        let line = |text: &str| format!(r#"{{"type":"delta","delta":{{"text":"{text}"}}}}"#);
        for (len, told) in [
            (SCAN_DELTA_MAX_BYTES, FirstLines::Deltas),
            (SCAN_DELTA_MAX_BYTES + 1, FirstLines::Others),
        ] {
            let lines = [line(&"a".repeat(len)), line(&"b".repeat(len)), String::new()];
            assert_eq!(first_lines(lines.join("\n").as_bytes()), told, "{len}");
        }
        for lines in [
            ["{\"a\":\"b\",\"c\":\"d\"}", "{\"a\":\"x\",\"c\":\"y\"}"],
            ["{\"a\":\"b\"}", "{\"a\":\"b\"}"],
            ["{\"a\":\"b\"}", "{\"c\":\"d\"}"],
            ["{\"a\":1}", "{\"a\":2}"],
        ] {
            let many = lines.repeat(SCAN_DELTA_LINES_MAX / 2).join("\n") + "\n";
            assert_eq!(first_lines(many.as_bytes()), FirstLines::Others, "{lines:?}");
            let fewer = many.trim_end();
            assert_eq!(first_lines(fewer.as_bytes()), FirstLines::Open, "{lines:?}");
        }
        for no in ["{\n\"a\": 1\n}\n", "word\n", "{\"a\":1} x\n"] {
            assert_eq!(first_lines(no.as_bytes()), FirstLines::Others, "{no}");
        }
    }

    #[test]
    fn more_than_the_bound_is_not_waited_for() {
        for (len, told) in [
            (SCAN_FIRST_LINE_MAX_BYTES - 1, FirstLines::Open),
            (SCAN_FIRST_LINE_MAX_BYTES, FirstLines::Others),
        ] {
            assert_eq!(first_lines(&vec![b'{'; len]), told);
        }
    }
}

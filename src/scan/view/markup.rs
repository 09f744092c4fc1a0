//! HTML and XML as the text that they show, as a stream: without tags, comments, programs and style sheets, so that
//! a word is whole again that `<b>` or a run of a document splits. Escapes stay as they are, and what a `CDATA`
//! section holds is read as what stands around it.

use memchr::memchr;

use crate::limits::{MARKUP_NAME_MAX_BYTES, MARKUP_TAG_MAX_BYTES};

/// The elements that stand in lines of their own, by the names behind their prefixes: of HTML, of texts, tables and
/// slides of OOXML, of OpenDocument.
const BLOCKS: [&[u8]; 27] = [
    b"p",
    b"div",
    b"li",
    b"tr",
    b"td",
    b"th",
    b"h",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"br",
    b"hr",
    b"dt",
    b"dd",
    b"pre",
    b"option",
    b"title",
    b"tab",
    b"si",
    b"c",
    b"row",
    b"table-cell",
    b"line-break",
    b"blockquote",
];

/// What opens a section of plain text in XML, behind `<!`.
const CDATA: &[u8] = b"[CDATA[";

/// One document.
#[derive(Debug)]
pub struct Markup {
    state: State,
    /// How many bytes of a tag passed.
    tag_bytes: usize,
    name: Name,
    /// Whether what came out so far ends with a line.
    is_at_line: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Text,
    /// Behind `<`.
    Opened,
    /// In the name of a tag.
    Name {
        is_end: bool,
    },
    /// Among the attributes.
    Within {
        is_end: bool,
        last: Last,
    },
    /// In an attribute's value, up to this quote.
    Value {
        quote: u8,
        is_end: bool,
    },
    /// Behind `<!`, and so many bytes that begin a comment or a section.
    Declared {
        dash: bool,
        section: usize,
    },
    /// What ends with the next `>`: declarations, processing instructions.
    Instruction,
    /// A comment, behind what may end it.
    Comment(CommentEnd),
    /// In what is no text, behind so many bytes of the tag that ends it.
    Unshown {
        end: &'static [u8],
        seen: usize,
    },
}

/// What an attribute's value, or the end of a tag, may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Equals,
    Slash,
    Other,
}

/// How much of `-->` or `--!>` there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CommentEnd {
    None,
    Dash,
    Dashes,
    Mark,
}

/// The name of an element behind its prefix, in small letters.
#[derive(Clone, Copy, Debug, Default)]
struct Name {
    bytes: [u8; MARKUP_NAME_MAX_BYTES],
    /// More than there is room for: it is none of those that are known.
    len: usize,
    has_prefix: bool,
}

impl Name {
    fn push(&mut self, byte: u8) {
        if byte == b':' {
            *self = Name { has_prefix: true, ..Name::default() };
            return;
        }
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte.to_ascii_lowercase();
        }
        self.len = self.len.saturating_add(1);
    }

    fn get(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn is_block(&self) -> bool {
        BLOCKS.contains(&self.get())
    }

    /// The tag that ends it, if what stands up to there is no text. Styles of documents have prefixes, and hold none.
    fn unshown_to(&self) -> Option<&'static [u8]> {
        match self.get() {
            b"script" if !self.has_prefix => Some(b"</script"),
            b"style" if !self.has_prefix => Some(b"</style"),
            _ => None,
        }
    }
}

impl Default for Markup {
    fn default() -> Markup {
        Markup::new()
    }
}

impl Markup {
    /// At the first byte.
    pub fn new() -> Markup {
        Markup { state: State::Text, tag_bytes: 0, name: Name::default(), is_at_line: true }
    }

    /// Appends what the bytes show: never more than came, but for one byte that an earlier call held back.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = match self.state {
                State::Text => self.text(rest, out),
                State::Opened => self.opened(rest, out),
                State::Name { .. } | State::Within { .. } => self.tag(rest, out),
                State::Value { quote, is_end } => {
                    let behind = State::Within { is_end, last: Last::Other };
                    self.pass(rest, memchr(quote, self.near(rest)), behind)
                }
                State::Declared { dash, section } => self.declared(rest, dash, section),
                State::Instruction => self.pass(rest, memchr(b'>', self.near(rest)), State::Text),
                State::Comment(end) => self.comment(rest, end),
                State::Unshown { end, seen } => self.unshown(rest, end, seen),
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// At the end: a sign that nothing followed was text.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if matches!(self.state, State::Opened) {
            out.push(b'<');
        }
        *self = Markup::new();
    }

    fn text(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        let end = memchr(b'<', rest);
        let text = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        out.extend_from_slice(text);
        if let Some(last) = text.last() {
            self.is_at_line = *last == b'\n';
        }
        if end.is_some() {
            (self.state, self.tag_bytes) = (State::Opened, 1);
        }
        text.len() + usize::from(end.is_some())
    }

    fn opened(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        self.name = Name::default();
        self.state = match rest.first() {
            Some(b'!') => State::Declared { dash: false, section: 0 },
            Some(b'?') => State::Instruction,
            Some(b'/') => State::Name { is_end: true },
            Some(byte) if byte.is_ascii_alphabetic() => {
                self.state = State::Name { is_end: false };
                return 0;
            }
            _ => {
                out.push(b'<');
                self.is_at_line = false;
                self.state = State::Text;
                return 0;
            }
        };
        self.tag_bytes += 1;
        1
    }

    /// The next bytes of a tag: its name, and what else is no value in quotes.
    fn tag(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        let near = self.near(rest);
        let (mut state, mut taken) = (self.state, 0);
        for byte in near {
            taken += 1;
            state = match (state, *byte) {
                (State::Name { is_end } | State::Within { is_end, .. }, b'>') => {
                    let is_empty = matches!(state, State::Within { last: Last::Slash, .. });
                    self.end_tag(is_end || is_empty, out);
                    return taken;
                }
                (State::Name { is_end } | State::Within { is_end, .. }, b'/') => {
                    State::Within { is_end, last: Last::Slash }
                }
                (State::Name { is_end }, byte) if byte.is_ascii_whitespace() => {
                    State::Within { is_end, last: Last::Other }
                }
                (State::Name { .. }, byte) => {
                    self.name.push(byte);
                    state
                }
                (State::Within { is_end, last: Last::Equals }, quote @ (b'"' | b'\'')) => {
                    State::Value { quote, is_end }
                }
                (State::Within { is_end, .. }, b'=') => {
                    State::Within { is_end, last: Last::Equals }
                }
                (State::Within { last: Last::Equals, .. }, byte) if byte.is_ascii_whitespace() => {
                    state
                }
                (State::Within { is_end, .. }, _) => State::Within { is_end, last: Last::Other },
                _ => break,
            };
            if matches!(state, State::Value { .. }) {
                break;
            }
        }
        self.state = state;
        self.count(taken);
        taken
    }

    fn end_tag(&mut self, is_end: bool, out: &mut Vec<u8>) {
        self.state = match self.name.unshown_to() {
            Some(end) if !is_end => State::Unshown { end, seen: 0 },
            _ => State::Text,
        };
        if self.name.is_block() && !self.is_at_line {
            out.push(b'\n');
            self.is_at_line = true;
        }
    }

    fn declared(&mut self, rest: &[u8], dash: bool, section: usize) -> usize {
        let byte = rest.first().copied();
        let next = |state| (state, 1);
        let (state, taken) = match byte {
            Some(b'-') if section == 0 && !dash => next(State::Declared { dash: true, section }),
            // What is a comment's first sign may be its last one, too.
            Some(b'-') if section == 0 => next(State::Comment(CommentEnd::Dashes)),
            Some(_) if !dash && byte == CDATA.get(section).copied() => {
                let section = section + 1;
                let is_whole = section == CDATA.len();
                next(if is_whole { State::Text } else { State::Declared { dash, section } })
            }
            _ => (State::Instruction, 0),
        };
        self.state = state;
        self.tag_bytes += taken;
        taken
    }

    fn comment(&mut self, rest: &[u8], end: CommentEnd) -> usize {
        let Some(byte) = rest.first() else { return 0 };
        let next = match (end, byte) {
            (CommentEnd::None, _) => {
                let passed = memchr(b'-', rest);
                if passed.is_some() {
                    self.state = State::Comment(CommentEnd::Dash);
                }
                return passed.map_or(rest.len(), |passed| passed + 1);
            }
            (CommentEnd::Dashes | CommentEnd::Mark, b'>') => State::Text,
            (CommentEnd::Dash | CommentEnd::Dashes, b'-') => State::Comment(CommentEnd::Dashes),
            (CommentEnd::Dashes, b'!') => State::Comment(CommentEnd::Mark),
            (CommentEnd::Mark, b'-') => State::Comment(CommentEnd::Dash),
            _ => State::Comment(CommentEnd::None),
        };
        self.state = next;
        1
    }

    fn unshown(&mut self, rest: &[u8], end: &'static [u8], seen: usize) -> usize {
        let Some(byte) = rest.first() else { return 0 };
        let expected = end.get(seen).copied();
        let (state, taken) = match (seen, byte) {
            (0, _) => {
                let passed = memchr(b'<', rest);
                let seen = usize::from(passed.is_some());
                (State::Unshown { end, seen }, passed.map_or(rest.len(), |passed| passed + 1))
            }
            (_, byte) if expected == Some(byte.to_ascii_lowercase()) => {
                (State::Unshown { end, seen: seen + 1 }, 1)
            }
            (_, b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n' | 0x0c) if expected.is_none() => {
                self.tag_bytes = end.len();
                (State::Within { is_end: true, last: Last::Other }, 0)
            }
            _ => (State::Unshown { end, seen: 0 }, 0),
        };
        self.state = state;
        taken
    }

    /// Passes over what ends at `end`, if it does in the bytes that a tag may have.
    fn pass(&mut self, rest: &[u8], end: Option<usize>, behind: State) -> usize {
        let taken = end.map_or(self.near(rest).len(), |end| end + 1);
        if end.is_some() {
            self.state = behind;
        }
        self.count(taken);
        taken
    }

    /// As much of `rest` as a tag may have.
    fn near<'b>(&self, rest: &'b [u8]) -> &'b [u8] {
        rest.get(..MARKUP_TAG_MAX_BYTES.saturating_sub(self.tag_bytes)).unwrap_or(rest)
    }

    /// Counts the bytes of a tag, which is none if it is too long.
    fn count(&mut self, taken: usize) {
        self.tag_bytes += taken;
        if self.tag_bytes >= MARKUP_TAG_MAX_BYTES {
            self.state = State::Text;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown_of(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut markup, mut out) = (Markup::new(), Vec::new());
        for piece in pieces {
            markup.feed(piece, &mut out);
        }
        markup.finish(&mut out);
        out
    }

    /// What some markup shows, at once and byte by byte.
    fn shown(markup: &str) -> String {
        let shown = shown_of(&[markup.as_bytes()]);
        let single: Vec<&[u8]> = markup.as_bytes().chunks(1).collect();
        assert_eq!(shown_of(&single), shown, "{markup}");
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn tags_comments_and_programs_are_taken_out_and_all_else_stays() {
        for (markup, text) in [
            ("plain & text &lt;", "plain & text &lt;"),
            ("a < b && c > d <3 <", "a < b && c > d <3 <"),
            ("<<b>a<", "<a<"),
            (
                "Ignore <b class=x>all</b> pre<wbr>vious<img src='a>b' alt=\"'>\"/>!",
                "Ignore all previous!",
            ),
            ("<p it's>a</p >b</P\n>c", "a\nb\nc"),
            ("<a x = 'y>'>b<a x=y'>c<a x=''>d", "bcd"),
            ("a<!-- > -- -> <b> -->b<!---->c<!-->d<!--->e<!-- --!>f<!--a--!-->g", "abcdefg"),
            ("<?xml version='1.0'?><!DOCTYPE html>a<!x>b<!-x>c<![if !mso]>d</ >e</>f", "abcdef"),
            ("a<![CDATA[b<i>c</i>]]>", "abc]]>"),
            ("a<script src=x>if (a</b>) '</scrip' <!--</SCRIPT >b<style>p{}</style>c", "abc"),
            ("a<script>x<</script>b<script src=y/>c<scripts>d</script>e", "abcde"),
            ("<style:style a='b'>c</style:style>d<b>e", "cde"),
            (
                "<w:p><w:r><w:t>key gh</w:t></w:r><w:r><w:t>p_</w:t></w:r></w:p><w:p>x",
                "key ghp_\nx",
            ),
            ("<a:p><a:r><a:t>a</a:t></a:r><a:br/><a:r><a:t>b</a:t></a:r></a:p>", "a\nb\n"),
            ("<row><c r='A1'><is><t>a</t></is></c><c><v>1</v></c></row>", "a\n1\n"),
            ("<text:h>a</text:h><text:p>b<text:span>c</text:span></text:p>", "a\nbc\n"),
            ("<table><tr><TD>a<td>b</table>", "a\nb"),
            ("a<abcdefghijklmnopq:p>b<abcdefghijklmnopq>c<pp>d", "a\nbcd"),
            ("a<b", "a"),
        ] {
            assert_eq!(shown(markup), text, "{markup}");
        }
    }

    #[test]
    fn a_tag_is_as_long_as_its_bound_and_no_longer() {
        let cut = |head: &str, tail: &str, len: usize| {
            let filling = "x".repeat(len - head.len() - tail.len());
            let markup = format!("a{head}{filling}{tail}b<i>c");
            let shown = String::from_utf8(shown_of(&[markup.as_bytes()])).unwrap();
            let pieces: Vec<&[u8]> = markup.as_bytes().chunks(1000).collect();
            assert_eq!(shown_of(&pieces), shown.as_bytes());
            shown
        };
        for (head, tail) in [("<b t='", "'>"), ("<b ", ">"), ("<b", ">"), ("<?", ">")] {
            assert_eq!(cut(head, tail, MARKUP_TAG_MAX_BYTES), "abc", "{head}");
            let past = cut(head, tail, MARKUP_TAG_MAX_BYTES + 1);
            assert_eq!(past, format!("a{}bc", &tail[tail.len() - 1..]), "{head}");
        }
    }

    proptest! {
        #[test]
        fn any_markup_says_the_same_however_it_is_cut(
            bytes in "(<|>|/|!|--|-|\\[CDATA\\[|\\?|=|'|\"|p|b|:|<script|</style>|style| |\n|x){0,60}",
            size in 1..9_usize,
        ) {
            let whole = shown_of(&[bytes.as_bytes()]);
            prop_assert!(whole.len() <= bytes.len());
            prop_assert_eq!(shown_of(&bytes.as_bytes().chunks(size).collect::<Vec<_>>()), whole);
        }

        #[test]
        fn text_between_inline_tags_is_whole(words in prop::collection::vec("[a-z&;> \n]{0,9}", 1..9)) {
            let tags = ["<b>", "</w:t></w:r><w:r><w:rPr><w:b w:val='>'/></w:rPr><w:t>", "<!-- - -->"];
            for tag in tags {
                prop_assert_eq!(shown_of(&[words.join(tag).as_bytes()]), words.concat().into_bytes());
            }
        }
    }
}

//! What pages show in fonts whose codes are their own: browsers and office programs write the numbers of glyphs, and
//! beside them, in a stream for each font, which characters these stand for (ISO 32000-1, 9.10.3). Such a stream
//! mostly comes behind the pages, so codes are kept until the document ends. Which is of which font is told by the codes
//! that it knows, since no table of objects is read.

use std::cmp::Reverse;

use crate::limits::{
    PDF_FONT_SAMPLE_BYTES, PDF_FONTS_MAX, PDF_GLYPHS_MAX_BYTES, PDF_MAP_MAX_BYTES, PDF_MAPS_MAX,
    PDF_READINGS_MAX,
};

/// In the front of each stream that says what codes stand for.
const MAP_MARK: &[u8] = b"begincmap";
const MAP_FRONT_BYTES: usize = 1024;

/// What pages showed so far, and what codes stand for.
#[derive(Debug, Default)]
pub(super) struct Glyphs {
    /// The front of the stream under way; all of it where it says what codes stand for.
    stream: Vec<u8>,
    is_map: Option<bool>,
    maps: Vec<Map>,
    fonts: Vec<Vec<u8>>,
    font: usize,
    codes: Vec<u8>,
    runs: Vec<Run>,
    lost: usize,
}

/// Codes of one font, up to the next that stand apart.
#[derive(Clone, Copy, Debug)]
struct Run {
    font: usize,
    /// Where they begin.
    start: usize,
    /// What is before them.
    moved: Moved,
}

/// How far what is shown next stands from what was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    Nowhere,
    /// Not further than a glyph is wide.
    ByGlyph,
    Apart,
}

/// What the codes of one font stand for.
#[derive(Debug, Default)]
struct Map {
    code_bytes: usize,
    /// In the order of their codes.
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    first: u16,
    last: u16,
    /// Of the first code; the last character of it counts on.
    text: Vec<char>,
}

impl Glyphs {
    /// The next bytes of a stream.
    pub(super) fn stream(&mut self, bytes: &[u8]) {
        if self.is_map == Some(false) {
            return;
        }
        let room = PDF_MAP_MAX_BYTES.saturating_sub(self.stream.len());
        self.stream.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if self.is_map.is_none() {
            let front = self.stream.get(..MAP_FRONT_BYTES).unwrap_or(&self.stream);
            let is_map = memchr::memmem::find(front, MAP_MARK).is_some();
            self.is_map = (is_map || self.stream.len() >= MAP_FRONT_BYTES).then_some(is_map);
        }
    }

    pub(super) fn end_stream(&mut self) {
        if self.is_map.take() == Some(true) && self.maps.len() < PDF_MAPS_MAX {
            self.maps.extend(Map::read(&self.stream));
        }
        self.stream.clear();
    }

    /// What follows is in the font of this name.
    pub(super) fn font(&mut self, name: &[u8]) {
        let known = self.fonts.iter().position(|font| font == name);
        self.font = known.unwrap_or_else(|| {
            if self.fonts.len() < PDF_FONTS_MAX {
                self.fonts.push(name.to_vec());
            }
            self.fonts.len().saturating_sub(1)
        });
        self.moved(Moved::Nowhere);
    }

    /// What follows stands so far from what was shown.
    pub(super) fn moved(&mut self, moved: Moved) {
        let (font, start) = (self.font, self.codes.len());
        match self.runs.last_mut() {
            Some(last) if last.start == start => {
                last.font = font;
                if last.moved != Moved::Apart && moved != Moved::Nowhere {
                    last.moved = moved;
                }
            }
            _ => self.runs.push(Run { font, start, moved }),
        }
    }

    /// A byte of a string is shown.
    pub(super) fn show(&mut self, byte: u8) {
        if self.codes.len() + self.runs.len() * size_of::<Run>() >= PDF_GLYPHS_MAX_BYTES {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        if self.runs.is_empty() {
            self.moved(Moved::Nowhere);
        }
        self.codes.push(byte);
    }

    /// How many bytes there was no room for, if they may have been codes.
    pub(super) fn lost(&self) -> usize {
        if self.maps.is_empty() { 0 } else { self.lost }
    }

    /// What all of it says, each font by one of the maps that know its codes; in as many ways as there may be.
    pub(super) fn readings(&self) -> Vec<Vec<u8>> {
        if self.maps.is_empty() || self.codes.is_empty() {
            return Vec::new();
        }
        let known: Vec<Vec<&Map>> =
            (0..self.fonts.len().max(1)).map(|font| self.maps_of(font)).collect();
        let count = known.iter().map(Vec::len).max().unwrap_or_default().min(PDF_READINGS_MAX);
        let readings = (0..count).map(|rank| self.reading(&known, rank));
        readings.filter(|said| !said.is_empty()).collect()
    }

    /// The codes of a run.
    fn codes_of(&self, number: usize) -> &[u8] {
        let start = self.runs.get(number).map_or(0, |run| run.start);
        let end = self.runs.get(number + 1).map_or(self.codes.len(), |next| next.start);
        self.codes.get(start..end).unwrap_or_default()
    }

    /// The maps that may be of a font: they know nearly all of its codes. The smallest first, since fonts hold little
    /// else than what is shown.
    fn maps_of(&self, font: usize) -> Vec<&Map> {
        let mut sample = Vec::new();
        for (number, run) in self.runs.iter().enumerate() {
            if run.font == font && sample.len() < PDF_FONT_SAMPLE_BYTES {
                sample.extend_from_slice(self.codes_of(number));
            }
        }
        sample.truncate(PDF_FONT_SAMPLE_BYTES);
        let mut known: Vec<(Reverse<usize>, usize, &Map)> = Vec::new();
        for map in &self.maps {
            let codes = sample.chunks_exact(map.code_bytes.max(1));
            let all = codes.len();
            let of_map = codes.filter(|code| map.entry(code_of(code)).is_some()).count();
            if all > 0 && 10 * of_map >= 9 * all {
                known.push((Reverse(of_map * map.code_bytes), map.entries.len(), map));
            }
        }
        known.sort_by_key(|(of_map, entries, _)| (*of_map, *entries));
        known.into_iter().map(|(_, _, map)| map).collect()
    }

    fn reading(&self, known: &[Vec<&Map>], rank: usize) -> Vec<u8> {
        let mut said = Vec::with_capacity(self.codes.len());
        let mut glyphs_before = 0;
        for (number, run) in self.runs.iter().enumerate() {
            let codes = self.codes_of(number);
            let maps = known.get(run.font).map(Vec::as_slice).unwrap_or_default();
            let map = maps.get(rank).or(maps.first());
            let glyphs = codes.len() / map.map_or(1, |map| map.code_bytes.max(1));
            let is_joined = match run.moved {
                Moved::Nowhere => true,
                Moved::ByGlyph => glyphs_before == 1 && glyphs == 1,
                Moved::Apart => false,
            };
            if !is_joined && said.last().is_some_and(|last| *last != b' ') {
                said.push(b' ');
            }
            match map {
                Some(map) => {
                    let codes = codes.chunks_exact(map.code_bytes.max(1));
                    codes.for_each(|code| map.say(code_of(code), &mut said));
                }
                None => said.extend_from_slice(codes),
            }
            glyphs_before = glyphs;
        }
        said
    }
}

/// A code of one byte or two.
fn code_of(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |code, byte| code << 8 | u16::from(*byte))
}

impl Map {
    /// Reads what a stream says of codes.
    fn read(stream: &[u8]) -> Option<Map> {
        let mut map = Map::default();
        let mut section: &[u8] = b"";
        // The codes of a range, of which each has a text of its own in brackets.
        let mut codes: Vec<u16> = Vec::new();
        for token in tokens(stream) {
            match token {
                [b'<', digits @ ..] if section == b"beginbfchar" || section == b"beginbfrange" => {
                    let bytes = bytes_of(digits);
                    let is_code = codes.len() < if section == b"beginbfchar" { 1 } else { 2 };
                    if is_code {
                        map.code_bytes = map.code_bytes.max(bytes.len().clamp(1, 2));
                        codes.push(code_of(&bytes));
                        continue;
                    }
                    let (first, last) = (codes.first().copied()?, codes.last().copied()?);
                    let in_brackets = codes.len() > 2;
                    let end = if in_brackets { first } else { last };
                    map.entries.push(Entry { first, last: end, text: text_of(&bytes) });
                    if in_brackets {
                        codes.insert(0, first.saturating_add(1));
                        codes.remove(1);
                    } else {
                        codes.clear();
                    }
                }
                // A third code stands for the brackets.
                b"[" if codes.len() == 2 => codes.insert(1, 0),
                b"]" => codes.clear(),
                [b'b', ..] => section = token,
                [b'e', b'n', b'd', ..] => (section, codes) = (b"", Vec::new()),
                _ => {}
            }
        }
        map.entries.sort_by_key(|entry| entry.first);
        (!map.entries.is_empty()).then_some(map)
    }

    fn entry(&self, code: u16) -> Option<&Entry> {
        let behind = self.entries.partition_point(|entry| entry.first <= code);
        let entry = self.entries.get(behind.checked_sub(1)?)?;
        (code <= entry.last).then_some(entry)
    }

    /// Appends what a code stands for.
    fn say(&self, code: u16, said: &mut Vec<u8>) {
        let Some(entry) = self.entry(code) else { return };
        let Some((last, before)) = entry.text.split_last() else { return };
        let counted = char::from_u32(u32::from(*last) + u32::from(code - entry.first));
        for char in before.iter().copied().chain(counted) {
            said.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// Strings in hex with the bracket before them, other brackets, and words.
fn tokens(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        rest = rest.trim_ascii_start();
        let first = *rest.first()?;
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"<>[]".contains(byte);
        let len = match first {
            b'<' => rest.iter().position(|byte| *byte == b'>').unwrap_or(rest.len()),
            b'[' | b']' | b'>' => 1,
            _ => rest.iter().position(is_end).unwrap_or(rest.len()),
        };
        let (token, behind) = rest.split_at_checked(len.max(1))?;
        rest = behind;
        Some(token)
    })
}

fn bytes_of(digits: &[u8]) -> Vec<u8> {
    let digits = digits.iter().filter_map(|digit| char::from(*digit).to_digit(16));
    let mut bytes = Vec::new();
    let mut high = None;
    for digit in digits {
        match high.take() {
            Some(high) => bytes.push((high << 4 | digit) as u8),
            None => high = Some(digit),
        }
    }
    bytes
}

/// What UTF-16 says.
fn text_of(bytes: &[u8]) -> Vec<char> {
    let (units, _) = bytes.as_chunks::<2>();
    let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
    char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAP: &str = "/CIDInit /ProcSet findresource begin begincmap\n\
        1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n\
        2 beginbfchar\n<0003> <0020>\n<0102><00660069>\nendbfchar\n\
        2 beginbfrange\n<0024> <0028> <0041>\n<0050><0052>[<0078> <0079><D83D DE00>]\nendbfrange\nendcmap";

    fn read(map: &str, codes: &[u16]) -> String {
        let map = Map::read(map.as_bytes()).unwrap();
        let mut said = Vec::new();
        codes.iter().for_each(|code| map.say(*code, &mut said));
        String::from_utf8(said).unwrap()
    }

    #[test]
    fn codes_stand_for_characters_ranges_and_ligatures() {
        let codes = [0x24, 0x28, 3, 0x102, 0x29, 0x50, 0x51, 0x52, 0x53];
        assert_eq!(read(MAP, &codes), "AE fixy\u{1F600}");
        let short = "begincmap 1 beginbfrange <01><03><0061> endbfrange";
        assert_eq!(read(short, &[1, 2, 3, 4]), "abc");
        assert_eq!(Map::read(short.as_bytes()).unwrap().code_bytes, 1);
        assert!(Map::read(b"begincmap endcmap").is_none());
    }

    #[test]
    fn each_font_is_read_by_the_map_that_knows_its_codes() {
        let mut glyphs = Glyphs::default();
        for (font, codes) in
            [(&b"/F1"[..], &[1_u8, 2][..]), (b"/F2", &[0, 9, 0, 8]), (b"/F1", &[3])]
        {
            glyphs.font(font);
            codes.iter().for_each(|byte| glyphs.show(*byte));
        }
        for map in [
            "begincmap beginbfchar <0008> <0079> <0009> <0078> endbfchar",
            "begincmap beginbfrange <01><03><0061> endbfrange",
        ] {
            map.as_bytes().chunks(7).for_each(|piece| glyphs.stream(piece));
            glyphs.end_stream();
        }
        assert_eq!(glyphs.readings(), [b"abxyc"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(
            map in "(<[0-9a-f]{0,6}>|\\[|\\]| |beginbfchar|beginbfrange|end|x){0,60}",
            codes in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut glyphs = Glyphs::default();
            glyphs.stream(b"begincmap ");
            glyphs.stream(map.as_bytes());
            glyphs.end_stream();
            glyphs.moved(Moved::Apart);
            codes.iter().for_each(|byte| glyphs.show(*byte));
            prop_assert!(glyphs.readings().len() <= 1);
        }
    }
}

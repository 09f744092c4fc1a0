//! What pages show in fonts whose codes are their own: browsers and office programs write the numbers of glyphs, and
//! beside them, in a stream for each font, which characters these stand for (ISO 32000-1, 9.10.3). Such a stream
//! mostly comes behind the pages, so codes are kept until the document ends. Which is of which font is told by the codes
//! that it knows, since no table of objects is read.

use std::cmp::Reverse;

use crate::limits::{
    PDF_FONT_SAMPLE_BYTES, PDF_FONTS_MAX, PDF_GLYPHS_MAX_BYTES, PDF_MAP_MAX_BYTES, PDF_MAPS_MAX,
    PDF_MAPS_MAX_BYTES, PDF_READINGS_MAX, SCAN_WORK_BYTES,
};
use crate::scan::view::codings::Allowance;

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
    /// How many bytes of codes, and of what says what they stand for, there was no room for.
    lost: usize,
    lost_of_maps: usize,
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
    /// What the first codes of all entries stand for.
    texts: String,
}

/// One code, or a range of them. There may be thousands in a map, and one may stand for as much as a stream holds.
#[derive(Clone, Copy, Debug)]
struct Entry {
    first: u16,
    last: u16,
    /// Where in `texts` that of the first code is; the last character of it counts on.
    start: u32,
    end: u32,
}

/// One way to read what all pages showed, piece by piece: what it says may be far more than what it is said by.
#[derive(Debug)]
pub struct Reading<'a> {
    glyphs: &'a Glyphs,
    /// By which each font is read.
    maps: Vec<Option<&'a Map>>,
    /// The run that is read next, and what of it was read.
    run: usize,
    at: usize,
    glyphs_before: usize,
    /// What was said last is a blank, or nothing was said.
    is_apart: bool,
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
        if self.is_map == Some(true) {
            self.lose_of_maps(bytes.len().saturating_sub(room));
        }
    }

    pub(super) fn end_stream(&mut self) {
        if self.is_map.take() == Some(true)
            && let Some(map) = Map::read(&self.stream)
        {
            let kept: usize = self.maps.iter().map(Map::held_bytes).sum();
            if self.maps.len() < PDF_MAPS_MAX && kept + map.held_bytes() <= PDF_MAPS_MAX_BYTES {
                self.maps.push(map);
            } else {
                self.lose_of_maps(self.stream.len());
            }
        }
        self.stream.clear();
    }

    fn lose_of_maps(&mut self, bytes: usize) {
        self.lost_of_maps = self.lost_of_maps.saturating_add(bytes);
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

    /// How many bytes there was no room for, if they may have been codes, or have told of them.
    pub(super) fn lost(&self) -> usize {
        let codes = if self.maps.is_empty() { 0 } else { self.lost };
        codes.saturating_add(self.lost_of_maps)
    }

    /// What all of it says, each font by one of the maps that know its codes; in as many ways as there may be.
    pub(super) fn readings(&self) -> impl Iterator<Item = Reading<'_>> {
        let fonts = if self.maps.is_empty() || self.codes.is_empty() {
            0..0
        } else {
            0..self.fonts.len().max(1)
        };
        let known: Vec<Vec<&Map>> = fonts.map(|font| self.maps_of(font)).collect();
        let count = known.iter().map(Vec::len).max().unwrap_or_default().min(PDF_READINGS_MAX);
        (0..count).map(move |rank| {
            let maps = known.iter().map(|maps| maps.get(rank).or(maps.first()).copied());
            Reading::new(self, maps.collect())
        })
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
}

impl<'a> Reading<'a> {
    fn new(glyphs: &'a Glyphs, maps: Vec<Option<&'a Map>>) -> Reading<'a> {
        Reading { glyphs, maps, run: 0, at: 0, glyphs_before: 0, is_apart: true }
    }

    /// Appends the next piece of what it says. False: there is no more, or no more is allowed.
    pub fn read_on(&mut self, said: &mut Vec<u8>, allowance: &mut Allowance) -> bool {
        let (said_before, mut read) = (said.len(), 0);
        while read < SCAN_WORK_BYTES && said.len() - said_before < SCAN_WORK_BYTES {
            if self.run >= self.glyphs.runs.len() || allowance.check().is_err() {
                break;
            }
            let said_before = said.len();
            // An empty run is read as well, and codes may stand for nothing: both take their time.
            let of_run = self.read_run(said).max(1);
            allowance.spend(of_run.max(said.len() - said_before));
            read += of_run;
        }
        read > 0
    }

    /// How many bytes of codes were not read.
    pub fn unread_bytes(&self) -> usize {
        let start = self.glyphs.runs.get(self.run).map(|run| run.start + self.at);
        start.map_or(0, |start| self.glyphs.codes.len().saturating_sub(start))
    }

    /// Reads the next codes of a run, and says how many bytes of them.
    fn read_run(&mut self, said: &mut Vec<u8>) -> usize {
        let Some(run) = self.glyphs.runs.get(self.run) else { return 0 };
        let codes = self.glyphs.codes_of(self.run);
        let map = self.maps.get(run.font).copied().flatten();
        let code_bytes = map.map_or(1, |map| map.code_bytes.max(1));
        if self.at == 0 {
            self.part(run.moved, codes.len() / code_bytes, said);
        }
        let rest = codes.get(self.at..).unwrap_or_default();
        let rest = rest.get(..SCAN_WORK_BYTES).unwrap_or(rest);
        let (said_before, mut read) = (said.len(), 0);
        for code in rest.chunks(code_bytes) {
            if said.len() - said_before >= SCAN_WORK_BYTES {
                break;
            }
            match map {
                Some(map) if code.len() == code_bytes => map.say(code_of(code), said),
                Some(_) => {}
                None => said.extend_from_slice(code),
            }
            read += code.len();
        }
        if said.len() > said_before {
            self.is_apart = said.last() == Some(&b' ');
        }
        self.at += read;
        if self.at >= codes.len() {
            (self.run, self.at) = (self.run + 1, 0);
        }
        read
    }

    /// Begins a run of so many glyphs, which may stand apart from what was said.
    fn part(&mut self, moved: Moved, glyphs: usize, said: &mut Vec<u8>) {
        let is_joined = match moved {
            Moved::Nowhere => true,
            Moved::ByGlyph => self.glyphs_before == 1 && glyphs == 1,
            Moved::Apart => false,
        };
        if !is_joined && !self.is_apart {
            said.push(b' ');
            self.is_apart = true;
        }
        self.glyphs_before = glyphs;
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
                    map.add(first, end, &bytes);
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
        map.entries.shrink_to_fit();
        map.texts.shrink_to_fit();
        (!map.entries.is_empty()).then_some(map)
    }

    /// Codes from the first to the last; the first stands for what these bytes say in UTF-16.
    fn add(&mut self, first: u16, last: u16, text: &[u8]) {
        let (units, _) = text.as_chunks::<2>();
        let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
        let chars = char::decode_utf16(units);
        let start = self.texts.len();
        self.texts.extend(chars.map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)));
        if let (Ok(start), Ok(end)) = (start.try_into(), self.texts.len().try_into()) {
            self.entries.push(Entry { first, last, start, end });
        }
    }

    /// What it takes to keep it.
    fn held_bytes(&self) -> usize {
        self.entries.len() * size_of::<Entry>() + self.texts.len()
    }

    fn entry(&self, code: u16) -> Option<&Entry> {
        let behind = self.entries.partition_point(|entry| entry.first <= code);
        let entry = self.entries.get(behind.checked_sub(1)?)?;
        (code <= entry.last).then_some(entry)
    }

    /// Appends what a code stands for.
    fn say(&self, code: u16, said: &mut Vec<u8>) {
        let Some(entry) = self.entry(code) else { return };
        let text = self.texts.get(entry.start as usize..entry.end as usize).unwrap_or_default();
        let Some((at, last)) = text.char_indices().next_back() else { return };
        said.extend_from_slice(text.get(..at).unwrap_or_default().as_bytes());
        let counted = char::from_u32(u32::from(last) + u32::from(code - entry.first));
        if let Some(char) = counted {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::INFLATED_AT_ONCE_BYTES;

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
        assert_eq!(read_all(&glyphs, &mut Allowance::new()), (vec!["abxyc".to_owned()], 0));
    }

    /// All that is said in each way, and how many codes were not read in one.
    fn read_all(glyphs: &Glyphs, allowance: &mut Allowance) -> (Vec<String>, usize) {
        let (mut all, mut unread) = (Vec::new(), 0);
        for mut reading in glyphs.readings() {
            let (mut said, mut piece) = (Vec::new(), Vec::new());
            while reading.read_on(&mut piece, allowance) {
                let longest = SCAN_WORK_BYTES + PDF_MAP_MAX_BYTES;
                assert!(piece.len() <= longest, "{} bytes at once", piece.len());
                said.append(&mut piece);
            }
            assert!(piece.is_empty());
            unread = unread.max(reading.unread_bytes());
            all.push(String::from_utf8_lossy(&said).into_owned());
        }
        (all, unread)
    }

    fn told(glyphs: &mut Glyphs, map: &str) {
        glyphs.stream(map.as_bytes());
        glyphs.end_stream();
    }

    /// Some KiB, deflated; said at once, it would be gigabytes.
    #[test]
    fn a_code_that_stands_for_a_long_text_is_said_as_often_as_the_allowance_lets_it() {
        let text = "0041".repeat(15_000);
        let mut glyphs = Glyphs::default();
        told(&mut glyphs, &format!("begincmap beginbfchar <61> <{text}> endbfchar"));
        for shown in [3, PDF_GLYPHS_MAX_BYTES] {
            (0..shown).for_each(|_| glyphs.show(b'a'));
            let mut allowance = Allowance::new();
            allowance.begin_turn(0);
            let (all, unread) = read_all(&glyphs, &mut allowance);
            let said: usize = all.iter().map(String::len).sum();
            if shown == 3 {
                assert_eq!((said, unread), (3 * 15_000, 0));
                continue;
            }
            let most = INFLATED_AT_ONCE_BYTES as usize + SCAN_WORK_BYTES + PDF_MAP_MAX_BYTES;
            assert!(said > INFLATED_AT_ONCE_BYTES as usize && said <= most, "{said}");
            assert_eq!(unread, glyphs.codes.len() - said / 15_000);
        }
    }

    #[test]
    fn codes_that_stand_for_nothing_are_allowed_for_too() {
        let mut glyphs = Glyphs::default();
        told(&mut glyphs, "begincmap beginbfchar <61> <> endbfchar");
        (0..PDF_GLYPHS_MAX_BYTES).for_each(|_| glyphs.show(b'a'));
        let mut allowance = Allowance::new();
        allowance.begin_turn(0);
        allowance.spend(INFLATED_AT_ONCE_BYTES as usize);
        let (all, unread) = read_all(&glyphs, &mut allowance);
        assert_eq!(all, [""]);
        assert_eq!(unread, glyphs.codes.len() - SCAN_WORK_BYTES);
    }

    /// A font of Chinese has thousands of codes, most in no order.
    #[test]
    fn a_map_of_thousands_of_codes_is_whole() {
        let count = 4500_u32;
        let text = |code: u32| 0x4E00 + code * 7919 % 20_000;
        let lines: String =
            (0..count).map(|code| format!("<{code:04X}> <{:04X}>\n", text(code))).collect();
        let map = format!("begincmap beginbfchar\n{lines}endbfchar");
        assert!(map.len() <= PDF_MAP_MAX_BYTES);
        let codes: Vec<u16> = (0..count as u16).collect();
        let expected: String = (0..count).filter_map(|code| char::from_u32(text(code))).collect();
        assert_eq!(read(&map, &codes), expected);
        assert!(4 * Map::read(map.as_bytes()).unwrap().held_bytes() <= PDF_MAPS_MAX_BYTES);
    }

    #[test]
    fn maps_are_kept_to_their_bound_and_those_that_are_not_are_counted() {
        let mut glyphs = Glyphs::default();
        // The most entries for their bytes.
        let map = format!("begincmap beginbfrange <00><FF>[{}", "<>".repeat(32_000));
        for _ in 0..PDF_MAPS_MAX {
            told(&mut glyphs, &map);
        }
        let held: usize = glyphs.maps.iter().map(Map::held_bytes).sum();
        assert!(held > 0 && held <= PDF_MAPS_MAX_BYTES, "{held}");
        assert_eq!(glyphs.lost(), (PDF_MAPS_MAX - glyphs.maps.len()) * map.len());
        let mut glyphs = Glyphs::default();
        for past in [0, 0, 3] {
            let short = "begincmap beginbfchar <61> <0041> endbfchar";
            let blanks = " ".repeat(PDF_MAP_MAX_BYTES + past - short.len());
            told(&mut glyphs, &format!("{short}{blanks}"));
            assert_eq!(glyphs.lost(), past);
        }
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
            prop_assert!(read_all(&glyphs, &mut Allowance::new()).0.len() <= 1);
        }
    }
}

//! What a character of Unicode is folded to: nothing, ASCII that looks or means the same, or itself.

/// What is left of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folded {
    /// It stays.
    Same,
    /// It cannot be seen and goes.
    Invisible,
    /// It cannot be seen and carries a hidden character.
    Hidden(u8),
    /// A blank or a line end of another width.
    Blank(u8),
    /// A form of what stands in ASCII.
    Compat(Ascii),
    /// It looks like this ASCII letter.
    Homoglyph(u8),
}

/// The longest text that a compatibility form stands for.
const FORM_MAX_BYTES: usize = 8;

/// A short ASCII text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ascii {
    bytes: [u8; FORM_MAX_BYTES],
    len: usize,
}

impl Ascii {
    pub fn one(byte: u8) -> Self {
        let mut ascii = Self { bytes: [0; FORM_MAX_BYTES], len: 0 };
        ascii.push(char::from(byte));
        ascii
    }

    /// Adds a character; no, if it is none of ASCII or there is no room.
    fn push(&mut self, char: char) -> bool {
        let Some(place) = self.bytes.get_mut(self.len) else { return false };
        let Ok(byte) = u8::try_from(char) else { return false };
        *place = byte;
        self.len += 1;
        byte.is_ascii()
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// The first character of `text` and its length; no, if that is not UTF-8.
#[inline]
pub fn first_char(text: &[u8]) -> Option<(char, usize)> {
    let continued = |byte: &u8| (byte & 0xC0 == 0x80).then_some(u32::from(byte & 0x3F));
    let (value, len) = match text {
        [first @ 0..=0x7F, ..] => (u32::from(*first), 1),
        [first @ 0xC2..=0xDF, a, ..] => ((u32::from(*first) & 0x1F) << 6 | continued(a)?, 2),
        [first @ 0xE0..=0xEF, a, b, ..] => {
            let value = (u32::from(*first) & 0xF) << 12 | continued(a)? << 6 | continued(b)?;
            (if value < 0x800 { return None } else { value }, 3)
        }
        [first @ 0xF0..=0xF4, a, b, c, ..] => {
            let value = (u32::from(*first) & 7) << 18
                | continued(a)? << 12
                | continued(b)? << 6
                | continued(c)?;
            (if value < 0x1_0000 { return None } else { value }, 4)
        }
        _ => return None,
    };
    Some((char::from_u32(value)?, len))
}

/// The length of the row of ideographs and syllables that `text` begins with: letters that have no form
/// in ASCII.
pub fn ideographs(text: &[u8]) -> usize {
    let (chars, _) = text.as_chunks::<3>();
    let is_one = |char: &&[u8; 3]| {
        let [first, second, third] = **char;
        matches!(first, 0xE4..=0xE9 | 0xEB | 0xEC) && second & 0xC0 == 0x80 && third & 0xC0 == 0x80
    };
    chars.iter().take_while(is_one).count() * 3
}

/// The length of the row of Greek and Cyrillic that `text` begins with.
pub fn greek_or_cyrillic(text: &[u8]) -> usize {
    let (chars, _) = text.as_chunks::<2>();
    let is_one = |char: &&[u8; 2]| {
        let [first, second] = **char;
        matches!(first, 0xCE..=0xD3) && second & 0xC0 == 0x80
    };
    chars.iter().take_while(is_one).count() * 2
}

/// Whether a character is a letter, or of a block that holds letters: words do not end at it.
pub fn is_letter(char: char) -> bool {
    match char {
        '\0'..='\x7F' => char.is_ascii_alphabetic(),
        '×' | '÷' => false,
        _ => {
            matches!(char, '\u{C0}'..='\u{1FFF}' | '\u{2C00}'..='\u{2DFF}' | '\u{3041}'..='\u{D7FF}'
            | '\u{F900}'..='\u{FDFF}')
        }
    }
}

/// Whether `text` begins with more hidden characters than stand within a word.
pub fn is_hidden_text(text: &[u8]) -> bool {
    const LEAST: usize = 4;
    let (chars, _) = text.as_chunks::<4>();
    let is_hidden = |char: &[u8; 4]| matches!(first_char(char), Some((char, _)) if matches!(fold(char), Folded::Hidden(_)));
    chars.iter().take(LEAST).filter(|char| is_hidden(char)).count() == LEAST
}

/// What is left of a character.
pub fn fold(char: char) -> Folded {
    match char {
        '\0'..='\x7F' => Folded::Same,
        // Most of the world's letters: none of them has a form in ASCII.
        '\u{3040}'..='\u{31FF}' | '\u{3400}'..='\u{A63F}' | '\u{AC00}'..='\u{D7FF}' => Folded::Same,
        _ if is_invisible(char) => Folded::Invisible,
        '\u{E0020}'..='\u{E007E}' => Folded::Hidden((char as u32 - 0xE_0000) as u8),
        // Bytes hidden in variation selectors: the first 16 of them are others, then byte 16 follows.
        '\u{E0110}'..='\u{E016E}' => Folded::Hidden((char as u32 - 0xE_0100 + 16) as u8),
        '\u{E0000}'..='\u{E0FFF}' => Folded::Invisible,
        '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => {
            Folded::Blank(b' ')
        }
        '\u{85}' | '\u{2028}' | '\u{2029}' => Folded::Blank(b'\n'),
        _ => form(char),
    }
}

/// Whether a character takes no place at all.
fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'
            | '\u{1160}'
            | '\u{17B4}'
            | '\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
    )
}

fn form(char: char) -> Folded {
    if let Some(letter) = homoglyph(char) {
        return Folded::Homoglyph(letter);
    }
    // Whole scripts without a form in ASCII, but for the Greek question mark.
    if matches!(char, '\u{300}'..='\u{1CFF}') && char != '\u{37E}' {
        return Folded::Same;
    }
    let letter = match char {
        '\u{FF01}'..='\u{FF5E}' => Some((char as u32 - 0xFEE0) as u8),
        // White letters in black circles and squares.
        '\u{1F150}'..='\u{1F169}' => Some(b'A' + (char as u32 - 0x1_F150) as u8),
        '\u{1F170}'..='\u{1F189}' => Some(b'A' + (char as u32 - 0x1_F170) as u8),
        _ => small_capital(char),
    };
    if let Some(letter) = letter {
        return Folded::Compat(Ascii::one(letter));
    }
    let mut ascii = Ascii { bytes: [0; FORM_MAX_BYTES], len: 0 };
    let mut is_ascii = true;
    unicode_normalization::char::decompose_compatible(char, |part| {
        // Fractions and units have marks of their own for what ASCII has.
        let part = match part {
            '\u{2044}' | '\u{2215}' => '/',
            '\u{2212}' | '\u{2010}'..='\u{2013}' => '-',
            part => part,
        };
        is_ascii = is_ascii && ascii.push(part);
    });
    if is_ascii && ascii.len > 0 { Folded::Compat(ascii) } else { Folded::Same }
}

/// Letters of phonetics that make a whole alphabet of small capitals.
fn small_capital(char: char) -> Option<u8> {
    Some(match char {
        'ᴀ' => b'a',
        'ʙ' => b'b',
        'ᴄ' => b'c',
        'ᴅ' => b'd',
        'ᴇ' => b'e',
        'ꜰ' => b'f',
        'ɢ' => b'g',
        'ʜ' => b'h',
        'ɪ' => b'i',
        'ᴊ' => b'j',
        'ᴋ' => b'k',
        'ʟ' => b'l',
        'ᴍ' => b'm',
        'ɴ' => b'n',
        'ᴏ' => b'o',
        'ᴘ' => b'p',
        'ʀ' => b'r',
        'ꜱ' => b's',
        'ᴛ' => b't',
        'ᴜ' => b'u',
        'ᴠ' => b'v',
        'ᴡ' => b'w',
        'ʏ' => b'y',
        'ᴢ' => b'z',
        _ => return None,
    })
}

/// The ASCII letter that a letter of another script looks like.
fn homoglyph(char: char) -> Option<u8> {
    match char {
        '\u{250}'..='\u{269}' => match char {
            'ɑ' => Some(b'a'),
            'ɡ' => Some(b'g'),
            'ɩ' => Some(b'i'),
            _ => None,
        },
        '\u{370}'..='\u{3FF}' => greek(char),
        '\u{400}'..='\u{52F}' => cyrillic(char),
        '\u{531}'..='\u{587}' => armenian(char),
        '\u{13A0}'..='\u{13F5}' => cherokee(char),
        _ => None,
    }
}

fn greek(char: char) -> Option<u8> {
    Some(match char {
        'Α' => b'A',
        'Β' => b'B',
        'Ε' => b'E',
        'Ζ' => b'Z',
        'Η' => b'H',
        'Ι' => b'I',
        'Κ' => b'K',
        'Μ' => b'M',
        'Ν' => b'N',
        'Ο' => b'O',
        'Ρ' => b'P',
        'Τ' => b'T',
        'Υ' => b'Y',
        'Χ' => b'X',
        'α' => b'a',
        'γ' => b'y',
        'ε' => b'e',
        'η' => b'n',
        'ι' => b'i',
        'κ' => b'k',
        'ν' => b'v',
        'ο' => b'o',
        'ρ' => b'p',
        'τ' => b't',
        'υ' => b'u',
        'χ' => b'x',
        'ω' => b'w',
        'ϲ' => b'c',
        'ϳ' => b'j',
        'Ϲ' => b'C',
        'Ϳ' => b'J',
        _ => return None,
    })
}

fn cyrillic(char: char) -> Option<u8> {
    Some(match char {
        'А' => b'A',
        'В' => b'B',
        'Е' => b'E',
        'К' => b'K',
        'М' => b'M',
        'Н' => b'H',
        'О' => b'O',
        'Р' => b'P',
        'С' => b'C',
        'Т' => b'T',
        'У' | 'Ү' => b'Y',
        'Х' => b'X',
        'І' | 'Ӏ' => b'I',
        'Ј' => b'J',
        'Ѕ' => b'S',
        'Ԍ' => b'G',
        'Ԛ' => b'Q',
        'Ԝ' => b'W',
        'Ѵ' => b'V',
        'а' => b'a',
        'е' => b'e',
        'к' => b'k',
        'о' => b'o',
        'р' => b'p',
        'с' => b'c',
        'у' | 'ү' => b'y',
        'х' => b'x',
        'і' => b'i',
        'ј' => b'j',
        'ѕ' => b's',
        'һ' => b'h',
        'ԁ' => b'd',
        'ԍ' => b'g',
        'ԛ' => b'q',
        'ԝ' => b'w',
        'ѵ' => b'v',
        'ӏ' => b'l',
        _ => return None,
    })
}

fn armenian(char: char) -> Option<u8> {
    Some(match char {
        'Օ' => b'O',
        'Ս' => b'U',
        'Տ' => b'S',
        'Լ' => b'L',
        'օ' => b'o',
        'ս' => b'u',
        'հ' => b'h',
        'ո' => b'n',
        'ց' => b'g',
        'զ' | 'գ' => b'q',
        'յ' => b'j',
        'ք' => b'p',
        'ւ' => b'i',
        _ => return None,
    })
}

fn cherokee(char: char) -> Option<u8> {
    Some(match char {
        'Ꭰ' => b'D',
        'Ꭱ' | 'Ꮢ' => b'R',
        'Ꭲ' => b'T',
        'Ꭵ' => b'i',
        'Ꭺ' => b'A',
        'Ꭻ' => b'J',
        'Ꭼ' => b'E',
        'Ꮃ' | 'Ꮤ' => b'W',
        'Ꮇ' => b'M',
        'Ꮋ' => b'H',
        'Ꮍ' => b'Y',
        'Ꮐ' | 'Ᏻ' => b'G',
        'Ꮒ' => b'h',
        'Ꮓ' => b'Z',
        'Ꮟ' => b'b',
        'Ꮥ' | 'Ꮪ' => b'S',
        'Ꮩ' => b'V',
        'Ꮮ' => b'L',
        'Ꮯ' => b'C',
        'Ꮲ' => b'P',
        'Ꮶ' => b'K',
        'Ꮷ' => b'd',
        'Ᏸ' => b'B',
        _ => return None,
    })
}

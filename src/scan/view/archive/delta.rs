//! How git tells an object by its difference from another one (gitformat-pack, "Deltified representation"):
//! stretches to be copied from that one, and bytes to be put in, which are read here.

/// Stands for what is copied.
const BREAK: u8 = b'\n';

/// What the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Of the size of the base, then of the result.
    Sizes {
        left: u8,
    },
    Instruction,
    /// Where to copy from, and how much.
    Operands {
        left: u32,
    },
    Literal {
        left: u8,
    },
    /// It is none; the rest is what it says.
    Lost,
}

/// One delta being read.
#[derive(Debug)]
pub(super) struct Delta {
    next: Next,
    /// Whether a break may stand at the next copied stretch.
    is_open: bool,
}

impl Delta {
    pub(super) fn new() -> Delta {
        Delta { next: Next::Sizes { left: 2 }, is_open: false }
    }

    /// Whether it is a delta so far.
    pub(super) fn is_readable(&self) -> bool {
        self.next != Next::Lost
    }

    /// Moves what is put in to the front of `bytes`, with a break where something is copied: its length.
    pub(super) fn literals(&mut self, bytes: &mut [u8]) -> usize {
        let (mut at, mut written) = (0, 0);
        while let Some(byte) = bytes.get(at).copied() {
            match self.next {
                Next::Literal { left } => {
                    let len = usize::from(left).min(bytes.len() - at);
                    bytes.copy_within(at..at + len, written);
                    (at, written) = (at + len, written + len);
                    self.is_open = true;
                    self.next = match usize::from(left) - len {
                        0 => Next::Instruction,
                        _ => Next::Literal { left: left - u8::try_from(len).unwrap_or(left) },
                    };
                    continue;
                }
                Next::Lost => {
                    let len = bytes.len() - at;
                    bytes.copy_within(at.., written);
                    return written + len;
                }
                Next::Sizes { left } if byte & 0x80 == 0 => {
                    self.next =
                        if left > 1 { Next::Sizes { left: left - 1 } } else { Next::Instruction };
                }
                Next::Sizes { .. } => {}
                Next::Instruction if byte == 0 => self.next = Next::Lost,
                Next::Instruction if byte & 0x80 == 0 => self.next = Next::Literal { left: byte },
                Next::Instruction => {
                    let left = (byte & 0x7f).count_ones();
                    self.next = if left > 0 { Next::Operands { left } } else { Next::Instruction };
                    if std::mem::take(&mut self.is_open)
                        && let Some(place) = bytes.get_mut(written)
                    {
                        *place = BREAK;
                        written += 1;
                    }
                }
                Next::Operands { left } => {
                    self.next = if left > 1 {
                        Next::Operands { left: left - 1 }
                    } else {
                        Next::Instruction
                    };
                }
            }
            at += 1;
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(delta: &[u8], size: usize) -> (Vec<u8>, bool) {
        let mut reader = Delta::new();
        let mut said = Vec::new();
        for piece in delta.chunks(size) {
            let mut piece = piece.to_vec();
            let len = reader.literals(&mut piece);
            said.extend_from_slice(&piece[..len]);
        }
        (said, reader.is_readable())
    }

    #[test]
    fn what_is_put_in_is_one_text_with_breaks_where_something_is_copied() {
        let delta =
            b"\x80\x01\x05\x91\x07\x03\x02ab\x01c\xb3\x01\x02\x03\x80\x03def\xff1234567\x01g";
        assert_eq!(read(delta, 99), (b"abc\ndef\ng".to_vec(), true));
        for size in 1..9 {
            assert_eq!(read(delta, size), read(delta, 99), "pieces of {size}");
        }
    }

    #[test]
    fn behind_what_is_no_instruction_all_is_as_it_stands() {
        assert_eq!(read(b"\x05\x05\x02ab\0rest\x81", 99), (b"abrest\x81".to_vec(), false));
    }

    proptest! {
        #[test]
        fn any_bytes_say_the_same_however_they_are_cut(
            delta in prop::collection::vec(prop_oneof![any::<u8>(), 0..4_u8, 0x80..0x84_u8], 0..300),
            size in 1..40_usize,
        ) {
            prop_assert_eq!(read(&delta, size), read(&delta, 1000));
        }
    }
}

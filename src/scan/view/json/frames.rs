//! AWS event streams (`application/vnd.amazon.eventstream`), taken apart into their payloads.
//!
//! ```text
//! total length u32 │ headers' length u32 │ CRC u32 │ headers │ payload │ CRC u32
//! ```
//!
//! The sums are not checked: what they guard is on its way anyway, and is read as it is.

use super::payload::Payload;

const PRELUDE_BYTES: usize = 12;
const TRAILER_BYTES: usize = 4;

/// Splits an AWS event stream into the payloads of its messages, each given out on the read that ends it.
#[derive(Debug, Default)]
pub struct AwsEventSplitter {
    prelude: [u8; PRELUDE_BYTES],
    prelude_len: usize,
    place: Place,
    payload: Payload,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Prelude,
    /// Headers, and the payload behind them: so much is missing.
    Headers {
        missing: usize,
        payload: usize,
    },
    Payload {
        missing: usize,
    },
    Trailer {
        missing: usize,
    },
    /// In what is no such stream.
    Lost,
}

impl AwsEventSplitter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes, and gives out the payload of each message that they end.
    pub fn feed(&mut self, bytes: &[u8], payload: &mut dyn FnMut(&[u8])) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let missing = match self.place {
                Place::Prelude => PRELUDE_BYTES.saturating_sub(self.prelude_len),
                Place::Headers { missing, .. }
                | Place::Payload { missing }
                | Place::Trailer { missing } => missing,
                Place::Lost => rest.len(),
            };
            let (piece, behind) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
            self.take(piece, missing - piece.len(), payload);
            rest = behind;
        }
    }

    /// Gives out what the end of the stream cuts. The splitter is then as new.
    pub fn finish(&mut self, payload: &mut dyn FnMut(&[u8])) {
        self.payload.end(&[], payload);
        *self = Self { payload: std::mem::take(&mut self.payload), ..Self::default() };
    }

    /// The bytes of payloads that were too long to be given out, and of what is no such stream, since
    /// the last call.
    pub fn skipped_bytes(&mut self) -> u64 {
        self.payload.take_skipped()
    }

    /// Takes a piece of what comes here, of which `missing` bytes are then still to come.
    fn take(&mut self, piece: &[u8], missing: usize, give: &mut dyn FnMut(&[u8])) {
        self.place = match self.place {
            Place::Prelude => {
                let places = self.prelude.iter_mut().skip(self.prelude_len);
                places.zip(piece).for_each(|(place, byte)| *place = *byte);
                self.prelude_len += piece.len();
                if missing > 0 {
                    return;
                }
                self.prelude_len = 0;
                self.plan()
            }
            Place::Headers { payload, .. } if missing == 0 => behind_headers(payload),
            Place::Headers { payload, .. } => Place::Headers { missing, payload },
            Place::Payload { .. } if missing == 0 => {
                self.payload.end(piece, give);
                Place::Trailer { missing: TRAILER_BYTES }
            }
            Place::Payload { .. } => {
                self.payload.push(piece);
                Place::Payload { missing }
            }
            Place::Trailer { .. } if missing == 0 => Place::Prelude,
            Place::Trailer { .. } => Place::Trailer { missing },
            Place::Lost => {
                self.payload.skip(piece.len());
                Place::Lost
            }
        };
    }

    /// What follows the prelude.
    fn plan(&mut self) -> Place {
        let [a, b, c, d, e, f, g, h, ..] = self.prelude;
        let [total, headers] =
            [[a, b, c, d], [e, f, g, h]].map(|len| u32::from_be_bytes(len) as usize);
        let payload = total.checked_sub(PRELUDE_BYTES + TRAILER_BYTES);
        match payload.and_then(|len| len.checked_sub(headers)) {
            Some(payload) if headers == 0 => behind_headers(payload),
            Some(payload) => Place::Headers { missing: headers, payload },
            None => {
                self.payload.skip(PRELUDE_BYTES);
                Place::Lost
            }
        }
    }
}

/// What follows the headers of a message with so much payload.
fn behind_headers(payload: usize) -> Place {
    match payload {
        0 => Place::Trailer { missing: TRAILER_BYTES },
        _ => Place::Payload { missing: payload },
    }
}

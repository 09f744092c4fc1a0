//! TLS records under the keys that a handshake agreed on (RFC 8446 §5, RFC 5246 §6.2.3): opened straight into
//! the reader's buffer, sealed straight into the sender's. Decides; knows no socket.
//!
//! rustls makes the handshake and every key. What it does with records takes two or three copies of each byte;
//! here the cipher itself moves them.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};
use rustls::{ConnectionTrafficSecrets, Error, InvalidMessage, PeerMisbehaved};

/// Type, version and length, in front of every record.
const HEADER_BYTES: usize = 5;

/// What one record may carry.
pub const PLAINTEXT_MAX_BYTES: usize = 1 << 14;

/// What a record may be longer than what it carries: padding in TLS 1.3, anything in TLS 1.2.
const EXPANSION_MAX_TLS13: usize = 256;
const EXPANSION_MAX_TLS12: usize = 2048;

const TAG_BYTES: usize = 16;
const EXPLICIT_NONCE_BYTES: usize = 8;
const VERSION: [u8; 2] = [3, 3];

/// What a record holds, as its type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    ChangeCipherSpec = 20,
    Alert = 21,
    Handshake = 22,
    Data = 23,
}

impl Content {
    fn of(byte: u8) -> Result<Content, Error> {
        match byte {
            20 => Ok(Content::ChangeCipherSpec),
            21 => Ok(Content::Alert),
            22 => Ok(Content::Handshake),
            23 => Ok(Content::Data),
            _ => Err(Error::InvalidMessage(InvalidMessage::InvalidContentType)),
        }
    }
}

/// How a record is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// The type is inside, the nonce is not sent.
    Tls13,
    /// The type is outside, half of the nonce in front (AES-GCM).
    Tls12Explicit,
    /// The type is outside, the nonce is not sent (ChaCha20).
    Tls12Implicit,
}

/// How long the record at the front of `bytes` is, header included, once its header is there.
pub fn record_len(bytes: &[u8], is_tls13: bool) -> Result<Option<usize>, Error> {
    let Some((&[content, major, _, high, low], _)) = bytes.split_first_chunk::<HEADER_BYTES>()
    else {
        return Ok(None);
    };
    Content::of(content)?;
    if major != VERSION[0] {
        return Err(Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion));
    }
    let len = usize::from(u16::from_be_bytes([high, low]));
    let expansion = if is_tls13 { EXPANSION_MAX_TLS13 } else { EXPANSION_MAX_TLS12 };
    if len > PLAINTEXT_MAX_BYTES + expansion {
        return Err(Error::PeerSentOversizedRecord);
    }
    Ok(Some(HEADER_BYTES + len))
}

/// The keys of one direction, and how many records they have carried.
pub struct Keys {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    sequence: u64,
    layout: Layout,
}

impl Keys {
    /// Keys as rustls hands them out, `sequence` records in.
    pub fn new(
        secrets: &ConnectionTrafficSecrets,
        sequence: u64,
        is_tls13: bool,
    ) -> Result<Keys, Error> {
        let (algorithm, key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(Error::General("a cipher that this program does not know".into())),
        };
        let layout = match secrets {
            _ if is_tls13 => Layout::Tls13,
            ConnectionTrafficSecrets::Chacha20Poly1305 { .. } => Layout::Tls12Implicit,
            _ => Layout::Tls12Explicit,
        };
        let key = UnboundKey::new(algorithm, key.as_ref()).map_err(|_| Error::EncryptError)?;
        let iv = iv.as_ref().try_into().map_err(|_| Error::EncryptError)?;
        Ok(Keys { key: LessSafeKey::new(key), iv, sequence, layout })
    }

    /// Records carried so far.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The room that opening `record` takes: what it carries, and the type and padding behind it.
    pub fn opened_room(&self, record: &[u8]) -> usize {
        record.len().saturating_sub(HEADER_BYTES + self.front_bytes() + TAG_BYTES)
    }

    /// Opens one whole record into `into`; returns what it is, and how many bytes it carries.
    pub fn open(&mut self, record: &[u8], into: &mut [u8]) -> Result<(Content, usize), Error> {
        let (header, payload) =
            record.split_first_chunk::<HEADER_BYTES>().ok_or(Error::DecryptError)?;
        let (front, payload) =
            payload.split_at_checked(self.front_bytes()).ok_or(Error::DecryptError)?;
        let (sealed, tag) = payload.split_last_chunk::<TAG_BYTES>().ok_or(Error::DecryptError)?;
        let into = into.get_mut(..sealed.len()).ok_or(Error::DecryptError)?;
        let mut nonce = self.nonce();
        if let Some(explicit) = nonce.last_chunk_mut::<EXPLICIT_NONCE_BYTES>()
            && let Ok(front) = front.try_into()
        {
            *explicit = front;
        }
        let outer = header.first().copied().unwrap_or_default();
        let nonce = Nonce::assume_unique_for_key(nonce);
        match self.layout {
            Layout::Tls13 => {
                self.key.open_separate_gather(nonce, Aad::from(header), sealed, tag, into)
            }
            Layout::Tls12Explicit | Layout::Tls12Implicit => {
                let aad = Aad::from(self.tls12_aad(outer, sealed.len()));
                self.key.open_separate_gather(nonce, aad, sealed, tag, into)
            }
        }
        .map_err(|_| Error::DecryptError)?;
        self.sequence = self.sequence.checked_add(1).ok_or(Error::DecryptError)?;
        let (content, len) = match self.layout {
            Layout::Tls13 => inner(into)?,
            Layout::Tls12Explicit | Layout::Tls12Implicit => (Content::of(outer)?, into.len()),
        };
        if len > PLAINTEXT_MAX_BYTES {
            return Err(Error::PeerSentOversizedRecord);
        }
        Ok((content, len))
    }

    /// How long a record that carries `len` bytes is.
    pub fn sealed_bytes(&self, len: usize) -> usize {
        let inner_type = usize::from(self.layout == Layout::Tls13);
        HEADER_BYTES + self.front_bytes() + len + inner_type + TAG_BYTES
    }

    /// Seals `plaintext` as one record at the front of `out`; returns the record's length.
    pub fn seal(
        &mut self,
        content: Content,
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let total = self.sealed_bytes(plaintext.len());
        let len = u16::try_from(total - HEADER_BYTES).map_err(|_| Error::EncryptError)?;
        let record = out.get_mut(..total).ok_or(Error::EncryptError)?;
        let (header, payload) =
            record.split_first_chunk_mut::<HEADER_BYTES>().ok_or(Error::EncryptError)?;
        let (front, payload) =
            payload.split_at_mut_checked(self.front_bytes()).ok_or(Error::EncryptError)?;
        let (sealed, rest) =
            payload.split_at_mut_checked(plaintext.len()).ok_or(Error::EncryptError)?;
        let (outer, inner_type): (Content, &[u8]) = match self.layout {
            Layout::Tls13 => (Content::Data, &[content as u8]),
            Layout::Tls12Explicit | Layout::Tls12Implicit => (content, &[]),
        };
        let [high, low] = len.to_be_bytes();
        *header = [outer as u8, VERSION[0], VERSION[1], high, low];
        let nonce = self.nonce();
        if let Some(explicit) = nonce.last_chunk::<EXPLICIT_NONCE_BYTES>()
            && front.len() == explicit.len()
        {
            front.copy_from_slice(explicit);
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        match self.layout {
            Layout::Tls13 => {
                let aad = Aad::from(&*header);
                self.key.seal_out_of_place_scatter(nonce, aad, plaintext, sealed, inner_type, rest)
            }
            Layout::Tls12Explicit | Layout::Tls12Implicit => {
                let aad = Aad::from(self.tls12_aad(content as u8, plaintext.len()));
                self.key.seal_out_of_place_scatter(nonce, aad, plaintext, sealed, inner_type, rest)
            }
        }
        .map_err(|_| Error::EncryptError)?;
        self.sequence = self.sequence.checked_add(1).ok_or(Error::EncryptError)?;
        Ok(total)
    }

    /// The part of the nonce that is sent in front of the payload.
    fn front_bytes(&self) -> usize {
        match self.layout {
            Layout::Tls12Explicit => EXPLICIT_NONCE_BYTES,
            Layout::Tls13 | Layout::Tls12Implicit => 0,
        }
    }

    /// RFC 8446 §5.3; in TLS 1.2 one's own nonces may be counted the same way.
    fn nonce(&self) -> [u8; NONCE_LEN] {
        let mut nonce = self.iv;
        let sequence = self.sequence.to_be_bytes();
        for (byte, of_sequence) in nonce.iter_mut().skip(NONCE_LEN - sequence.len()).zip(sequence) {
            *byte ^= of_sequence;
        }
        nonce
    }

    /// RFC 5246 §6.2.3.3.
    fn tls12_aad(&self, content: u8, len: usize) -> [u8; 13] {
        let [a, b, c, d, e, f, g, h] = self.sequence.to_be_bytes();
        let [.., high, low] = len.to_be_bytes();
        [a, b, c, d, e, f, g, h, content, VERSION[0], VERSION[1], high, low]
    }
}

/// The type at the end of a TLS 1.3 record, before its padding of zeros, and how much is in front of it.
fn inner(opened: &[u8]) -> Result<(Content, usize), Error> {
    let at = opened.iter().rposition(|byte| *byte != 0);
    let found = at.and_then(|at| opened.get(at).map(|byte| (*byte, at)));
    let (byte, len) =
        found.ok_or(Error::PeerMisbehaved(PeerMisbehaved::IllegalTlsInnerPlaintext))?;
    Ok((Content::of(byte)?, len))
}

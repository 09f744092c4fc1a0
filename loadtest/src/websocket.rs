//! WebSocket as far as an echo needs it (RFC 6455): the accept key, and whole unfragmented frames.

use aws_lc_rs::digest;

/// RFC 6455, section 1.3.
const ACCEPT_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The key that the client of this harness sends.
pub const CLIENT_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The mask of the client's frames. Any will do: nothing here needs to be unpredictable.
const MASK: [u8; 4] = [0x1b, 0x5e, 0x77, 0x21];

/// The answer to `Sec-WebSocket-Key`.
pub fn accept_key(key: &str) -> String {
    let input = format!("{key}{ACCEPT_GUID}");
    base64(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, input.as_bytes()).as_ref())
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) as usize & 63;
            let letter = ALPHABET.get(index).copied().unwrap_or(b'=');
            text.push(if place <= group.len() { letter as char } else { '=' });
        }
    }
    text
}

/// One whole frame of an input.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// How long the frame was on the wire.
    pub len: usize,
    pub opcode: u8,
    pub payload: Vec<u8>,
}

/// Takes a frame off the front of `bytes`; `None` while it is not whole.
pub fn read_frame(bytes: &[u8]) -> Option<Frame> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (len, mut at) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => {
            let len = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            (usize::try_from(len).ok()?, 10)
        }
        short => (usize::from(short), 2),
    };
    let mask = match second & 0x80 {
        0 => [0; 4],
        _ => {
            at += 4;
            bytes.get(at - 4..at)?.try_into().ok()?
        }
    };
    let coded = bytes.get(at..at.checked_add(len)?)?;
    let payload = coded.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    Some(Frame { len: at + len, opcode: first & 0x0f, payload })
}

/// A whole frame, masked when a client sends it.
pub fn write_frame(opcode: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let mask_bit = if masked { 0x80 } else { 0 };
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        len @ 0..=125 => frame.push(mask_bit | len as u8),
        len @ 126..=0xffff => {
            frame.push(mask_bit | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(mask_bit | 127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    let mask = if masked { MASK } else { [0; 4] };
    if masked {
        frame.extend_from_slice(&mask);
    }
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_key_is_the_example_of_the_rfc() {
        assert_eq!(accept_key(CLIENT_KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn frames_round_trip_at_each_length_form() {
        for len in [0, 125, 126, 0xffff, 0x1_0000] {
            for masked in [false, true] {
                let payload = vec![7; len];
                let frame = write_frame(2, &payload, masked);
                assert_eq!(read_frame(&frame[..frame.len() - 1]), None);
                let read = read_frame(&frame).unwrap();
                assert_eq!((read.len, read.opcode, read.payload), (frame.len(), 2, payload));
            }
        }
    }
}

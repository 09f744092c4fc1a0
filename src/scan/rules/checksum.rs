//! The checksums that vendors put into what they issue, and that tell a real value from a made-up one.

use aws_lc_rs::digest::{SHA256, digest};

/// Characters of a GitHub token between its prefix and its checksum.
pub(super) const GITHUB_BODY_CHARS: usize = 30;
const GITHUB_CHECK_CHARS: usize = 6;

/// The checksum of a GitHub token's body: its CRC-32 in base 62, six characters.
pub(super) fn github(body: &[u8]) -> [u8; GITHUB_CHECK_CHARS] {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = crc32(body);
    let mut check = [b'0'; GITHUB_CHECK_CHARS];
    for place in check.iter_mut().rev() {
        *place =
            usize::try_from(rest % 62).ok().and_then(|at| DIGITS.get(at)).copied().unwrap_or(b'0');
        rest /= 62;
    }
    check
}

/// The CRC-32 of IEEE 802.3 (zip, PNG).
fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (POLYNOMIAL * (crc & 1)))
    })
}

/// ISO/IEC 7812-1: card numbers. Blanks and hyphens between the digits are passed over.
pub(super) fn luhn(text: &[u8]) -> bool {
    let digits =
        text.iter().rev().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0'));
    let mut count = 0;
    let sum: u32 = digits
        .enumerate()
        .map(|(place, digit)| {
            count = place + 1;
            match (place % 2, digit * 2) {
                (0, _) => digit,
                (_, double) if double > 9 => double - 9,
                (_, double) => double,
            }
        })
        .sum();
    count >= 8 && sum.is_multiple_of(10)
}

/// ISO 7064 MOD 97-10: IBANs. Blanks are passed over.
pub(super) fn mod97(text: &[u8]) -> bool {
    let signs: Vec<u8> = text.iter().filter(|byte| byte.is_ascii_alphanumeric()).copied().collect();
    let Some((country, body)) = signs.split_at_checked(4) else { return false };
    let remainder = body.iter().chain(country).try_fold(0u32, |remainder, sign| {
        let value = char::from(*sign).to_digit(36)?;
        let shift = if value > 9 { 100 } else { 10 };
        Some((remainder * shift + value) % 97)
    });
    body.len() >= 11 && remainder == Some(1)
}

/// American bank routing numbers.
pub(super) fn aba(text: &[u8]) -> bool {
    let digits =
        text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0'));
    let weights = [3, 7, 1].into_iter().cycle();
    let (count, sum) = digits
        .zip(weights)
        .fold((0, 0), |(count, sum), (digit, weight)| (count + 1, sum + digit * weight));
    count == 9 && sum > 0 && sum.is_multiple_of(10)
}

/// Base58 with a checksum of four bytes: Bitcoin addresses and private keys.
pub(super) fn base58(text: &[u8]) -> bool {
    const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    const MOST_CHARS: usize = 120;
    if text.len() > MOST_CHARS {
        return false;
    }
    let mut bytes: Vec<u8> = Vec::new();
    for sign in text {
        let Some(digit) = DIGITS.iter().position(|digit| digit == sign) else { return false };
        // The lowest byte first.
        let mut carry = digit as u32;
        for byte in &mut bytes {
            carry += u32::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push((carry & 0xff) as u8);
            carry >>= 8;
        }
    }
    bytes.extend(text.iter().take_while(|sign| **sign == b'1').map(|_| 0));
    bytes.reverse();
    let Some((payload, check)) =
        bytes.len().checked_sub(4).and_then(|at| bytes.split_at_checked(at))
    else {
        return false;
    };
    let twice = digest(&SHA256, digest(&SHA256, payload).as_ref());
    !payload.is_empty() && twice.as_ref().starts_with(check)
}

/// BIP 173 and BIP 350: `bc1` addresses.
pub(super) fn bech32(text: &[u8]) -> bool {
    const DIGITS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const BECH32: u32 = 1;
    const BECH32M: u32 = 0x2bc8_30a3;
    let lower = text.to_ascii_lowercase();
    if lower != text && text.to_ascii_uppercase() != text {
        return false;
    }
    let Some(border) = lower.iter().rposition(|byte| *byte == b'1').filter(|at| *at > 0) else {
        return false;
    };
    let Some((human, data)) = lower.split_at_checked(border) else { return false };
    let high = human.iter().map(|byte| u32::from(byte >> 5));
    let low = human.iter().map(|byte| u32::from(byte & 31));
    let mut state = high.chain([0]).chain(low).fold(1, bech32_step);
    for sign in data.iter().skip(1) {
        let Some(value) = DIGITS.iter().position(|digit| digit == sign) else { return false };
        state = bech32_step(state, value as u32);
    }
    data.len() > 6 && (state == BECH32 || state == BECH32M)
}

fn bech32_step(state: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = state >> 25;
    let next = (state & 0x01ff_ffff) << 5 ^ value;
    GENERATOR
        .iter()
        .enumerate()
        .filter(|(bit, _)| top >> bit & 1 == 1)
        .fold(next, |state, (_, factor)| state ^ factor)
}

/// Shannon entropy, bits a byte.
pub(super) fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in text {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let whole = text.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / whole;
            -share * share.log2()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_the_one_of_its_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_github_checksum_is_six_base_62_characters_padded_with_zeros() {
        assert_eq!(&github(b""), b"000000");
        // GitHub's own example has a body of 32 characters, made for the post that describes it.
        assert_eq!(&github(concat!("1234567890abcdef", "ghijklmnopqrstuv").as_bytes()), b"4Z6bRU");
    }

    #[test]
    fn card_numbers_pass_luhn_and_a_changed_digit_does_not() {
        for good in ["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005"] {
            assert!(luhn(good.as_bytes()), "{good}");
        }
        for bad in ["4111111111111112", "4111 1111 1111 1121", "0", "", "1234567"] {
            assert!(!luhn(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn ibans_pass_mod_97_and_a_swapped_digit_does_not() {
        for good in ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "NO9386011117947"] {
            assert!(mod97(good.as_bytes()), "{good}");
        }
        for bad in ["GB82 WEST 1234 5698 7654 23", "DE88370400440532013000", "GB82", ""] {
            assert!(!mod97(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn routing_numbers_pass_their_weights() {
        assert!(aba(b"021000021") && aba(b"011401533"));
        for bad in [&b"021000022"[..], b"000000000", b"02100002", b"0210000210"] {
            assert!(!aba(bad));
        }
    }

    #[test]
    fn base58_values_pass_their_checksum() {
        assert!(base58(b"1BoatSLRHtKNngkdXEeobR76b53LETtpyT"));
        assert!(base58(b"5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ"));
        for bad in [&b"1BoatSLRHtKNngkdXEeobR76b53LETtpyU"[..], b"0OIl", b"", b"1", b"1111"] {
            assert!(!base58(bad));
        }
        assert!(!base58(&[b'2'; 121]));
    }

    #[test]
    fn bech32_addresses_pass_their_checksum() {
        for good in [
            &b"BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"[..],
            b"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        ] {
            assert!(bech32(good));
        }
        for bad in [&b"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"[..], b"bc1", b"1", b"", b"Bc1q"]
        {
            assert!(!bech32(bad));
        }
    }

    #[test]
    fn entropy_is_bits_a_byte() {
        assert_eq!(entropy(b""), 0.0);
        assert_eq!(entropy(b"aaaa"), 0.0);
        assert_eq!(entropy(b"abab"), 1.0);
        assert_eq!(entropy(b"0123456789abcdef"), 4.0);
    }
}

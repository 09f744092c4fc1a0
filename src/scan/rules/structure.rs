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

/// Whether a match of a rule for secrets is none, whatever its rule: blanks that a reader is to fill in, a value that
/// everybody has, or a piece of a longer text in base64.
pub(super) fn is_no_secret(evidence: &Evidence<'_>) -> bool {
    has_blanks(evidence.secret) || is_published(evidence.secret) || is_within_base64(evidence)
}

/// One sign again and again where chance would have put others. Zeros in base64 are rows of `A`, numbers have rows of
/// digits.
fn has_blanks(secret: &[u8]) -> bool {
    const SIGNS: &[u8] = b"xX*#";
    const SIGNS_MIN: usize = 5;
    const LETTERS_MIN: usize = 8;
    secret.chunk_by(|one, other| one == other).any(|row| match row {
        [sign, ..] if SIGNS.contains(sign) => row.len() >= SIGNS_MIN,
        [b'A', ..] => false,
        [letter, ..] => letter.is_ascii_alphabetic() && row.len() >= LETTERS_MIN,
        [] => false,
    })
}

/// The keys of emulators and local test networks, the same at everybody's, by a part of each.
fn is_published(secret: &[u8]) -> bool {
    const PARTS: [&[u8]; 15] = [
        // https://learn.microsoft.com/azure/storage/common/storage-use-azurite
        b"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1",
        // https://learn.microsoft.com/azure/cosmos-db/emulator
        b"C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEH",
        // Tokens of the issuer supabase-demo: https://supabase.com/docs/guides/self-hosting/docker
        b"eyJpc3MiOiJzdXBhYmFzZS1kZW1v",
        // The seed phrases of Ganache, Hardhat and Anvil, and the accounts of the latter two:
        // https://hardhat.org/hardhat-network/docs/reference
        b"test test test test",
        b"myth like bonus scare over problem client",
        b"ac0974bec39a17e36ba4a6b4d238ff94",
        b"59c6995e998f97a5a0044966f0945389",
        b"5de4111afa1a4b94908f83103eb1f170",
        b"7c852118294e51e653712a81e05800f4",
        b"47e179ec197488593b187f80a00eb0da",
        b"8b3a350cf5c34c9194ca85829a2df0ec",
        b"92db14e403b83dfe3df233f83dfa3a0d",
        b"4bbbf85ce3377467afe5d46f804f2218",
        b"dbda1821b80551c9d65939329250298a",
        b"2a871d0798f97d79848a013d4936a73b",
    ];
    PARTS.iter().any(|part| holds(secret, part))
}

/// Whether the match begins in the middle of a long row of base64, in which chance writes the start of every token.
fn is_within_base64(evidence: &Evidence<'_>) -> bool {
    const ROW_BYTES: usize = 24;
    let is_of_row = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/_-".contains(byte);
    let before = evidence.before;
    let row = before.len().checked_sub(ROW_BYTES).and_then(|start| before.get(start..));
    let has_more = |[one, other]: [Option<&u8>; 2]| {
        one.is_some_and(u8::is_ascii_alphanumeric) && other.is_some_and(u8::is_ascii_alphanumeric)
    };
    has_more([before.last(), evidence.matched.first()])
        && evidence.matched.starts_with(evidence.secret)
        && row.is_some_and(|row| {
            row.iter().all(is_of_row)
                && is_mixed(row)
                && row.iter().any(u8::is_ascii_uppercase)
                && row.iter().any(u8::is_ascii_lowercase)
        })
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

/// `xoxb-`, then the workspace's number. Behind the numbers of a token may stand blanks for the rest of it.
pub(super) fn slack_token(secret: &[u8], after: &[u8]) -> Verdict {
    if let [b'-', sign @ (b'#' | b'*' | b'x' | b'X'), other, ..] = after
        && sign == other
    {
        return Verdict::Example;
    }
    let number = secret.split(|byte| *byte == b'-').nth(1).unwrap_or_default();
    let is_number = (9..=14).contains(&number.len()) && number.iter().all(u8::is_ascii_digit);
    if is_number { Verdict::Passes } else { Verdict::Silent }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Confidence;
    use crate::scan::rules::{RuleSet, shipped};

    fn credentials() -> RuleSet {
        shipped(&["credentials"]).unwrap()
    }

    /// What a rule makes of its first match in a text; none if there is none.
    fn told(rules: &RuleSet, id: &str, text: &str) -> Option<Confidence> {
        let rule = rules.iter().find(|rule| &*rule.id == id).unwrap();
        let program = rule.expression.program().unwrap();
        let bytes = text.as_bytes();
        let whole = program.find(bytes)?.range();
        let secret = rule.secret_in(program, bytes, whole.clone());
        let line_start = bytes[..whole.start].iter().rposition(|byte| *byte == b'\n');
        let evidence = Evidence {
            secret: &bytes[secret],
            matched: &bytes[whole.clone()],
            line: bytes,
            before: &bytes[line_start.map_or(0, |at| at + 1)..whole.start],
            after: &bytes[whole.end..],
            ..Evidence::default()
        };
        rule.judge(&evidence)
    }

    #[test]
    fn blanks_and_published_values_of_every_token_are_doubtful() {
        let rules = credentials();
        let low = Some(Confidence::Low);
        let x = |count: usize| "x".repeat(count);
        for (id, text) in [
            (
                "onepassword_secret_key",
                concat!("A3-", "XXXXXX-XXXXXXXXXXX-XXXXX-XXXXX-XXXXX").into(),
            ),
            ("azure_ad_client_secret", format!("client_secret=bP88Q~{}", x(34))),
            ("vault_token", format!("hvs.{}", x(95))),
            ("vault_token", format!("hvb.{}", "c".repeat(50))),
            ("gitlab_runner_token", format!("glrt-tx_{}.{}", x(27), x(9))),
            ("openshift_token", format!("sha256~{0}_PUT_YOUR_TOKEN_HERE_{0}XX", "X".repeat(10))),
            (
                "slack_user_token",
                format!("xoxp-572370529330-573807301142-572331691188-{}", "#".repeat(20)),
            ),
            (
                "azure_storage_account_key",
                format!(
                    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1{}==",
                    "OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw"
                ),
            ),
            (
                "ethereum_private_key",
                format!(
                    "PRIVATE_KEY=0xac0974bec39a17e36ba4a6b4d238ff94{}",
                    "4bacb478cbed5efcae784d7bf4f2ff80"
                ),
            ),
            ("crypto_seed_phrase", format!("mnemonic: {}junk", "test ".repeat(11))),
        ] {
            assert_eq!(told(&rules, id, &text), low, "{id}: {text}");
        }
        let demo = [
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
            "eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6ImFub24ifQ",
            "c2lnbmVk",
        ];
        assert_eq!(told(&rules, "jwt", &demo.join(".")), low);
    }

    #[test]
    fn a_token_in_the_middle_of_base64_is_doubtful() {
        let token = |name: &str| {
            crate::scan::rules::template::expand("AI{{}}za{{alnum:35}}", name, 0).unwrap()
        };
        let rules = credentials();
        let row = "GWw4hjABFzZCGiRpmlDyDdo87Jn9BN9THUA47muVRNunLxsa82tMAdvmrhOqNkRKiYMEAFbTJ";
        for (before, expected) in [
            (row, Confidence::Low),
            ("key=", Confidence::High),
            ("https://maps.example.com/v1/Tiles2/of/every/region/", Confidence::High),
            ("myV2SettingsOfThisProgram_", Confidence::High),
            ("\\n", Confidence::High),
        ] {
            assert_eq!(
                told(&rules, "gcp_api_key", &format!("{before}{}", token("a"))),
                Some(expected),
                "{before}"
            );
        }
        let secret = "Ab3~q8Q~3wIHjX9DT0yCNfQmr9oxmYrDZoQVLOdNg~yk0";
        assert_eq!(
            told(&rules, "azure_ad_client_secret", &format!("wsdbV-izcuonPdzMHp4{secret}")),
            None
        );
    }

    #[test]
    fn what_only_looks_like_a_key_or_a_secret_is_doubtful() {
        let rules = credentials();
        let page = format!("https://site.example/API-{}", "BD80F56CDC1441E6".repeat(2));
        assert_eq!(told(&rules, "octopus_deploy_key", &page), Some(Confidence::Low));
        for (id, text) in [
            ("kubernetes_secret_data", "# app settings\n kind: Secret\n target:\n   name: x\n"),
            ("kubernetes_secret_data", "version: v1alpha1\nkind: Secret\n"),
            (
                "kubernetes_secret_manifest",
                "kind: Secret\n target:\n   name: x\n\n---\nkind: ConfigMap\ndata:\n  mode: Default\n",
            ),
        ] {
            assert_eq!(told(&rules, id, text), Some(Confidence::Low), "{id}: {text}");
        }
    }
}

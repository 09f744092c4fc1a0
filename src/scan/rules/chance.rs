//! Whether a text was made by chance or out of words. Of each sign it is asked how likely it is behind the one before: in
//! words, names and paths of source code, whose letters follow each other as they do in speech and whose kinds of signs
//! seldom change, and in a row drawn from an alphabet.

/// A stretch that chance makes more likely than words do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// So many bits speak for chance: with each, it is twice as likely.
    pub(super) bits: i32,
    pub(super) len: usize,
}

/// How unlikely each letter is behind another one, in half bits from `a` on: a row for the first letter of a word, then one
/// for each letter. Counted in 190,000 names out of 40 MB of sources and documentation in a dozen languages.
const LETTERS: [&[u8; 26]; 27] = [
    b"ikgjjjkljnokjkkiqihhlllrrs",
    b"tkhjuojukvphihtjthhfknoplp",
    b"gompfsqsikrfoqgrtjirgqvvkv",
    b"humsgtuhlvihsuequjlgjtuunv",
    b"glqidqqtgtqkqshlvkkqkrtnnv",
    b"jnjiolmsqttjkgqlnffhqlmjnu",
    b"gtrsikqtdurjrsfruhnlkuvunv",
    b"krrtdjkkguulqkkqvhimhssvpr",
    b"fppservtfvupoqgrskohiuuvou",
    b"klijjmivuvsikeglslhhtlvpvl",
    b"fsqkerssltpplqfmqqerkpntsu",
    b"hopmcnlsgttmqlmnspgllsntrt",
    b"gpqjelstfvsipsgovtjiintwlw",
    b"fkomdtqvhttkkpggqskrmrusnt",
    b"hrihgigtksnopkjnsrhfnluuru",
    b"mmijsnmtnrmjiekjvfkjillqru",
    b"ftomftqnjvrhrrgjvflijttunw",
    b"prpnqtssqtshsrnmsqpubsqurs",
    b"grkleqkugvlnlmgpwkiillsvkv",
    b"ktjqfpsjivnnqpiiqphejspunu",
    b"gtmqeqshfvvposhnwhjklvqrkt",
    b"ljllhpmvjvuhihrivfhftuvrvu",
    b"etoscuruevvmqrlpvtnrqtuvov",
    b"httqgrsieurptifqvhhptultuv",
    b"hthqhstqissoltrgurqdsstlku",
    b"kmlmkqrpmsujhhketofjrrjtnn",
    b"gqpqcrtrhttqrngsrqpqitqtmn",
];

/// The same of a kind of signs behind another one.
const KINDS: [[i32; 4]; 4] = [[0, 8, 18, 7], [1, 4, 16, 10], [8, 9, 1, 5], [1, 5, 12, 7]];

/// That of one digit of ten, and of one sign of a few.
const DIGIT_HALF_BITS: i32 = 7;
const SIGN_HALF_BITS: i32 = 3;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lower,
    Upper,
    Digit,
    Sign,
}

impl Kind {
    fn of(byte: u8) -> Kind {
        match byte {
            b'a'..=b'z' => Kind::Lower,
            b'A'..=b'Z' => Kind::Upper,
            b'0'..=b'9' => Kind::Digit,
            _ => Kind::Sign,
        }
    }
}

/// The stretch of a text that chance most likely made.
pub(super) fn random_run(text: &[u8]) -> Run {
    let drawn = drawn_half_bits(text);
    let (mut before, mut letter) = (Kind::Sign, 0);
    let (mut sum, mut start) = (0, 0);
    let mut best = Run::default();
    for (at, byte) in text.iter().enumerate() {
        let kind = Kind::of(*byte);
        let follows = KINDS.get(before as usize).and_then(|row| row.get(kind as usize));
        let of_kind = match kind {
            Kind::Digit => DIGIT_HALF_BITS,
            Kind::Sign => SIGN_HALF_BITS,
            Kind::Lower | Kind::Upper => {
                let is_first = matches!(before, Kind::Digit | Kind::Sign)
                    || (before == Kind::Lower && kind == Kind::Upper);
                let row = LETTERS.get(if is_first { 0 } else { letter });
                let place = usize::from(byte.to_ascii_lowercase() - b'a');
                letter = place + 1;
                let likely = row.and_then(|row| row.get(place));
                likely.map_or(0, |likely| i32::from(likely - b'a'))
            }
        };
        sum += follows.copied().unwrap_or_default() + of_kind - drawn;
        if sum <= 0 {
            (sum, start) = (0, at + 1);
        }
        if sum / 2 > best.bits {
            best = Run { bits: sum / 2, len: at + 1 - start };
        }
        before = kind;
    }
    best
}

/// How unlikely each sign of a text is if it was drawn from the smallest usual alphabet that has them all.
fn drawn_half_bits(text: &[u8]) -> i32 {
    let has = |is_of: fn(&u8) -> bool| text.iter().any(is_of);
    let (lower, upper, digit) =
        (has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase), has(u8::is_ascii_digit));
    let is_hex = digit
        && lower != upper
        && text.iter().all(|byte| byte.is_ascii_hexdigit() || !byte.is_ascii_alphanumeric());
    match (is_hex, lower, upper, digit) {
        (true, ..) => 8,
        (_, true, true, true) => 12,
        (_, true, true, false) => 11,
        (_, true, false, true) | (_, false, true, true) => 10,
        (_, true, false, false) | (_, false, true, false) => 10,
        (_, false, false, _) => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::rules::template::expand;

    #[test]
    fn what_chance_makes_of_each_alphabet_is_told_from_words() {
        // Of sixteen signs a few in a hundred look like words.
        for (form, least) in [
            ("{{alnum:16}}", 95),
            ("{{alnum:20}}", 98),
            ("{{alnum:32}}", 99),
            ("{{a-z0-9:20}}", 98),
            ("{{A-Z0-9:20}}", 98),
            ("{{hex:20}}", 97),
            ("{{hex:32}}", 99),
            ("{{a-zA-Z:24}}", 97),
            ("{{a-zA-Z:40}}", 99),
            ("{{a-z:24}}", 94),
        ] {
            let is_random = |seed: &usize| {
                let text = expand(form, &format!("seed {seed}"), 0).unwrap();
                random_run(text.as_bytes()).bits >= 20
            };
            let found = (0..500).filter(is_random).count();
            assert!(found * 100 >= least * 500, "{form}: {found} of 500");
        }
    }

    #[test]
    fn words_names_and_paths_are_not_made_by_chance() {
        for text in [
            "getTokenFromVault",
            "my_secret_value",
            "AbstractTokenFactoryBean",
            "your-api-key-goes-here-1",
            "settings.SERVICE_API_KEY_2024_01_02_production",
            "v1-linux-node-18-deps-ab12fe",
            "kubernetes.io/service-account-token",
            "PKCS8EncodedKeySpec",
            "X509V3CertificateBuilder",
            "aes-256-cbc-hmac-sha1",
            "sk_test_token_12345",
            "correct-horse-battery-staple",
        ] {
            assert!(random_run(text.as_bytes()).bits < 20, "{text}");
        }
    }

    #[test]
    fn the_stretch_is_the_part_that_chance_made() {
        let run = random_run(b"deployment-token-for-Zk8vQ2m1XrT7pLw9Ks4");
        assert!((18..=20).contains(&run.len), "{run:?}");
        assert_eq!(random_run(b""), Run::default());
    }
}

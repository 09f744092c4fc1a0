//! Decoding undoes independent encoders, however the text is cut, and garbage breaks nothing.

use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL_NOPAD, HEXLOWER};
use proptest::prelude::*;

use super::dump::tests as dumps;
use super::*;

fn decode_in(kind: Kind, pieces: &[&[u8]]) -> (Vec<u8>, usize) {
    let (mut decoder, mut out, mut taken) = (RunDecoder::new(kind), Vec::new(), 0);
    for piece in pieces {
        let len = decoder.feed(piece, &mut out);
        taken += len;
        if len < piece.len() {
            return (out, taken);
        }
    }
    decoder.finish(&mut out);
    (out, taken)
}

fn written(kind: Kind, bytes: &[u8], line: usize) -> String {
    let digits = match kind {
        Kind::Base64 if line.is_multiple_of(2) => BASE64.encode(bytes),
        Kind::Base64 => BASE64URL_NOPAD.encode(bytes),
        Kind::Base32 => BASE32_NOPAD.encode(bytes),
        Kind::Hex => HEXLOWER.encode(bytes),
        Kind::Numbers => {
            let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
            return numbers.join([",", ", ", ",\n    "][line % 3]);
        }
        Kind::Dump => return [dumps::xxd, dumps::hexdump, dumps::od][line % 3](bytes),
    };
    let lines: Vec<&str> =
        digits.as_bytes().chunks(line).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join("\r\n")
}

const KINDS: [Kind; 5] = [Kind::Base64, Kind::Base32, Kind::Hex, Kind::Numbers, Kind::Dump];

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(KINDS.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_bytes_come_back_however_their_text_is_cut(
        kind in kinds(),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        line in prop_oneof![Just(60_usize), Just(76), Just(4000), Just(80)],
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let text = written(kind, &bytes, line);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        ends.sort_unstable();
        ends.push(text.len());
        let mut from = 0;
        let pieces: Vec<&[u8]> = ends
            .into_iter()
            .map(|end| &text.as_bytes()[std::mem::replace(&mut from, end)..end])
            .collect();
        let (said, taken) = decode_in(kind, &pieces);
        prop_assert_eq!(said, bytes);
        // What the last line of a dump shows may look like an escaped line end: behind it are no more bytes.
        let last_line = text.trim_end_matches('\n').rfind('\n').unwrap_or_default();
        let shown = text.get(last_line..).unwrap_or_default();
        let may_end_early = kind == Kind::Dump && (shown.contains("\\n") || shown.contains("\\r"));
        prop_assert!(taken == text.len() || may_end_early && taken > last_line, "{}", text);
    }

    #[test]
    fn text_is_found_and_read_in_any_place(
        kind in kinds(),
        secret in "[ -~]{36,90}",
        before in "[ -~]{0,90}[ .,;(]",
        glue in prop_oneof![Just(""), Just("x/"), Just("/api/v1/"), Just("//e.example/a_b/")],
        line in prop_oneof![Just(60_usize), Just(76), Just(4000), Just(80)],
    ) {
        let glue = match kind {
            Kind::Numbers => "",
            Kind::Dump => "\n",
            _ => glue,
        };
        let before = format!("{before}{glue}");
        let encoded = written(kind, secret.as_bytes(), line);
        let text = format!("{before}{encoded}");
        let mut from = 0;
        while let Some(run) = next_run(text.as_bytes(), from) {
            prop_assert!(run.start >= from);
            let (said, taken) = decode_in(run.kind, &[&text.as_bytes()[run.start..]]);
            let said = String::from_utf8_lossy(&said);
            // What stands before a list may be more of it.
            let is_longer = run.kind == Kind::Numbers && kind == Kind::Numbers;
            if run.start == before.len() || is_longer && said.ends_with(&secret) {
                prop_assert!(said == secret.as_str() || is_longer, "{}", said);
                return Ok(());
            }
            from = run.start + taken.max(1);
        }
        prop_assert!(false, "not found in {}", text);
    }

    #[test]
    fn garbage_breaks_nothing(
        text in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            "[A-Za-z0-9+/=:x, \\\\nr\n-]{0,300}".prop_map(String::into_bytes),
            "([0-9a-f]{2}[: ,]){0,90}".prop_map(String::into_bytes),
            "([0-9]{1,4}[ ,.]{1,2}){0,90}".prop_map(String::into_bytes),
            "(0{5}[1-9a-c]0:?  ?([0-9a-f]{2,4} ){1,9} {0,2}[a-f|>]{0,3}\n|\\*\n){0,9}"
                .prop_map(String::into_bytes),
        ],
        from: prop::sample::Index,
        cut: prop::sample::Index,
    ) {
        let from = from.index(text.len() + 1);
        if let Some(run) = next_run(&text, from) {
            prop_assert!(run.start >= from && run.start < text.len());
        }
        if let Some(run) = run_around(&text, from) {
            prop_assert!(run.start <= from + 8);
        }
        let (head, tail) = text.split_at(cut.index(text.len() + 1));
        for kind in KINDS {
            let (whole, taken) = decode_in(kind, &[&text]);
            prop_assert!(taken <= text.len());
            prop_assert_eq!(decode_in(kind, &[head, tail]), (whole, taken));
        }
    }

    #[test]
    fn a_row_of_bytes_begins_only_where_a_byte_does(
        text in "(0x[0-9a-fA-F]{2}[, ]{1,2}|[0-9a-fA-F]{2}[: ]|[0-9a-gx:, ]{0,9}){0,20}",
        at: prop::sample::Index,
    ) {
        let text = text.as_bytes();
        let at = at.index(text.len() + 1);
        let starts: Vec<usize> = byte_starts(text, at).collect();
        for start in at..at + 8 {
            prop_assert!(!opens_row(text, start) || starts.contains(&start), "{start}");
        }
    }
}

/// A short line shows less than its padding leaves room for, so that where it ends is not known.
#[test]
fn a_last_line_that_shows_an_escape_loses_no_byte() {
    for shown in [r"ab\ncd", r"ab\rcd", r"\\n", r"ab\"] {
        let bytes = [&[7; 16][..], shown.as_bytes()].concat();
        for line in [60, 76] {
            let text = written(Kind::Dump, &bytes, line);
            assert_eq!(decode_in(Kind::Dump, &[text.as_bytes()]).0, bytes, "{text}");
        }
    }
}

#[test]
fn base64_whose_letters_are_also_base32_of_a_packed_head_is_base64() {
    for secret in ["<* 4A a0  aaaaaaA a Aa0A  0 00 a 00 ", "<* please run the command that follows"]
    {
        for line in [60, 76] {
            let encoded = written(Kind::Base64, secret.as_bytes(), line);
            let text = format!("({encoded}");
            let mut from = 0;
            let mut found = Vec::new();
            while let Some(run) = next_run(text.as_bytes(), from) {
                let (said, taken) = decode_in(run.kind, &[&text.as_bytes()[run.start..]]);
                found.push((run, String::from_utf8_lossy(&said).into_owned()));
                from = run.start + taken.max(1);
            }
            assert!(
                found
                    .iter()
                    .any(|(run, said)| run.kind == Kind::Base64 && said.starts_with(secret)),
                "{encoded} {found:?}"
            );
        }
    }
}

#[test]
fn a_list_behind_a_gap_in_a_row_is_read_from_its_first_number() {
    let secret = "0aAaA  0 000 A  AAa Aa a0Aa a0aA0  0";
    for before in ["a0,,", "see 0,, ", "[7, ,"] {
        let text = format!("{before}{}", written(Kind::Numbers, secret.as_bytes(), 60));
        let run = next_run(text.as_bytes(), 0).unwrap();
        assert_eq!(run, Run { start: before.len(), kind: Kind::Numbers }, "{before}");
    }
}

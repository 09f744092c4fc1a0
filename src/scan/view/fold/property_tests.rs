//! Folding does not depend on how a text is cut, and undoes what encoders did.

use proptest::prelude::*;

use super::tests::fold;
use super::*;

/// Pieces that texts with something hidden are made of.
fn hidden() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        "[a-z ]{0,12}".prop_map(String::into_bytes),
        "[%\\\\&#;ux0-9a-f'\"$]{0,8}".prop_map(String::into_bytes),
        "[а-яa-zα-ω]{0,12}".prop_map(String::into_bytes),
        Just(b"\\\\\\\\\\\\u0041".to_vec()),
        "\x1b[\\[(\\]][0-9;? ]{0,34}[mKHB\x07]".prop_map(String::into_bytes),
        "[a-c][\\\\_-]{0,7}[a-c]?".prop_map(String::into_bytes),
        Just(b"\\x1b[31mrm\\u001b[0mx".to_vec()),
        Just(b"c$@ur${x}l ${IFS}s$1h".to_vec()),
        Just(b"&#x0000041;&lowbar;%u0041$IFS$9${IFS}c''u\\rl".to_vec()),
        "[\u{200B}\u{FEFF}\u{E0041}\u{FF21}\u{1D400}\u{A0}\u{FB01}]{0,4}"
            .prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

fn pieces<'a>(text: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(text.len());
    let mut from = 0;
    ends.into_iter().map(|end| &text[std::mem::replace(&mut from, end)..end]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_text_is_folded_the_same_however_it_is_cut(
        text in hidden(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let (mut folder, mut out) = (Folder::new(), Vec::new());
        for piece in pieces(&text, &cuts) {
            folder.feed(piece, &mut out);
        }
        folder.finish(&mut out);
        prop_assert_eq!((out, folder.kinds()), fold(&text));
    }

    #[test]
    fn what_is_not_touched_shows_no_kind(text in hidden()) {
        let (out, kinds) = fold(&text);
        prop_assert_eq!(kinds.is_empty(), out == text);
    }

    #[test]
    fn escaped_text_is_read_again(text in "[ -~]{1,60}") {
        let mut escapes = vec![(String::new(), "percent"); 5];
        for (at, byte) in text.bytes().enumerate() {
            let written = [
                format!("%{byte:02x}"),
                format!("\\u{byte:04X}"),
                if at % 2 == 0 { format!("&#{byte};") } else { format!("&#x{byte:x};") },
                format!("\\x{byte:02x}"),
                format!("\\{byte:03o}"),
            ];
            let kinds = ["percent", "unicode", "html", "unicode", "unicode"];
            for ((all, kind), (one, name)) in escapes.iter_mut().zip(written.iter().zip(kinds)) {
                all.push_str(one);
                *kind = name;
            }
        }
        for (escaped, kind) in escapes {
            let (out, kinds) = fold(escaped.as_bytes());
            prop_assert_eq!(String::from_utf8_lossy(&out), text.as_str());
            prop_assert_eq!(kinds.names().collect::<Vec<_>>(), vec![kind]);
            prop_assert_eq!(next_trigger(escaped.as_bytes(), 0), Some(0));
        }
    }

    #[test]
    fn wide_and_split_text_is_read_again(text in "[a-z]{4,30}") {
        let wide: String = text.chars().map(|c| char::from_u32(c as u32 + 0xFEE0).unwrap()).collect();
        prop_assert_eq!(fold(wide.as_bytes()).0, text.as_bytes());
        prop_assert_eq!(next_trigger(wide.as_bytes(), 0), Some(0));
        let split: String = text.chars().flat_map(|c| [c, '\u{200B}']).collect();
        prop_assert_eq!(fold(split.as_bytes()).0, text.as_bytes());
        prop_assert_eq!(next_trigger(split.as_bytes(), 0), Some(1));
    }

    #[test]
    fn a_trigger_is_where_folding_changes_something(text in hidden(), from: prop::sample::Index) {
        let from = from.index(text.len() + 1);
        if let Some(at) = next_trigger(&text, from) {
            prop_assert!(at >= from && at < text.len());
            prop_assert_ne!(fold(&text).0, text);
        }
    }

    #[test]
    fn plain_ascii_has_no_trigger(text in "[a-zA-Z0-9 .,:;()=+*/?!\\-_\n]{0,300}") {
        prop_assert_eq!(next_trigger(text.as_bytes(), 0), None);
        prop_assert_eq!(fold(text.as_bytes()).0, text.as_bytes());
    }
}

//! Known values in every form, cut anywhere, at the bounds; and what a snippet may show of them.

use std::sync::Arc;

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use proptest::prelude::*;

use super::*;
use crate::limits::KNOWN_HALVES_WAITING;

const SECRET: &[u8] = b"EXAMPLE+secret/of&32 bytes~%?len";

fn known(values: &[&[u8]]) -> Arc<KnownValues> {
    let named = values.iter().enumerate().map(|(number, value)| NamedValue {
        name: format!("NAME_{number}").into(),
        bytes: Zeroizing::new(value.to_vec()),
    });
    Arc::new(KnownValues::new(named.collect(), |_| Fingerprint([0; 8])).unwrap())
}

/// What is found when the pieces go by, in order.
fn seen(known: &Arc<KnownValues>, pieces: &[&[u8]]) -> Vec<Known> {
    let mut found = Vec::new();
    let mut watch = Watch::new(known, 0);
    for piece in pieces {
        watch.feed(piece, &mut |known| found.push(known));
    }
    watch.finish(&mut |known| found.push(known));
    found
}

fn forms(found: &[Known]) -> Vec<Form> {
    found.iter().map(|known| known.form).collect()
}

fn percent_all(text: &[u8]) -> String {
    text.iter().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn every_form_is_found_once_with_its_place() {
    let known = known(&[SECRET]);
    let text = std::str::from_utf8(SECRET).unwrap();
    let mut cases = vec![
        (Form::Plain, text.to_owned()),
        (Form::Hex, HEXLOWER.encode(SECRET)),
        (Form::Hex, HEXUPPER.encode(SECRET)),
        (Form::Percent, percent_all(SECRET)),
        (Form::Percent, "EXAMPLE%2Bsecret%2Fof%2632%20bytes~%25%3Flen".to_owned()),
        (Form::Percent, "EXAMPLE%2bsecret%2fof%2632+bytes%7e%25%3flen".to_owned()),
        (Form::Percent, "EXAMPLE+secret/of&32%20bytes~%25?len".to_owned()),
        (Form::FirstHalf, text[..16].to_owned()),
        (Form::SecondHalf, text[16..].to_owned()),
    ];
    for before in ["", "a", "ab"] {
        let longer = format!("{before}{text}; and more");
        cases.push((Form::Base64, BASE64.encode(longer.as_bytes())));
        cases.push((Form::Base64, BASE64URL.encode(longer.as_bytes())));
    }
    for (form, text) in cases {
        let sent = format!("some words before: {text}, some words behind");
        let found = seen(&known, &[sent.as_bytes()]);
        assert_eq!(forms(&found), [form], "{text}");
        let Known { at, len, .. } = found[0];
        assert!(at >= 19 && at as usize + len <= 19 + text.len(), "{text}: {at} {len}");
        assert_eq!(found[0].confidence() == Confidence::Low, form.is_half());
    }
}

/// Encoders that keep more or fewer characters than those that were thought of: Python's `quote` the slash. Such a text
/// was not found, and stood whole in a snippet.
#[test]
fn a_value_is_found_and_covered_as_each_percent_encoder_writes_it() {
    let value = b"Xq7-mellow horizon+plum/42=ok&zeta";
    let known = known(&[value]);
    for sent in [
        "Xq7-mellow%20horizon%2Bplum/42%3Dok%26zeta",
        "Xq7-mellow%20horizon%2bplum/42%3dok%26zeta",
        "Xq7-mellow+horizon%2Bplum%2F42%3Dok%26zeta",
        "Xq7-mellow%20horizon+plum%2F42=ok&zeta",
        "Xq7-mellow%20horizon+plum/42=ok&zeta",
        "%58%71%37%2D%6D%65%6C%6C%6F%77%20%68%6F%72%69%7A%6F%6E%2B%70%6C%75%6D%2F%34%32%3D%6F%6B%26%7A%65%74%61",
    ] {
        assert_eq!(forms(&seen(&known, &[sent.as_bytes()])), [Form::Percent], "{sent}");
        let mut spans = Vec::new();
        known.spans(sent.as_bytes(), &mut spans);
        assert!(spans.contains(&(0..sent.len())), "{sent}: {spans:?}");
    }
    // Each encoder by what it writes of all that is not a letter or a digit.
    let known = self::known(&[b"m 1!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~2n"]);
    for sent in [
        // Python: quote, the same with safe="", quote_plus; of Python 2 quote; requests.
        "m%201%21%22%23%24%25%26%27%28%29%2A%2B%2C-./%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E_%60%7B%7C%7D~2n",
        "m%201%21%22%23%24%25%26%27%28%29%2A%2B%2C-.%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E_%60%7B%7C%7D~2n",
        "m+1%21%22%23%24%25%26%27%28%29%2A%2B%2C-.%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E_%60%7B%7C%7D~2n",
        "m%201%21%22%23%24%25%26%27%28%29%2A%2B%2C-./%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E_%60%7B%7C%7D%7E2n",
        "m%201!%22#$%&'()*+,-./:;%3C=%3E?@[%5C]%5E_%60%7B%7C%7D~2n",
        // PHP: urlencode.
        "m+1%21%22%23%24%25%26%27%28%29%2A%2B%2C-.%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E_%60%7B%7C%7D%7E2n",
        // JavaScript: encodeURIComponent, URLSearchParams.
        "m%201!%22%23%24%25%26'()*%2B%2C-.%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E_%60%7B%7C%7D~2n",
        "m+1%21%22%23%24%25%26%27%28%29*%2B%2C-.%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E_%60%7B%7C%7D%7E2n",
        // Go: PathEscape.
        "m%201%21%22%23$%25&%27%28%29%2A+%2C-.%2F:%3B%3C=%3E%3F@%5B%5C%5D%5E_%60%7B%7C%7D~2n",
    ] {
        assert_eq!(forms(&seen(&known, &[sent.as_bytes()])), [Form::Percent], "{sent}");
    }
}

/// An encoder that nobody thought of: letters escaped here and there. Beside another finding it stood whole in a snippet.
#[test]
fn a_value_is_covered_whatever_of_it_is_percent_encoded() {
    let known = known(&[b"Xq7-mellow horizon+plum/42=ok&zeta"]);
    for sent in [
        "Xq7-%6Dellow hori%7Aon+plum/42=ok&zeta",
        "%58q7%2dmellow+hori%7aon%2Bplum/42=%6Fk%26zeta",
        "X%717-mell%6F%77%20horizon+plum/%34%32=ok&z%65ta",
    ] {
        let text = format!("a %zz {sent} b");
        let mut spans = Vec::new();
        known.spans(text.as_bytes(), &mut spans);
        assert!(spans.contains(&(6..6 + sent.len())), "{text}: {spans:?}");
    }
    let mut spans = Vec::new();
    known.spans(b"nothing %6f%66 it is here", &mut spans);
    assert!(spans.is_empty(), "{spans:?}");
}

#[test]
fn both_halves_apart_are_two_and_together_they_are_the_whole() {
    let known = known(&[SECRET]);
    let (first, second) = SECRET.split_at(16);
    let apart = [first, b"\", \"", second].concat();
    assert_eq!(forms(&seen(&known, &[&apart])), [Form::FirstHalf, Form::SecondHalf]);
    assert_eq!(forms(&seen(&known, &[first, second])), [Form::Plain]);
    assert_eq!(forms(&seen(&known, &[first])), [Form::FirstHalf]);
}

#[test]
fn a_value_cut_anywhere_is_found_at_the_read_that_completes_it() {
    let known = known(&[SECRET]);
    let sent = [b"before ".as_slice(), SECRET, b" behind"].concat();
    for cut in 1..sent.len() {
        let (first, second) = sent.split_at(cut);
        let found = seen(&known, &[first, second]);
        assert_eq!((forms(&found), found[0].at), (vec![Form::Plain], 7), "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = sent.chunks(1).collect();
    assert_eq!(forms(&seen(&known, &bytes)), [Form::Plain]);
    let mut watch = Watch::new(&known, 0);
    let mut count = 0;
    watch.feed(&sent[..7 + SECRET.len() - 1], &mut |_| count += 1);
    assert_eq!(count, 0);
    watch.feed(&SECRET[SECRET.len() - 1..], &mut |_| count += 1);
    assert_eq!(count, 1, "told with its last byte");
}

#[test]
fn the_shortest_value_and_one_byte_less() {
    assert_eq!(forms(&seen(&known(&[b" 8bytes!x\n"]), &[b"8bytes!x"])), [Form::Plain]);
    let short = known(&[b"7bytes!"]);
    assert!(short.is_empty());
    assert_eq!(seen(&short, &[b"7bytes!"]), []);
    let halved = known(&[b"0123456789abcdef"]);
    assert_eq!(forms(&seen(&halved, &[b"x01234567"])), [Form::FirstHalf]);
    assert_eq!(seen(&known(&[b"0123456789abcde"]), &[b"x01234567"]), []);
}

#[test]
fn a_long_value_is_told_by_its_first_bytes() {
    let long: Vec<u8> = (0..2 * KNOWN_FORM_MAX_BYTES).map(|n| b'a' + (n * n % 23) as u8).collect();
    let known = known(&[&long]);
    assert_eq!(known.longest, KNOWN_FORM_MAX_BYTES);
    let found = seen(&known, &[&long[..KNOWN_FORM_MAX_BYTES]]);
    assert!(found.iter().any(|known| known.form == Form::Plain), "at the bound");
    let found = seen(&known, &[&long[..KNOWN_FORM_MAX_BYTES - 1]]);
    assert!(found.iter().all(|known| known.form != Form::Plain), "one less");
}

#[test]
fn so_many_values_and_not_one_more() {
    let named = |count: usize| {
        let value = |number| NamedValue {
            name: "NAME".into(),
            bytes: Zeroizing::new(format!("EXAMPLE-{number:08}").into_bytes()),
        };
        KnownValues::new((0..count).map(value).collect(), |_| Fingerprint([0; 8]))
    };
    let all = Arc::new(named(KNOWN_VALUES_MAX).unwrap());
    assert_eq!(all.len(), KNOWN_VALUES_MAX);
    let found = seen(&all, &[b"it is EXAMPLE-00000255"]);
    assert_eq!(found.iter().find(|known| known.form == Form::Plain).unwrap().value, 255);
    assert_eq!(named(KNOWN_VALUES_MAX + 1).unwrap_err(), KnownValuesError::TooMany);
}

#[test]
fn halves_wait_up_to_their_bound() {
    let values: Vec<Vec<u8>> = (0..=KNOWN_HALVES_WAITING)
        .map(|number| format!("half{number:04}rest-of-what-is-much-longer").into_bytes())
        .collect();
    let known = known(&values.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let sent: Vec<u8> =
        values.iter().flat_map(|value| value.split_at(value.len() / 2).0.to_vec()).collect();
    assert_eq!(seen(&known, &[&sent]).len(), KNOWN_HALVES_WAITING + 1);
}

#[test]
fn what_would_be_shown_of_a_value_is_covered() {
    let known = known(&[SECRET]);
    let covered = |text: &[u8]| {
        let mut spans = Vec::new();
        known.spans(text, &mut spans);
        let mut is_covered = vec![false; text.len()];
        spans.iter().flat_map(|span| span.clone()).for_each(|at| is_covered[at] = true);
        is_covered
    };
    // Enough behind it that no longer form may begin there and be cut off.
    let sent = [b"before ".as_slice(), SECRET, b" and what is behind"].concat();
    assert_eq!(covered(&sent).iter().filter(|covered| **covered).count(), SECRET.len());
    for len in ANCHOR_BYTES..SECRET.len() {
        let cut_off = [b"before ".as_slice(), &SECRET[..len]].concat();
        assert!(covered(&cut_off)[7..].iter().all(|covered| *covered), "first {len}");
        let cut_off = [&SECRET[SECRET.len() - len..], b" behind"].concat();
        assert!(covered(&cut_off)[..len].iter().all(|covered| *covered), "last {len}");
    }
    assert!(covered(b"nothing of any interest here").iter().all(|covered| !covered));
}

#[test]
fn what_is_behind_the_compared_part_of_a_long_value_is_covered() {
    let long: Vec<u8> =
        (0..KNOWN_FORM_MAX_BYTES + 500).map(|n| b'a' + (n * n % 23) as u8).collect();
    let mut spans = Vec::new();
    let sent = [b"before ".as_slice(), &long, b" behind"].concat();
    known(&[&long]).spans(&sent, &mut spans);
    assert!(spans.contains(&(7..7 + long.len())), "{spans:?}");
}

#[test]
fn what_is_near_a_half_is_covered_and_nothing_else() {
    let known = known(&[SECRET]);
    let mut spans = Vec::new();
    let near = KNOWN_HALF_NEAR_LENGTHS * 16 + KNOWN_HALF_NEAR_BYTES;
    let far = vec![b'.'; near + 10];
    known.spans(&[&far, &SECRET[..16], &far].concat(), &mut spans);
    let whole = 10..far.len() + 16 + near;
    assert_eq!(spans, [whole]);
    spans.clear();
    known.spans(&[&far, SECRET, &far].concat(), &mut spans);
    assert!(spans.iter().all(|span| far.len() <= span.start), "{spans:?}");
    assert!(spans.iter().all(|span| span.end <= far.len() + SECRET.len()), "{spans:?}");
}

#[test]
fn nothing_of_a_value_is_in_debug_output() {
    let known = known(&[SECRET]);
    assert_eq!(format!("{known:?}"), "KnownValues(1)");
    let named = NamedValue { name: "X".into(), bytes: Zeroizing::new(SECRET.to_vec()) };
    assert_eq!(format!("{named:?}"), "NamedValue(X)");
    assert_eq!((known.name(0), known.name(1)), ("NAME_0", ""));
}

proptest! {
    #[test]
    fn any_value_in_any_text_cut_anyhow_is_found(
        value in prop::collection::vec(33_u8..=126, 8..80),
        before in prop::collection::vec(any::<u8>(), 0..100),
        behind in prop::collection::vec(any::<u8>(), 0..100),
        size in 1_usize..50,
    ) {
        let known = known(&[&value]);
        let sent = [before.clone(), value.clone(), behind].concat();
        let pieces: Vec<&[u8]> = sent.chunks(size).collect();
        let found = seen(&known, &pieces);
        let is_it = |known: &&Known| known.form == Form::Plain && known.at == before.len() as u64;
        prop_assert_eq!(found.iter().filter(is_it).count(), 1);
    }

    #[test]
    fn text_without_a_value_is_silent(text in prop::collection::vec(any::<u8>(), 0..500)) {
        prop_assert_eq!(seen(&known(&[SECRET]), &[&text]), []);
    }
}

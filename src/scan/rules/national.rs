//! The check digits of numbers that states give to people. Separators are passed over.

/// The digits of a text, their separators left out.
fn digits(text: &[u8]) -> Vec<u32> {
    text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0')).collect()
}

/// The last of so many digits, and those before it.
fn checked(text: &[u8], count: usize) -> Option<(Vec<u32>, u32)> {
    let mut digits = digits(text);
    let check = digits.pop()?;
    (digits.len() + 1 == count).then_some((digits, check))
}

fn weighted(digits: &[u32], weights: impl IntoIterator<Item = u32>) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// A number of decimal digits, modulo another.
fn remainder(digits: &[u32], modulus: u32) -> u32 {
    digits.iter().fold(0, |rest, digit| (rest * 10 + digit) % modulus)
}

/// The last two digits as a number, and those before them.
fn with_two_checks(digits: &[u32]) -> Option<(&[u32], u32)> {
    let (body, check) = digits.split_at_checked(digits.len().checked_sub(2)?)?;
    Some((body, remainder(check, 100)))
}

/// Great Britain: numbers of the National Health Service.
pub(super) fn nhs(text: &[u8]) -> bool {
    checked(text, 10).is_some_and(|(body, check)| {
        let sum = weighted(&body, (2..=10).rev());
        (11 - sum % 11) % 11 == check
    })
}

/// France: the number of the registry, 13 digits (or 2A, 2B for Corsica) and a key.
pub(super) fn insee(text: &[u8]) -> bool {
    let upper = text.to_ascii_uppercase();
    let letter = upper.iter().find(|byte| matches!(byte, b'A' | b'B'));
    // 2A counts as 19, 2B as 18.
    let spelt: Vec<u8> = match letter {
        None => upper,
        Some(letter) => {
            let plain: Vec<u8> =
                upper.iter().filter(|byte| byte.is_ascii_alphanumeric()).copied().collect();
            let replacement: &[u8] = if *letter == b'A' { b"19" } else { b"18" };
            match plain.split_at_checked(5).zip(plain.get(7..)) {
                Some(((before, _), after)) => [before, replacement, after].concat(),
                None => return false,
            }
        }
    };
    let digits = digits(&spelt);
    digits.len() == 15
        && with_two_checks(&digits).is_some_and(|(body, key)| 97 - remainder(body, 97) == key)
}

/// Germany: tax numbers (ISO 7064 MOD 11,10).
pub(super) fn german_tax(text: &[u8]) -> bool {
    checked(text, 11).is_some_and(|(body, check)| {
        let product = body.iter().fold(10, |product, digit| {
            let sum = (digit + product) % 10;
            (if sum == 0 { 10 } else { sum }) * 2 % 11
        });
        (11 - product) % 10 == check
    })
}

/// Spain: DNI and NIE, whose letter is the number modulo 23.
pub(super) fn dni(text: &[u8]) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let mut signs: Vec<u8> = text
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(u8::to_ascii_uppercase)
        .collect();
    let letter = signs.pop();
    let number = signs.len().checked_sub(8).and_then(|at| signs.get(at..)).unwrap_or_default();
    let value = number.iter().enumerate().try_fold(0u32, |value, (place, sign)| {
        let digit = match (place, sign) {
            (0, b'X') => 0,
            (0, b'Y') => 1,
            (0, b'Z') => 2,
            (_, digit) if digit.is_ascii_digit() => u32::from(digit - b'0'),
            _ => return None,
        };
        Some(value * 10 + digit)
    });
    let expected = value.and_then(|value| LETTERS.get(usize::try_from(value % 23).ok()?));
    number.len() == 8 && expected.copied() == letter
}

/// Italy: tax codes, 16 signs.
pub(super) fn codice_fiscale(text: &[u8]) -> bool {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let Some((body, [check])) = text.split_at_checked(15) else { return false };
    let sum = body.iter().enumerate().try_fold(0, |sum, (place, sign)| {
        let value = match sign {
            b'0'..=b'9' => sign - b'0',
            b'A'..=b'Z' => sign - b'A',
            _ => return None,
        };
        let odd = ODD.get(usize::from(value)).copied()?;
        Some(sum + if place % 2 == 0 { odd } else { u32::from(value) })
    });
    sum.is_some_and(|sum| u32::from(*check) == u32::from(b'A') + sum % 26)
}

/// Brazil: CPF (11 digits) and CNPJ (14), two check digits each.
pub(super) fn brazilian(text: &[u8]) -> bool {
    let digits = digits(text);
    let check = |count: usize| {
        let body = digits.get(..count).unwrap_or_default();
        // CPF: 2, 3, 4 … from the right; CNPJ: 2 to 9 again and again.
        let cycle = if digits.len() == 11 { 12 } else { 8 };
        let sum: u32 = body
            .iter()
            .rev()
            .zip((2..2 + cycle).cycle())
            .map(|(digit, weight)| digit * weight)
            .sum();
        let expected = match sum % 11 {
            0 | 1 => 0,
            rest => 11 - rest,
        };
        digits.get(count) == Some(&expected)
    };
    let is_one_digit = digits.iter().all(|digit| Some(digit) == digits.first());
    matches!(digits.len(), 11 | 14)
        && !is_one_digit
        && check(digits.len() - 2)
        && check(digits.len() - 1)
}

/// China: resident identity cards (ISO 7064 MOD 11-2).
pub(super) fn chinese(text: &[u8]) -> bool {
    let Some((body, [check])) = text.split_at_checked(17) else { return false };
    let digits = digits(body);
    let sum = digits.iter().fold(0, |sum, digit| (sum + digit) * 2 % 11);
    let expected = (12 - sum) % 11;
    let found = match check.to_ascii_uppercase() {
        b'X' => 10,
        sign => u32::from(sign.wrapping_sub(b'0')),
    };
    digits.len() == 17 && found == expected
}

/// India: Aadhaar (Verhoeff's scheme).
pub(super) fn verhoeff(text: &[u8]) -> bool {
    const PERMUTED: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let digits = digits(text);
    let state = digits.iter().rev().zip(PERMUTED.iter().cycle()).fold(0, |state, (digit, row)| {
        let permuted = usize::try_from(*digit).ok().and_then(|digit| row.get(digit));
        dihedral(state, permuted.copied().unwrap_or_default())
    });
    digits.len() == 12 && state == 0
}

/// The product of two elements of the dihedral group of the pentagon.
fn dihedral(left: u8, right: u8) -> u8 {
    let turn = |sum: u8| sum % 5;
    match (left < 5, right < 5) {
        (true, true) => turn(left + right),
        (true, false) => 5 + turn(left + right - 5),
        (false, true) => 5 + turn(left + 5 - right),
        (false, false) => turn(left + 5 - right),
    }
}

/// The Netherlands: BSN.
pub(super) fn bsn(text: &[u8]) -> bool {
    checked(text, 9).is_some_and(|(body, check)| {
        let sum = weighted(&body, (2..=9).rev());
        sum > 0 && sum % 11 == check
    })
}

/// Poland: PESEL.
pub(super) fn pesel(text: &[u8]) -> bool {
    checked(text, 11).is_some_and(|(body, check)| {
        let sum = weighted(&body, [1, 3, 7, 9].into_iter().cycle());
        (10 - sum % 10) % 10 == check
    })
}

/// Belgium: national register numbers; who was born from 2000 on counts with a 2 in front.
pub(super) fn belgian(text: &[u8]) -> bool {
    let digits = digits(text);
    digits.len() == 11
        && with_two_checks(&digits).is_some_and(|(body, check)| {
            let later: Vec<u32> = [2].iter().chain(body).copied().collect();
            [body, &later].iter().any(|body| 97 - remainder(body, 97) == check)
        })
}

/// Switzerland's AHV numbers are EAN-13.
pub(super) fn ean13(text: &[u8]) -> bool {
    checked(text, 13).is_some_and(|(body, check)| {
        let sum = weighted(&body, [1, 3].into_iter().cycle());
        (10 - sum % 10) % 10 == check
    })
}

/// Korea: registration numbers. Those given out since October 2020 have no check digit.
pub(super) fn korean(text: &[u8]) -> bool {
    checked(text, 13).is_some_and(|(body, check)| {
        let sum = weighted(&body, (2..=9).cycle());
        (11 - sum % 11) % 10 == check
    })
}

/// The second line of a passport's machine-readable zone (ICAO 9303), at the end of the text.
pub(super) fn machine_readable_zone(text: &[u8]) -> bool {
    let line = text.len().checked_sub(44).and_then(|at| text.get(at..)).unwrap_or_default();
    let part = |range| line.get(range).unwrap_or_default();
    let passes = |parts: &[&[u8]], check: usize| {
        let signs = parts.iter().copied().flatten();
        let sum: u32 =
            signs.zip([7, 3, 1].into_iter().cycle()).map(|(s, w)| zone_value(*s) * w).sum();
        line.get(check).is_some_and(|check| zone_value(*check) == sum % 10)
    };
    passes(&[part(0..9)], 9)
        && passes(&[part(13..19)], 19)
        && passes(&[part(21..27)], 27)
        && passes(&[part(0..10), part(13..20), part(21..43)], 43)
}

fn zone_value(sign: u8) -> u32 {
    char::from(sign).to_digit(36).unwrap_or(0)
}

/// America: social security numbers have no check digit, but some that were never given out.
pub(super) fn ssn(text: &[u8]) -> bool {
    let digits = digits(text);
    let part = |range| digits.get(range).map_or(0, |part| remainder(part, 10_000));
    let (area, group, serial) = (part(0..3), part(3..5), part(5..9));
    digits.len() == 9 && !matches!(area, 0 | 666 | 900..) && group > 0 && serial > 0
}

/// Great Britain: national insurance numbers have no check digit, but prefixes that are not given out.
pub(super) fn nino(text: &[u8]) -> bool {
    const UNUSED: [&[u8]; 7] = [b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"];
    !UNUSED.iter().any(|prefix| text.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_pass_their_schemes_and_a_changed_digit_does_not() {
        type Check = fn(&[u8]) -> bool;
        let tried: [(&str, Check, &[&str], &[&str]); 16] = [
            ("nhs", nhs, &["943 476 5919"], &["943 476 5918", "943476591"]),
            ("insee", insee, &["2 69 05 49 588 157 80"], &["2 69 05 49 588 157 81", "26905", "2A"]),
            ("german_tax", german_tax, &["86 095 742 719", "47036892816"], &["86095742718"]),
            ("dni", dni, &["12345678Z", "dni: 12345678-Z", "X1234567L"], &["12345678A", "Z", ""]),
            ("codice_fiscale", codice_fiscale, &["RSSMRA85T10A562S"], &["RSSMRA85T10A562T", "RSS"]),
            (
                "brazilian",
                brazilian,
                &["529.982.247-25", "11.222.333/0001-81"],
                &["111.111.111-11", "529.982.247-26", "1"],
            ),
            ("chinese", chinese, &["11010519491231002X"], &["110105194912310021", "1"]),
            ("verhoeff", verhoeff, &["2341 2341 2346"], &["2341 2341 2347", "0"]),
            ("bsn", bsn, &["111222333", "123456782"], &["123456783", "000000000"]),
            ("pesel", pesel, &["44051401359", "02070803628"], &["44051401358"]),
            ("belgian", belgian, &["85.07.30-033.28"], &["85.07.30-033.29", "85"]),
            ("ean13", ean13, &["756.9217.0769.85", "756.1234.5678.97"], &["756.9217.0769.84"]),
            ("korean", korean, &["850315-2345678"], &["850315-2345679", "1"]),
            (
                "machine_readable_zone",
                machine_readable_zone,
                &["x\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"],
                &["L898902C36UTO7408122F1204159ZE184226B<<<<<11", ""],
            ),
            (
                "ssn",
                ssn,
                &["123-45-6789"],
                &["000-45-6789", "666-45-6789", "123-00-6789", "123-45-0000"],
            ),
            ("nino", nino, &["AB123456C"], &["GB123456C"]),
        ];
        for (name, check, good, bad) in tried {
            assert!(good.iter().all(|text| check(text.as_bytes())), "{name}");
            assert!(!bad.iter().any(|text| check(text.as_bytes())), "{name}");
        }
    }

    #[test]
    fn corsican_numbers_count_their_letter() {
        let body = "1 85 05 19 546 085";
        let digits = digits(body.as_bytes());
        let key = 97 - remainder(&digits, 97);
        assert!(insee(format!("1 85 05 2A 546 085 {key:02}").as_bytes()));
        assert!(!insee(format!("1 85 05 2B 546 085 {key:02}").as_bytes()));
    }
}

//! The known word nearest to a misspelt one, for messages. Decides; knows no key.

/// The candidate with the fewest edits, if few enough that it can have been meant.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let tolerance = (word.chars().count() / 2).clamp(2, 8);
    candidates
        .map(|candidate| (edit_distance(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and substitutions between two words (Levenshtein), one row at a time.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, left_char) in left.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut before = index + 1;
        next.push(before);
        for ((diagonal, above), right_char) in row.iter().zip(row.iter().skip(1)).zip(&right) {
            let substituted = diagonal + usize::from(left_char != *right_char);
            before = substituted.min(above + 1).min(before + 1);
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        for (left, right, distance) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("proxy_port", "proxy_port", 0),
            ("proxyport", "proxy_port", 1),
        ] {
            assert_eq!(edit_distance(left, right), distance, "{left} {right}");
        }
    }

    #[test]
    fn the_nearest_word_wins_and_a_far_one_does_not() {
        let words = ["proxy_port", "proxy_host", "log_dir"];
        assert_eq!(nearest("PROXY_PROT", words.into_iter()), Some("proxy_port"));
        assert_eq!(nearest("logdir", words.into_iter()), Some("log_dir"));
        assert_eq!(nearest("completely_different", words.into_iter()), None);
    }
}

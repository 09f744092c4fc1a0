//! What is looked at once more before it is written: findings, and lines of the log. Touches no file.

use std::collections::VecDeque;
use std::sync::Arc;

use super::last_look::{LastLook, Texts};
use crate::finding::Finding;
use crate::limits::HOST_SECRETS_REMEMBERED;

/// What stands for a secret.
const MASK: &str = "...";

/// Hides secrets, and remembers those in names of hosts.
#[derive(Debug, Default)]
pub(super) struct Review {
    last_look: Option<LastLook>,
    /// Secrets that were told of where a host is named, as its name has them. Without their capitals no rule finds
    /// most of them again; the latest ones.
    of_hosts: VecDeque<Box<str>>,
}

impl Review {
    /// From now on all is looked at by this.
    pub(super) fn set_last_look(&mut self, last_look: LastLook) {
        self.last_look = Some(last_look);
    }

    /// Hides what snippets and destinations still hold.
    pub(super) fn hide_in<'a>(&mut self, findings: impl Iterator<Item = &'a mut Finding>) {
        let findings: Vec<&mut Finding> = findings.collect();
        findings.iter().for_each(|finding| self.remember(finding));
        // Most go to the same few hosts.
        let mut dests: Vec<Arc<str>> = Vec::new();
        for finding in &findings {
            if !dests.contains(&finding.dest) {
                dests.push(Arc::clone(&finding.dest));
            }
        }
        let mut shown: Vec<String> = dests.iter().map(|dest| dest.to_string()).collect();
        self.hide(Texts::Names, &mut shown.iter_mut().collect::<Vec<_>>());
        let masked = dests.iter().zip(&shown).filter(|(dest, shown)| ***dest != ***shown);
        let masked: Vec<(&Arc<str>, Arc<str>)> =
            masked.map(|(dest, shown)| (dest, Arc::from(&**shown))).collect();
        let mut snippets = Vec::with_capacity(findings.len());
        for finding in findings {
            if let Some((_, shown)) = masked.iter().find(|(dest, _)| **dest == finding.dest) {
                finding.dest = Arc::clone(shown);
            }
            snippets.push(&mut finding.snippet);
        }
        self.hide(Texts::Snippets, &mut snippets);
    }

    /// Hides what lines of the log still hold.
    pub(super) fn hide_in_lines<'a>(&mut self, lines: impl Iterator<Item = &'a mut String>) {
        self.hide(Texts::Names, &mut lines.collect::<Vec<_>>());
    }

    fn hide(&mut self, are: Texts, texts: &mut [&mut String]) {
        if let Some(look) = &mut self.last_look {
            look.mask(are, texts);
        }
        for secret in &self.of_hosts {
            texts.iter_mut().for_each(|text| hide_each(text, secret));
        }
    }

    fn remember(&mut self, finding: &Finding) {
        let secret = finding.secret_in_dest.clone().and_then(|range| finding.dest.get(range));
        let Some(secret) = secret else { return };
        if self.of_hosts.iter().any(|known| **known == *secret) {
            return;
        }
        if self.of_hosts.len() >= HOST_SECRETS_REMEMBERED {
            self.of_hosts.pop_front();
        }
        self.of_hosts.push_back(Box::from(secret));
    }
}

/// Puts the mask in the place of each occurrence, in whichever case.
fn hide_each(text: &mut String, secret: &str) {
    let mut from = 0;
    while let Some(at) = place_in_name(text.as_bytes().get(from..).unwrap_or_default(), secret) {
        let at = from + at;
        text.replace_range(at..at + secret.len(), MASK);
        from = at + MASK.len();
    }
}

/// Where a name has a secret, in whichever case.
pub fn place_in_name(name: &[u8], secret: &str) -> Option<usize> {
    if secret.is_empty() {
        return None;
    }
    name.windows(secret.len()).position(|part| part.eq_ignore_ascii_case(secret.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::dedup::tests::finding;

    fn shown(review: &mut Review, mut found: Finding) -> (String, String) {
        review.hide_in(std::iter::once(&mut found));
        (found.dest.to_string(), found.snippet)
    }

    #[test]
    fn a_secret_told_of_in_a_host_is_hidden_wherever_that_host_is_named() {
        let mut review = Review::default();
        let host = "key.aizaexample.evil.example:443";
        let before = shown(&mut review, finding("other", host)).0;
        assert_eq!(before, host, "nobody has told of it");
        let told = Finding { secret_in_dest: Some(4..15), ..finding("key", host) };
        assert_eq!(shown(&mut review, told).0, "key.....evil.example:443");
        let snippet = "Host: key.AIZAexample.evil.example é".into();
        let (dest, snippet) = shown(&mut review, Finding { snippet, ..finding("other", host) });
        assert_eq!(dest, "key.....evil.example:443");
        assert_eq!(snippet, "Host: key.....evil.example é");
        let mut lines = ["é ▶ aizaexample, aizaexample".to_owned(), "aizaexampl".to_owned()];
        review.hide_in_lines(lines.iter_mut());
        assert_eq!(lines, ["é ▶ ..., ...", "aizaexampl"]);
    }

    #[test]
    fn so_many_are_remembered_and_then_the_first_is_forgotten() {
        let mut review = Review::default();
        let tell = |review: &mut Review, number: usize| {
            let host = format!("secret{number:04}.example:1");
            let told = Finding { secret_in_dest: Some(0..10), ..finding("key", &host) };
            review.hide_in(std::iter::once(&mut { told }));
        };
        (0..HOST_SECRETS_REMEMBERED).for_each(|number| tell(&mut review, number));
        tell(&mut review, 0);
        assert_eq!(review.of_hosts.len(), HOST_SECRETS_REMEMBERED);
        assert_eq!(&*review.of_hosts[0], "secret0000");
        tell(&mut review, HOST_SECRETS_REMEMBERED);
        assert_eq!(review.of_hosts.len(), HOST_SECRETS_REMEMBERED);
        assert_eq!(&*review.of_hosts[0], "secret0001");
    }
}

//! What is looked at once more before it is written: snippets and destinations of findings. Touches no file.

use std::collections::VecDeque;
use std::sync::Arc;

use super::last_look::{LastLook, Texts};
use crate::finding::Finding;
use crate::limits::SECRET_DESTS_REMEMBERED;

/// What stands for a secret.
const MASK: &str = "...";

/// The last labels of a host's name, which are always shown: who reads them sees where the traffic went.
const SHOWN_LABELS: usize = 2;

/// Hides secrets.
#[derive(Debug, Default)]
pub(super) struct Review {
    last_look: Option<LastLook>,
    /// Destinations of which a finding told that their names hold a secret, the latest ones: without its capitals no
    /// rule finds it again.
    secret_dests: VecDeque<Arc<str>>,
}

impl Review {
    /// From now on all is looked at by this.
    pub(super) fn set_last_look(&mut self, last_look: LastLook) {
        self.last_look = Some(last_look);
    }

    /// Hides what snippets and destinations still hold.
    pub(super) fn hide_in<'a>(&mut self, findings: impl Iterator<Item = &'a mut Finding>) {
        let mut findings: Vec<&mut Finding> = findings.collect();
        for finding in findings.iter().filter(|finding| finding.has_secret_dest) {
            self.remember(&finding.dest);
        }
        // Most go to the same few hosts.
        let mut named: Vec<(Arc<str>, String)> = Vec::new();
        for finding in &findings {
            if !named.iter().any(|(dest, _)| *dest == finding.dest) {
                named.push((Arc::clone(&finding.dest), self.front(&finding.dest)));
            }
        }
        let fronts = named.iter_mut().map(|(_, front)| front).filter(|front| !front.is_empty());
        let mut fronts: Vec<&mut String> = fronts.collect();
        self.hide(Texts::Names, &mut fronts);
        for finding in &mut findings {
            let known = named.iter().find(|(dest, _)| *dest == finding.dest);
            let parts = finding.dest.split_at_checked(front_of(&finding.dest));
            if let (Some((_, shown)), Some((front, domain))) = (known, parts)
                && shown != front
            {
                finding.dest = [shown.as_str(), domain].concat().into();
            }
        }
        let mut snippets: Vec<&mut String> =
            findings.iter_mut().map(|finding| &mut finding.snippet).collect();
        self.hide(Texts::Snippets, &mut snippets);
    }

    fn hide(&mut self, are: Texts, texts: &mut [&mut String]) {
        if let Some(look) = &mut self.last_look {
            look.mask(are, texts);
        }
    }

    fn remember(&mut self, dest: &Arc<str>) {
        if self.secret_dests.contains(dest) {
            return;
        }
        if self.secret_dests.len() >= SECRET_DESTS_REMEMBERED {
            self.secret_dests.pop_front();
        }
        self.secret_dests.push_back(Arc::clone(dest));
    }

    /// What stands before the domain of a destination: nothing of it, if it has a secret, beside which another may
    /// stand.
    fn front(&self, dest: &Arc<str>) -> String {
        let front = dest.get(..front_of(dest)).unwrap_or_default();
        if !front.is_empty() && self.secret_dests.contains(dest) { MASK } else { front }.to_owned()
    }
}

/// Whether a destination has some of a secret before its domain, in whichever case.
pub fn is_secret_dest(dest: &str, secret: &[u8]) -> bool {
    let mut parts = dest.as_bytes().windows(secret.len().max(1));
    let start = parts.position(|part| part.eq_ignore_ascii_case(secret));
    start.is_some_and(|start| start < front_of(dest))
}

/// How much of a destination stands before its domain, the dot between them not counted; nothing of an address.
fn front_of(dest: &str) -> usize {
    let host = dest.rsplit_once(':').map_or(dest, |(host, _)| host);
    let is_address = host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    let labels = host.strip_suffix('.').unwrap_or(host);
    let dots = labels.rmatch_indices('.').map(|(at, _)| at);
    dots.filter(|_| !is_address).nth(SHOWN_LABELS - 1).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::dedup::tests::finding;

    fn shown(review: &mut Review, dest: &str, has_secret_dest: bool) -> String {
        let mut found = Finding { has_secret_dest, ..finding("key", dest) };
        review.hide_in(std::iter::once(&mut found));
        found.dest.to_string()
    }

    #[test]
    fn what_stands_before_the_domain_is_hidden_where_it_has_a_secret() {
        let secret = b"AIzaEXAMPLE";
        for (dest, expected) in [
            ("key.aizaexample.evil.example:443", "....evil.example:443"),
            ("AIZAexample.evil.example.:443", "....evil.example.:443"),
            ("x-aizaexample-y.evil.example:443", "....evil.example:443"),
            ("aizaexample.aizaexample.evil.example:443", "....evil.example:443"),
            ("aizaexample.example:443", "aizaexample.example:443"),
            ("api.example.com:443", "api.example.com:443"),
        ] {
            let mut review = Review::default();
            assert_eq!(shown(&mut review, dest, false), dest, "nobody has told of it");
            assert_eq!(shown(&mut review, dest, is_secret_dest(dest, secret)), expected);
            // Another finding to that host, later.
            assert_eq!(shown(&mut review, dest, false), expected);
        }
    }

    #[test]
    fn no_secret_takes_the_domain_or_an_address_away() {
        for (dest, secret) in [
            ("exfil.example:80", "exfil.example"),
            ("a.exfil.example:80", "exfil.example:80"),
            ("192.0.2.77:443", "192.0.2.77"),
            ("[2001:db8::77]:443", "2001:db8"),
            ("localhost:443", "localhost"),
            ("head.body.evil.example:443", ""),
        ] {
            assert!(!is_secret_dest(dest, secret.as_bytes()), "{dest}");
        }
        // One whose class has dots goes on to the name's end.
        let dest = "head.body.evil.example:443";
        assert!(is_secret_dest(dest, b"head.body.evil.example"));
        assert_eq!(shown(&mut Review::default(), dest, true), "....evil.example:443");
        for dest in ["192.0.2.77:443", "[2001:db8::77]:443", "localhost:443", "exfil.example:80"] {
            assert_eq!(shown(&mut Review::default(), dest, true), dest);
        }
    }

    #[test]
    fn so_many_are_remembered_and_then_the_first_is_forgotten() {
        let mut review = Review::default();
        let dest = |number: usize| format!("s{number}.evil.example:1");
        (0..=SECRET_DESTS_REMEMBERED).for_each(|number| {
            shown(&mut review, &dest(number), true);
        });
        assert_eq!(review.secret_dests.len(), SECRET_DESTS_REMEMBERED);
        assert_eq!(shown(&mut review, &dest(0), false), dest(0));
        assert_eq!(shown(&mut review, &dest(1), false), "....evil.example:1");
    }
}

//! What is looked at once more before it is written: snippets and destinations of findings. Touches no file.

use std::ops::Range;
use std::sync::Arc;

use super::last_look::{LastLook, Texts};
use crate::finding::Finding;

/// What stands for a secret.
const MASK: &str = "...";

/// The last labels of a host's name, which are always shown: who reads them sees where the traffic went.
const SHOWN_LABELS: usize = 2;

/// Hides secrets.
#[derive(Debug, Default)]
pub(super) struct Review {
    last_look: Option<LastLook>,
}

/// A destination that findings name.
struct Named {
    dest: Arc<str>,
    /// What stands before its domain, without the secrets that the findings tell of.
    front: String,
}

impl Review {
    /// From now on all is looked at by this.
    pub(super) fn set_last_look(&mut self, last_look: LastLook) {
        self.last_look = Some(last_look);
    }

    /// Hides what snippets and destinations still hold.
    pub(super) fn hide_in<'a>(&mut self, findings: impl Iterator<Item = &'a mut Finding>) {
        let mut findings: Vec<&mut Finding> = findings.collect();
        // Most go to the same few hosts.
        let mut named: Vec<Named> = Vec::new();
        for finding in &findings {
            if !named.iter().any(|known| known.dest == finding.dest) {
                let of_dest = findings.iter().filter(|other| other.dest == finding.dest);
                let secrets = of_dest.filter_map(|other| other.secret_in_dest.clone());
                let front = front_without(&finding.dest, secrets.collect());
                named.push(Named { dest: Arc::clone(&finding.dest), front });
            }
        }
        let mut fronts: Vec<&mut String> = named.iter_mut().map(|named| &mut named.front).collect();
        fronts.retain(|front| !front.is_empty());
        self.hide(Texts::Names, &mut fronts);
        for finding in &mut findings {
            let known = named.iter().find(|named| named.dest == finding.dest);
            let Some((front, domain)) = finding.dest.split_at_checked(front_of(&finding.dest))
            else {
                continue;
            };
            if let Some(known) = known.filter(|known| known.front != front) {
                finding.dest = [&known.front, domain].concat().into();
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
}

/// Where a secret stands in a destination, in whichever case, as far as that is before its domain.
pub fn place_in_dest(dest: &str, secret: &[u8]) -> Option<Range<usize>> {
    let front = front_of(dest);
    let mut parts = dest.as_bytes().windows(secret.len().max(1));
    let start = parts.position(|part| part.eq_ignore_ascii_case(secret))?;
    (start < front).then(|| start..front.min(start + secret.len()))
}

/// How much of a destination stands before its domain, the dot between them not counted; nothing of an address.
fn front_of(dest: &str) -> usize {
    let host = dest.rsplit_once(':').map_or(dest, |(host, _)| host);
    let is_address = host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    let labels = host.strip_suffix('.').unwrap_or(host);
    let dots = labels.rmatch_indices('.').map(|(at, _)| at);
    dots.filter(|_| !is_address).nth(SHOWN_LABELS - 1).unwrap_or(0)
}

/// The front of a destination with the mask in the place of each label that has some of a secret.
fn front_without(dest: &str, secrets: Vec<Range<usize>>) -> String {
    let front = dest.get(..front_of(dest)).unwrap_or_default();
    let mut at = 0;
    let labels = front.split('.').map(|label| {
        let own = at..at + label.len();
        at = own.end + 1;
        let is_secret = |secret: &Range<usize>| secret.start < own.end && own.start < secret.end;
        if secrets.iter().any(is_secret) { MASK } else { label }
    });
    labels.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::dedup::tests::finding;

    #[test]
    fn a_secret_told_of_is_hidden_in_the_host_and_its_domain_is_shown() {
        let secret = b"AIzaEXAMPLE";
        for (dest, shown) in [
            ("key.aizaexample.evil.example:443", "key.....evil.example:443"),
            ("AIZAexample.evil.example.:443", "....evil.example.:443"),
            ("x-aizaexample-y.evil.example:443", "....evil.example:443"),
            ("aizaexample.example:443", "aizaexample.example:443"),
            ("api.example.com:443", "api.example.com:443"),
        ] {
            let found =
                || Finding { secret_in_dest: place_in_dest(dest, secret), ..finding("key", dest) };
            let mut findings = [found(), finding("other", dest)];
            Review::default().hide_in(findings.iter_mut());
            assert!(findings.iter().all(|found| &*found.dest == shown), "{findings:?}");
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
        ] {
            assert_eq!(place_in_dest(dest, secret.as_bytes()), None, "{dest}");
        }
        // One whose class has dots goes on to the name's end.
        let dest = "head.body.evil.example:443";
        assert_eq!(place_in_dest(dest, b"head.body.evil.example"), Some(0.."head.body".len()));
        let mut found = Finding { secret_in_dest: Some(0..9), ..finding("jwt", dest) };
        Review::default().hide_in(std::iter::once(&mut found));
        assert_eq!(&*found.dest, "........evil.example:443");
        assert_eq!(place_in_dest(dest, b""), None);
    }
}

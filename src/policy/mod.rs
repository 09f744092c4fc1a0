//! What a match means where it stands: whose key it is, whether it belongs there, and whether somebody has
//! accepted it. Values and `now` in, a verdict out; touches no socket, file, clock or log.

mod fingerprint;
mod place;
mod standing;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use crate::config::{ExpectedCredential, PolicyConfig, Slot, Suppression, glob_matches};
use crate::finding::{Confidence, Direction, Fingerprint, Protocol, Severity};

pub use fingerprint::FingerprintKey;
use place::leads_elsewhere;
pub use place::{Place, may_meet, path_in, path_of};
use standing::{NOWHERE, Standing, Standings, WATCHED};

/// What the scanner says of a match.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub rule: &'a str,
    pub severity: Severity,
    pub confidence: Confidence,
    /// Of the secret, or of the whole match where there is none. Left out where nobody asks for it
    /// ([`Policy::needs_fingerprints`]): a digest for each repeat would cost more than the repeat.
    pub fingerprint: Option<Fingerprint>,
    /// The secret, or the whole match where there is none; empty where it is not at hand.
    pub secret: &'a [u8],
}

/// Where a match was seen.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    pub direction: Direction,
    pub protocol: Protocol,
    pub source: IpAddr,
    /// `host:port`.
    pub dest: &'a str,
    pub place: Place<'a>,
    /// The path of the request, without its query; none where there is no request.
    pub path: Option<&'a str>,
}

/// What becomes of a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub severity: Severity,
    pub confidence: Confidence,
    pub fingerprint: Option<Fingerprint>,
    pub disposition: Disposition,
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Everybody.
    Report,
    /// It is where it belongs: kept for the record, of severity info.
    Expected,
    /// Nobody, for this reason.
    Suppressed(Arc<str>),
}

/// The decisions of one installation.
#[derive(Debug)]
pub struct Policy {
    expected: Vec<ExpectedCredential>,
    suppressions: Vec<(Suppression, Arc<str>)>,
    key: FingerprintKey,
    standings: Standings,
    /// Of watched values, by their fingerprints.
    watched: HashMap<Fingerprint, Standing>,
    looks_at_paths: bool,
}

impl Policy {
    /// As configured.
    pub fn new(config: &PolicyConfig, key: FingerprintKey) -> Policy {
        let with_reason =
            |suppression: &Suppression| (suppression.clone(), Arc::from(&*suppression.reason));
        Policy {
            expected: config.expected.clone(),
            suppressions: config.suppressions.iter().map(with_reason).collect(),
            key,
            standings: Standings::default(),
            watched: HashMap::new(),
            looks_at_paths: config.suppressions.iter().any(|accepted| accepted.path.is_some())
                || config.expected.iter().any(|entry| entry.slot.asks_for_path()),
        }
    }

    /// The same, with these rules in view: what is decided of their names is decided once.
    #[must_use]
    pub fn knowing(self, rules: impl Iterator<Item = Arc<str>>) -> Policy {
        Policy { standings: Standings::of(rules), ..self }
    }

    /// The same, knowing of a watched value where it belongs: `rules` find it. The value itself is not kept.
    #[must_use]
    pub fn watching(mut self, value: &[u8], rules: &[Arc<str>]) -> Policy {
        let standing = Standing::of_watched(value.trim_ascii(), rules, &self.expected);
        // One value may have two names, of which one tells more.
        let known = self.watched.entry(self.key.of(value)).or_default();
        known.has_fitting_key = true;
        known.entries.extend(standing.entries);
        self
    }

    /// What stands for a secret: the same whichever rule found it.
    pub fn fingerprint(&self, secret: &[u8]) -> Fingerprint {
        self.key.of(secret)
    }

    /// Whether the path of a request matters for its body.
    pub fn looks_at_paths(&self) -> bool {
        self.looks_at_paths
    }

    /// Whether a decision may depend on a fingerprint.
    pub fn needs_fingerprints(&self) -> bool {
        self.suppressions.iter().any(|(suppression, _)| suppression.fingerprint.is_some())
    }

    /// Decides over one match.
    pub fn judge(&self, seen: &Seen<'_>, at: &Circumstances<'_>, now: SystemTime) -> Verdict {
        let verdict = |severity, disposition| Verdict {
            severity,
            confidence: seen.confidence,
            fingerprint: seen.fingerprint,
            disposition,
        };
        let holds =
            |(suppression, _): &&(Suppression, Arc<str>)| applies(suppression, seen, at, now);
        if let Some((_, reason)) = self.suppressions.iter().find(holds) {
            return verdict(seen.severity, Disposition::Suppressed(Arc::clone(reason)));
        }
        let standing = match seen.rule {
            WATCHED => Cow::Borrowed(self.watched_standing(seen.fingerprint)),
            rule => self.standings.get(rule, &self.expected),
        };
        if self.is_expected(&standing, seen.secret, at) {
            return verdict(Severity::Info, Disposition::Expected);
        }
        let leaves = at.direction == Direction::Outbound;
        let severity = if standing.is_own && leaves { Severity::Critical } else { seen.severity };
        verdict(severity, Disposition::Report)
    }

    fn watched_standing(&self, fingerprint: Option<Fingerprint>) -> &Standing {
        let known = fingerprint.and_then(|fingerprint| self.watched.get(&fingerprint));
        known.unwrap_or(&NOWHERE)
    }

    fn is_expected(&self, standing: &Standing, secret: &[u8], at: &Circumstances<'_>) -> bool {
        let host = host_of(at.dest);
        if at.protocol == Protocol::Http && !is_loopback(host) {
            // Readable on its way: no place for a key.
            return false;
        }
        let leaves = at.direction == Direction::Outbound;
        let is_here = |slot: &Slot| match (slot, at.place) {
            (Slot::Header(name), Place::Header(header)) => leaves && matches(name, header),
            (Slot::AnswerHeader(name), Place::Header(header)) => !leaves && matches(name, header),
            (Slot::Query(name), Place::Query(parameter)) => leaves && matches(name, parameter),
            (Slot::Path(glob), Place::Path)
            | (Slot::Body(glob), Place::Body)
            | (Slot::Message(glob), Place::WebSocket) => {
                leaves && at.path.is_some_and(|path| is_path_of(glob, path))
            }
            (Slot::Answer(glob), Place::Body) => {
                !leaves && at.path.is_some_and(|path| is_path_of(glob, path))
            }
            _ => false,
        };
        // A rule of any issuer's tokens says nothing of what one issuer's look like.
        let is_its_own =
            |entry: &ExpectedCredential| standing.has_fitting_key || is_key_of(&entry.keys, secret);
        let mut entries = standing.entries.iter().filter_map(|number| self.expected.get(*number));
        entries.any(|entry| is_here(&entry.slot) && matches(&entry.host, host) && is_its_own(entry))
    }
}

/// Whether a secret looks like what an entry says of its keys.
fn is_key_of(keys: &[String], secret: &[u8]) -> bool {
    let fits = |glob: &str| glob_matches(glob.as_bytes(), secret);
    let is_anothers = keys.iter().filter_map(|key| key.strip_prefix('!')).any(fits);
    let mut own = keys.iter().filter(|key| !key.starts_with('!')).peekable();
    !is_anothers && (own.peek().is_none() || own.any(|key| fits(key)))
}

/// Whether something is accepted wherever it is, as in a file: by a suppression that asks for nothing of its way.
pub fn accepted_anywhere(
    suppressions: &[Suppression],
    rule: &str,
    fingerprint: Option<Fingerprint>,
    now: SystemTime,
) -> bool {
    let holds = |suppression: &Suppression| {
        let asks_for_its_way = suppression.dest.is_some()
            || suppression.header.is_some()
            || suppression.source.is_some()
            || suppression.path.is_some();
        !asks_for_its_way
            && suppression.expires.as_ref().is_none_or(|expiry| now < expiry.at)
            && suppression.fingerprint.is_none_or(|wanted| Some(wanted) == fingerprint)
            && suppression.rule.as_ref().is_none_or(|glob| matches(glob, rule))
    };
    suppressions.iter().any(holds)
}

/// Whether a suppression is in force and all its conditions hold.
fn applies(
    suppression: &Suppression,
    seen: &Seen<'_>,
    at: &Circumstances<'_>,
    now: SystemTime,
) -> bool {
    let Suppression { reason: _, expires, rule, dest, header, source, path, fingerprint } =
        suppression;
    let fits = |glob: &Option<String>, text: Option<&str>| match glob {
        None => true,
        Some(glob) => text.is_some_and(|text| matches(glob, text)),
    };
    let host = host_of(at.dest);
    expires.as_ref().is_none_or(|expiry| now < expiry.at)
        && fingerprint.is_none_or(|wanted| Some(wanted) == seen.fingerprint)
        && fits(rule, Some(seen.rule))
        && (fits(dest, Some(host)) || fits(dest, Some(at.dest)))
        && fits(header, at.place.header())
        && path.as_ref().is_none_or(|glob| at.path.is_some_and(|path| is_path_of(glob, path)))
        && source.is_none_or(|network| network.contains(at.source))
}

fn matches(glob: &str, text: &str) -> bool {
    glob_matches(glob.as_bytes(), text.as_bytes())
}

/// Whether a path is one that is meant: `/upload/../x` is none of `/upload/*`.
fn is_path_of(glob: &str, path: &str) -> bool {
    matches(glob, path) && !leads_elsewhere(path)
}

/// The host of `host:port`, without brackets and without the root's dot.
fn host_of(dest: &str) -> &str {
    let host = dest.rsplit_once(':').map_or(dest, |(host, _)| host);
    host.trim_matches(['[', ']']).trim_end_matches('.')
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

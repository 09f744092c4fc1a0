//! Who may use the proxy: credentials are asked for before a request is looked at. Each core remembers its
//! verdicts under a keyed digest, so that the slow hash runs once for each pair of credentials, off the core.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::{BASE64, BASE64_NOPAD};
use glommio::sync::Semaphore;

use super::core::Core;
use super::deadline::Deadline;
use super::refusal::refusal;
use crate::config::{AccessConfig, User};
use crate::defects::contained;
use crate::error::{Error, Side, Stage};
use crate::forward::buffer::Chunk;
use crate::http::head::{RequestHead, request_within};
use crate::http::reply::Cause;
use crate::http::search::HeadBounds;
use crate::limits::{
    CREDENTIALS_MAX_BYTES, CREDENTIALS_REMEMBERED, CREDENTIALS_WAIT_MS, CREDENTIALS_WAITING_MAX,
    CREDENTIALS_WAITING_PER_CLIENT, PROXY_USERS_MAX,
};
use crate::secret_hash::{Digest, DigestKey};

/// The user whose credentials the last request on a connection to the proxy had.
pub type Agent = RefCell<Option<Arc<str>>>;

/// The verdicts of one core.
pub struct Gate {
    key: DigestKey,
    good: RefCell<HashMap<Digest, Arc<str>>>,
    bad: RefCell<HashSet<Digest>>,
    /// One slow hash at a time: who waits for another one can be told its verdict.
    turn: Rc<Semaphore>,
    /// What waits for it, or has it: the address that asked first, and how many ask.
    waiting: RefCell<HashMap<Digest, (IpAddr, usize)>>,
}

/// One that waits for its turn, or has it.
struct Waiting<'a> {
    gate: &'a Gate,
    digest: Digest,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.gate.waiting.borrow_mut();
        if let Some((_, count)) = waiting.get_mut(&self.digest) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.digest);
            }
        }
    }
}

impl Gate {
    /// No verdict yet.
    pub fn new() -> Result<Gate, String> {
        Ok(Gate {
            key: DigestKey::random()?,
            good: RefCell::default(),
            bad: RefCell::default(),
            turn: Rc::new(Semaphore::new(1)),
            waiting: RefCell::default(),
        })
    }

    /// Forgets what another configuration may judge otherwise: the users who are no longer there with the same hash,
    /// and, where any differs, who was refused.
    pub fn renew(&self, before: &[User], now: &[User]) {
        if before == now {
            return;
        }
        let is_the_same = |name: &Arc<str>| {
            let user = before.iter().find(|user| user.name == *name);
            user.is_some_and(|user| now.contains(user))
        };
        self.good.borrow_mut().retain(|_, name| is_the_same(name));
        self.bad.borrow_mut().clear();
    }

    /// A place among those that wait; none while too many do, of this address or in all. Who asks what another asks
    /// already costs nothing.
    fn wait(&self, source: IpAddr, digest: Digest) -> Option<Waiting<'_>> {
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.contains_key(&digest) {
            let own = waiting.values().filter(|(first, _)| *first == source).count();
            if waiting.len() >= CREDENTIALS_WAITING_MAX || own >= CREDENTIALS_WAITING_PER_CLIENT {
                return None;
            }
        }
        waiting.entry(digest).or_insert((source, 0)).1 += 1;
        Some(Waiting { gate: self, digest })
    }

    fn known(&self, digest: &Digest) -> Option<Option<Arc<str>>> {
        if let Some(user) = self.good.borrow().get(digest) {
            return Some(Some(Arc::clone(user)));
        }
        self.bad.borrow().contains(digest).then_some(None)
    }

    fn remember(&self, digest: Digest, user: Option<&Arc<str>>) {
        match user {
            Some(user) => {
                let mut good = self.good.borrow_mut();
                // No more than one secret a user is good.
                if good.len() < PROXY_USERS_MAX {
                    good.insert(digest, Arc::clone(user));
                }
            }
            None => {
                let mut bad = self.bad.borrow_mut();
                if bad.len() >= CREDENTIALS_REMEMBERED {
                    bad.clear();
                }
                bad.insert(digest);
            }
        }
    }
}

/// Whether requests to the proxy need credentials.
pub fn is_asked(core: &Core) -> bool {
    !core.config.access.users.is_empty()
}

/// Whether somebody who was let in under `before` would be under `now`, with the same credentials.
pub fn still_admits(now: &AccessConfig, before: &AccessConfig, agent: &Agent) -> bool {
    let is_the_same = |name: &Arc<str>| {
        let user = before.users.iter().find(|user| user.name == *name);
        user.is_some_and(|user| now.users.contains(user))
    };
    now.users.is_empty() || agent.borrow().as_ref().is_some_and(is_the_same)
}

/// Whether the request may be looked at whose head was found at the front of what was read; leaves its user in `agent`.
/// The error is the answer if not: without good credentials, or where it is none.
pub async fn authorize(
    core: &Rc<Core>,
    deadline: &Deadline,
    read: &[u8],
    bounds: &HeadBounds,
    (source, agent): (IpAddr, &Agent),
) -> Result<(), Error> {
    agent.replace(None);
    let head = request_within(read, bounds).map_err(|error| refusal(&error))?;
    let Some(credentials) = credentials(&head) else { return Err(unauthorized(core)) };
    drop(head);
    let wait = Duration::from_millis(CREDENTIALS_WAIT_MS);
    let verdict = deadline.within(wait, verdict(core, source, credentials)).await;
    match verdict {
        Ok(Verdict::Good(user)) => {
            agent.replace(Some(user));
            Ok(())
        }
        Ok(Verdict::Bad) => Err(unauthorized(core)),
        Ok(Verdict::TooMany) => {
            let (stage, cause) = (Stage::RequestHead, Cause::HttpRequestDenied);
            let detail = "too many credentials are being checked: try again later";
            Err(Error::answered(Side::Client, stage, 429, cause, detail))
        }
        Err(_) => {
            let (stage, cause) = (Stage::RequestHead, Cause::ProxyInternalError);
            let detail = "the credentials could not be checked in time";
            Err(Error::answered(Side::Internal, stage, 503, cause, detail))
        }
    }
}

fn unauthorized(core: &Core) -> Error {
    core.counters.requests_unauthorized.add(1);
    let (stage, cause) = (Stage::RequestHead, Cause::HttpRequestDenied);
    let detail = "this proxy asks for a user and a secret (proxy_auth)";
    Error::answered(Side::Client, stage, 407, cause, detail)
}

/// What is thought of credentials.
enum Verdict {
    Good(Arc<str>),
    Bad,
    /// They were not looked at, since too many others wait for that.
    TooMany,
}

impl From<Option<Arc<str>>> for Verdict {
    fn from(user: Option<Arc<str>>) -> Verdict {
        user.map_or(Verdict::Bad, Verdict::Good)
    }
}

async fn verdict(core: &Rc<Core>, source: IpAddr, credentials: Vec<u8>) -> Verdict {
    let digest = core.gate.key.digest(&credentials);
    if let Some(known) = core.gate.known(&digest) {
        return known.into();
    }
    let Some(_waiting) = core.gate.wait(source, digest) else { return Verdict::TooMany };
    let Ok(turn) = core.gate.turn.acquire_static_permit(1).await else { return Verdict::Bad };
    // Another connection may have asked the same meanwhile.
    if let Some(known) = core.gate.known(&digest) {
        return known.into();
    }
    let found: Rc<OnceCell<Option<Arc<str>>>> = Rc::default();
    let (core, outcome) = (Rc::clone(core), Rc::clone(&found));
    // It cannot be ended once it runs: so it has its turn until it is over, and what it finds is remembered, whether or
    // not anybody still waits for it.
    let check = async move {
        let access = core.config.access.clone();
        let user = glommio::executor().spawn_blocking(move || slow(&access, &credentials)).await;
        drop(turn);
        if !core.is_outdated() {
            core.gate.remember(digest, user.as_ref());
        }
        // Nobody else sets it.
        let _ = outcome.set(user);
    };
    glommio::spawn_local(contained("a check of credentials", check)).detach().await;
    found.get().cloned().flatten().into()
}

/// The user whose secret it is. An unknown name takes as long as a known one.
fn slow(access: &AccessConfig, credentials: &[u8]) -> Option<Arc<str>> {
    let colon = credentials.iter().position(|byte| *byte == b':')?;
    let (name, secret) = credentials.split_at_checked(colon)?;
    let secret = secret.get(1..)?;
    let is_named = |user: &&User| user.name.as_bytes() == name;
    let known = access.users.iter().find(is_named);
    let is_right = known.or(access.users.first())?.hash.verify(secret);
    known.filter(|_| is_right).map(|user| Arc::clone(&user.name))
}

/// `user:secret` of the one Proxy-Authorization field (RFC 7617).
fn credentials(head: &RequestHead<'_>) -> Option<Vec<u8>> {
    let mut fields = head.headers().filter(|(name, _)| is_credentials(name));
    let (_, value) = fields.next()?;
    if fields.next().is_some() || value.len() > CREDENTIALS_MAX_BYTES {
        return None;
    }
    let (scheme, token) = value.split_at_checked(value.iter().position(|byte| *byte == b' ')?)?;
    let token = token.trim_ascii();
    let is_basic = scheme.eq_ignore_ascii_case(b"basic");
    let decoded = BASE64.decode(token).or_else(|_| BASE64_NOPAD.decode(token));
    decoded.ok().filter(|_| is_basic)
}

fn is_credentials(name: &str) -> bool {
    name.eq_ignore_ascii_case("proxy-authorization")
}

/// A copy of a head in which credentials for this proxy are blanked, for the scanner: no finding may show them.
/// None: there are none in it.
pub fn without_credentials(core: &Core, chunk: &Chunk, head: &RequestHead<'_>) -> Option<Chunk> {
    let bytes = chunk.bytes().get(..head.len)?;
    let mut blanked: Option<Vec<u8>> = None;
    for (_, value) in head.headers().filter(|(name, _)| is_credentials(name)) {
        let start = value.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
        let copy = blanked.get_or_insert_with(|| bytes.to_vec());
        if let Some(shown) = copy.get_mut(start..start + value.len()) {
            shown.fill(b'*');
        }
    }
    let blanked = blanked?;
    let mut copy = core.buffers.lend();
    copy.append(&blanked);
    Some(copy)
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::super::core::tests::core;
    use super::*;
    use crate::http::head::{HeadLimits, parse_request};
    use crate::http::search::HeadSearch;
    use crate::secret_hash::SecretHash;
    use crate::tls::stream_tests::run;

    fn of(fields: &str) -> Option<Vec<u8>> {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let limits = HeadLimits { max_bytes: 65_536, max_headers: 16 };
        let head = parse_request(text.as_bytes(), &limits).unwrap().unwrap();
        credentials(&head)
    }

    #[test]
    fn basic_credentials_are_taken_from_exactly_one_field() {
        let good = "Proxy-Authorization: Basic Y29kZXI6aW52ZW50ZWQ=\r\n";
        assert_eq!(of(good).unwrap(), b"coder:invented");
        assert_eq!(
            of("proxy-authorization: bASIC  Y29kZXI6aW52ZW50ZWQ\r\n").unwrap(),
            b"coder:invented"
        );
        for wrong in [
            "",
            "Authorization: Basic Y29kZXI6aW52ZW50ZWQ=\r\n",
            "Proxy-Authorization: Bearer Y29kZXI6aW52ZW50ZWQ=\r\n",
            "Proxy-Authorization: Basic\r\n",
            "Proxy-Authorization: Basic not base64\r\n",
            &[good, good].concat(),
        ] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
        let sized = |len: usize| {
            let token = "A".repeat(len - "Basic ".len());
            of(&format!("Proxy-Authorization: Basic {token}\r\n"))
        };
        assert!(sized(CREDENTIALS_MAX_BYTES).is_some());
        assert!(sized(CREDENTIALS_MAX_BYTES + 4).is_none());
    }

    #[test]
    fn what_is_found_to_be_no_request_is_not_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let (core, _findings) = core(folder.path());
        let deadline = core.deadlines.register();
        let agent = Agent::default();
        let status = |text: &str| {
            let limits = HeadLimits { max_bytes: 65_536, max_headers: 16 };
            let bounds = HeadSearch::request(limits).find(text.as_bytes()).unwrap().unwrap();
            let who = (IpAddr::from([127, 0, 0, 1]), &agent);
            let asked = authorize(&core, &deadline, text.as_bytes(), &bounds, who);
            block_on(asked).unwrap_err().answer.unwrap().status
        };
        assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 407);
        assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400);
        assert_eq!(core.counters.requests_unauthorized.get(), 1);
    }

    /// Each that gave up threw away what was found, so that on a slow machine nobody was ever let in.
    #[test]
    fn a_verdict_is_remembered_whose_asker_left_and_keeps_its_turn_until_it_is_there() {
        run(|| async {
            let folder = tempfile::tempdir().unwrap();
            let (core, _findings) = core(folder.path());
            let ask = || verdict(&core, IpAddr::from([127, 0, 0, 1]), b"coder:invented".to_vec());
            assert!(poll_once(ask()).await.is_none(), "it takes a while");
            assert_eq!(core.gate.turn.available(), 0, "no other runs beside it");
            assert!(core.gate.waiting.borrow().is_empty(), "but its asker has left");
            let digest = core.gate.key.digest(b"coder:invented");
            while core.gate.known(&digest).is_none() {
                glommio::timer::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(core.gate.turn.available(), 1);
            assert!(matches!(poll_once(ask()).await, Some(Verdict::Bad)), "at once");
        });
    }

    #[test]
    fn a_user_is_who_knows_the_secret_of_that_name() {
        let user = |name: &str, secret: &[u8]| User {
            name: name.into(),
            hash: SecretHash::of(secret).unwrap(),
        };
        let access = AccessConfig {
            users: vec![user("coder", b"invented:one"), user("tester", b"invented-two")],
            ..AccessConfig::default()
        };
        assert_eq!(slow(&access, b"coder:invented:one").as_deref(), Some("coder"));
        assert_eq!(slow(&access, b"tester:invented-two").as_deref(), Some("tester"));
        for wrong in [&b"coder:invented-two"[..], b"nobody:invented:one", b"coder", b"coder:", b":"]
        {
            assert_eq!(slow(&access, wrong), None);
        }
    }

    #[test]
    fn verdicts_are_remembered_up_to_a_bound() {
        let gate = Gate::new().unwrap();
        let user: Arc<str> = "coder".into();
        let good = gate.key.digest(b"coder:invented");
        gate.remember(good, Some(&user));
        for number in 0..=CREDENTIALS_REMEMBERED {
            gate.remember(gate.key.digest(&number.to_le_bytes()), None);
        }
        assert_eq!(gate.bad.borrow().len(), 1, "one past the bound the others are forgotten");
        assert_eq!(gate.known(&good), Some(Some(user)), "but nobody who is welcome");
    }

    #[test]
    fn who_is_still_a_user_after_a_reload_is_not_checked_again() {
        let user = |name: &str, secret: &[u8]| User {
            name: name.into(),
            hash: SecretHash::of(secret).unwrap(),
        };
        let gate = Gate::new().unwrap();
        let before = [user("stays", b"one"), user("changes", b"two"), user("goes", b"three")];
        let digest = |name: &str| gate.key.digest(name.as_bytes());
        for user in &before {
            gate.remember(digest(&user.name), Some(&user.name));
        }
        gate.remember(digest("refused"), None);
        let known = || {
            ["stays", "changes", "goes", "refused"].map(|name| gate.known(&digest(name)).is_some())
        };
        gate.renew(&before, &before);
        assert_eq!(known(), [true; 4], "the same users");
        gate.renew(&before, &[before[0].clone(), user("changes", b"four")]);
        assert_eq!(known(), [true, false, false, false]);
        gate.renew(&before, &[]);
        assert_eq!(known(), [false; 4]);
    }

    #[test]
    fn so_many_wait_for_their_verdict_of_one_address_and_in_all() {
        let gate = Gate::new().unwrap();
        let wait = |address: usize, number: usize| {
            let source = IpAddr::from([10, 0, 0, u8::try_from(address).unwrap()]);
            gate.wait(source, gate.key.digest(&[address, number].map(usize::to_le_bytes).concat()))
        };
        let own: Vec<_> =
            (0..CREDENTIALS_WAITING_PER_CLIENT).map(|number| wait(0, number).unwrap()).collect();
        assert!(wait(0, own.len()).is_none());
        let same = wait(0, 0);
        assert!(same.is_some(), "what is asked already");
        let others: Vec<_> = (0..CREDENTIALS_WAITING_MAX - own.len())
            .map(|number| wait(1 + number % 200, number).unwrap())
            .collect();
        assert!(wait(250, 0).is_none());
        drop((own, others));
        assert!(wait(0, 0).is_some() && wait(250, 0).is_some());
        drop(same);
        assert!(gate.waiting.borrow().is_empty());
    }
}

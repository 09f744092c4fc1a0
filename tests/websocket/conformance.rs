//! Autobahn's cases (kosoku) against a real server: through the proxy and through the gateway each ends as it
//! does without them, those that break the protocol as well.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::clients::{Language, Server, python_program};
use crate::support::run::run_for;
use crate::support::{Connection, Proxy, json, wait_for, wait_until};

/// All cases but those of performance (9) and of compression (12, 13).
const CORE: &str = "--exclude 9.* --exclude 12.* --exclude 13.*";

/// Of those of compression what is quick, with every choice of parameters.
const COMPRESSION: &str = "--include 12.1.1 --include 12.1.2 --include 12.1.3 --include 12.1.11 \
     --include 12.2.1 --include 12.3.1 --include 12.4.1 --include 12.5.1 --include 13.1.1 \
     --include 13.2.1 --include 13.3.1 --include 13.4.1 --include 13.5.1 --include 13.6.1 \
     --include 13.7.1";

/// How a case ended, by its number: the behaviour, and that at the close.
type Verdicts = BTreeMap<String, (String, String)>;

fn run_cases(address: SocketAddr, selection: &str) -> Verdicts {
    let reports = tempfile::TempDir::with_prefix("clawsec-kosoku-").unwrap();
    let mut kosoku = python_program("kosoku");
    kosoku.args(["--mode", "fuzzingclient", "--parallelism", "4", "--outdir"]);
    kosoku.arg(reports.path()).args(selection.split_whitespace()).arg(address.to_string());
    let outcome = run_for(&mut kosoku, Duration::from_secs(180));
    let index = std::fs::read(reports.path().join("index.json"))
        .unwrap_or_else(|error| panic!("{error}: {}", outcome.text()));
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    let cases = index.as_object().unwrap().values().next().expect("an agent").as_object().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    cases
        .iter()
        .map(|(case, ended)| {
            (case.clone(), (text(&ended["behavior"]), text(&ended["behaviorClose"])))
        })
        .collect()
}

/// The cases that end otherwise than they did directly. What a case finds can depend on how fast its peer is,
/// so that those that differ are asked again, both ways, and count if they never agree.
fn differences(
    expected: &Verdicts,
    direct: SocketAddr,
    address: SocketAddr,
    selection: &str,
) -> Vec<String> {
    let (mut expected, mut found) = (expected.clone(), run_cases(address, selection));
    assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
    for _ in 0..3 {
        let differing: Vec<&String> =
            expected.keys().filter(|case| expected[*case] != found[*case]).collect();
        if differing.is_empty() {
            break;
        }
        let again: String = differing.iter().map(|case| format!("--include {case} ")).collect();
        expected.extend(run_cases(direct, &again));
        found.extend(run_cases(address, &again));
    }
    let differing = expected.iter().filter(|(case, ended)| found[*case] != **ended);
    differing.map(|(case, ended)| format!("{case}: {ended:?}, {:?}", found[case])).collect()
}

/// A port whose connections go through the proxy, by CONNECT: for clients that know no proxy.
fn tunnelled(proxy: SocketAddr, dest: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let mut tunnel = Connection::open(proxy);
            tunnel.send(format!("CONNECT {dest} HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
            assert_eq!(tunnel.receive_response_to("CONNECT").status(), 200);
            let upstream = tunnel.tcp().try_clone().unwrap();
            upstream.set_read_timeout(None).unwrap();
            let back = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || pass(client, upstream));
            thread::spawn(move || pass(back.0, back.1));
        }
    });
    address
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    // A reset comes out as an end: kosoku takes both for one.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

/// Runs cases directly, through the proxy and through the gateway; gives back the proxy, and how many there are.
fn assert_same_verdicts(selection: &str) -> (Proxy, u64) {
    let server = Server::start(Language::Python, false);
    let direct = SocketAddr::from(([127, 0, 0, 1], server.port));
    let proxy = Proxy::start(json!({ "gateway_target_port": server.port }));
    let expected = run_cases(direct, selection);
    for address in [tunnelled(proxy.address(), direct.to_string()), proxy.gateway_address()] {
        let differing = differences(&expected, direct, address, selection);
        assert!(differing.is_empty(), "{address} is not like {direct}: {differing:#?}");
    }
    (proxy, expected.len() as u64)
}

#[test]
fn every_case_ends_as_it_does_directly() {
    let (proxy, cases) = assert_same_verdicts(CORE);
    assert!(cases > 200, "{cases}");
    wait_until("the counters", || {
        let counters = &proxy.status()["counters"];
        let count = |name: &str| counters[name].as_u64().unwrap();
        count("websockets") >= 2 * cases && count("websockets_unread") > 20
    });
}

#[test]
fn every_compressed_case_ends_as_it_does_directly_and_is_read() {
    let (proxy, cases) = assert_same_verdicts(COMPRESSION);
    assert_eq!(cases, 15);
    let counters = wait_for("the counters", || {
        let counters = proxy.status()["counters"].take();
        (counters["websockets"].as_u64() >= Some(2 * cases)).then_some(counters)
    });
    for name in ["websockets_unread", "websocket_messages_unread", "bytes_unscanned"] {
        assert_eq!(counters[name], 0, "{name}");
    }
}

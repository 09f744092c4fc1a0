//! What a body is, told by how it begins: under whatever name, behind whatever stands before it. And what is packed
//! so that it is not looked into.

use crate::support::{Origin, Proxy, Reply, json, wait_until};

const XZ: &[u8] = b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46 nothing to be read here";

/// One stored entry of a zip.
fn zip(contents: &[u8]) -> Vec<u8> {
    let len = u32::try_from(contents.len()).unwrap().to_le_bytes();
    let head = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0";
    [&head[..], &len, &len, b"\x01\0\0\0x", contents].concat()
}

#[test]
fn what_is_packed_so_that_it_is_not_looked_into_is_logged_and_counted() {
    let proxy = Proxy::start(json!({}));
    let bodies =
        [("xz", XZ.to_vec()), ("xz", zip(XZ)), ("7z", b"7z\xbc\xaf\x27\x1c\0\x04".to_vec())];
    let (mut bodies_told, mut bytes_told) = (0, 0);
    for (name, body) in bodies {
        let sent = body.clone();
        let origin = Origin::http(move |_| {
            Reply::with("200 OK", "Content-Type: application/octet-stream\r\n", &sent)
        });
        let dest = origin.dest();
        assert!(proxy.get(&origin.url("/")).body == body, "the answer is unchanged");
        let line = proxy.wait_for_log(&[&dest, name, "not looked into"]);
        assert!(line.contains("WARN"), "{line}");
        assert_eq!(proxy.log().lines().filter(|line| line.contains(&dest)).count(), 1);
        bodies_told += 1;
        bytes_told += if name == "xz" { XZ.len() } else { body.len() };
        wait_until("the count", || {
            let counters = &proxy.status()["counters"];
            counters["bodies_undecodable"] == json!(bodies_told)
                && counters["bytes_undecoded"] == json!(bytes_told)
        });
    }
}

//! A real server as origin: nginx, clear and in TLS, started by the test.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::origin::unused_address;
use support::samples::sample;
use support::tls::{self, Shown};
use support::{Connection, Proxy, json, wait_until};
use tempfile::TempDir;

const FILE_BYTES: usize = 10 * 1024 * 1024;

/// A running nginx; killed when dropped.
struct Nginx {
    process: Child,
    clear: String,
    encrypted: String,
    directory: TempDir,
}

impl Nginx {
    fn start() -> Nginx {
        let directory = TempDir::with_prefix("clawsec-nginx-").unwrap();
        let (clear, encrypted) = (unused_address(), unused_address());
        let path = directory.path();
        let (chain, key) = tls::certificate_pem(Shown::Valid);
        fs::write(path.join("chain.pem"), chain).unwrap();
        fs::write(path.join("key.pem"), key).unwrap();
        fs::create_dir(path.join("html")).unwrap();
        let mut long = "0123456789abcde\n".repeat(FILE_BYTES / 16).into_bytes();
        let secret = sample("ai_api_key").text();
        long.truncate(FILE_BYTES - secret.len());
        long.extend_from_slice(secret.as_bytes());
        fs::write(path.join("html/long.txt"), long).unwrap();
        fs::write(path.join("html/short.txt"), "short").unwrap();
        let config = config(path, &clear.to_string(), &encrypted.to_string());
        fs::write(path.join("nginx.conf"), config).unwrap();
        let process = Command::new("nginx")
            .arg("-p")
            .arg(path)
            .args(["-e", "error.log", "-c", "nginx.conf"])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx is missing: `make test` installs it");
        wait_until("nginx", || std::net::TcpStream::connect(encrypted).is_ok());
        let encrypted = format!("localhost:{}", encrypted.port());
        Nginx { process, clear: clear.to_string(), encrypted, directory }
    }

    /// The connections and requests that nginx has logged.
    /// Its log, once it has so many lines: nginx writes each behind its answer.
    fn log(&self, lines: usize) -> Vec<String> {
        let path = self.directory.path().join("access.log");
        let read = || fs::read_to_string(&path).unwrap();
        wait_until("nginx has logged its answers", || read().lines().count() >= lines);
        read().lines().map(str::to_owned).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn config(prefix: &Path, clear: &str, encrypted: &str) -> String {
    // One process, so that killing it leaves no worker behind.
    let temporary = prefix.join("temporary");
    let temporary = temporary.display();
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n\
           log_format reuse '$connection $request'; access_log access.log reuse;\n\
           gzip off; keepalive_timeout 60s; client_max_body_size 0;\n\
           client_body_temp_path {temporary}; proxy_temp_path {temporary};\n\
           fastcgi_temp_path {temporary}; uwsgi_temp_path {temporary}; scgi_temp_path {temporary};\n\
           server {{\n\
             listen {clear}; listen {encrypted} ssl;\n\
             ssl_certificate chain.pem; ssl_certificate_key key.pem;\n\
             root html;\n\
             location = /gone {{ return 410 'gone'; }}\n\
             location = /empty {{ return 204; }}\n\
           }}\n\
         }}\n"
    )
}

fn request(method: &str, dest: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: {dest}\r\n\r\n")
}

fn assert_served(mut client: Connection, dest: &str) {
    for (method, path, status) in [
        ("GET", "/short.txt", 200),
        ("HEAD", "/long.txt", 200),
        ("GET", "/gone", 410),
        ("GET", "/empty", 204),
        ("GET", "/missing", 404),
        ("GET", "/short.txt", 200),
    ] {
        client.send(request(method, dest, path));
        assert_eq!(client.receive_response_to(method).status(), status, "{method} {path}");
    }
    client.send(request("GET", dest, "/long.txt"));
    assert_eq!(client.receive_response().body.len(), FILE_BYTES);
    client.send(format!("GET /long.txt HTTP/1.1\r\nHost: {dest}\r\nRange: bytes=16-31\r\n\r\n"));
    let part = client.receive_response();
    assert_eq!((part.status(), part.text().as_str()), (206, "0123456789abcde\n"));
}

#[test]
fn nginx_is_an_origin_like_any_other() {
    let nginx = Nginx::start();
    let proxy = Proxy::start(json!({}));
    assert_served(proxy.connect(), &nginx.clear);
    assert_served(proxy.https(&nginx.encrypted), &nginx.encrypted);
    let log = nginx.log(16);
    let connections: std::collections::BTreeSet<_> =
        log.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!((log.len(), connections.len()), (16, 2), "{log:#?}");
    let findings = proxy.settled_findings();
    let found: Vec<_> = findings
        .iter()
        .map(|finding| (finding.protocol.as_str(), finding.pattern.as_str()))
        .collect();
    assert_eq!(found, [("http", "ai_api_key"), ("https", "ai_api_key")], "{findings:?}");
}

//! nginx with HTTP/2, which ends its connections after a few requests.

use std::fs;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::support::origin::unused_address;
use super::support::samples::sample;
use super::support::tls::{self, Shown};
use super::support::wait_until;
use super::{Route, Way, assert_same};

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
        let temporary = path.join("temporary");
        let temporary = temporary.display();
        // One process, so that killing it leaves no worker behind.
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n\
               log_format streams '$connection $server_protocol $request_method $uri $status';\n\
               access_log access.log streams; gzip off; client_max_body_size 0;\n\
               keepalive_requests 4;\n\
               client_body_temp_path {temporary}; proxy_temp_path {temporary};\n\
               fastcgi_temp_path {temporary}; uwsgi_temp_path {temporary};\n\
               scgi_temp_path {temporary};\n\
               server {{\n\
                 listen {clear} http2; listen {encrypted} ssl http2;\n\
                 ssl_certificate chain.pem; ssl_certificate_key key.pem;\n\
                 root html;\n\
                 location = /gone {{ return 410 'gone'; }}\n\
                 location = /empty {{ return 204; }}\n\
               }}\n\
             }}\n"
        );
        fs::write(path.join("nginx.conf"), config).unwrap();
        let process = Command::new("nginx")
            .arg("-p")
            .arg(path)
            .args(["-e", "error.log", "-c", "nginx.conf"])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx is missing: `make test` installs it");
        wait_until("nginx", || std::net::TcpStream::connect(encrypted).is_ok());
        let (clear, encrypted) =
            [clear, encrypted].map(|address| format!("localhost:{}", address.port())).into();
        Nginx { process, clear, encrypted, directory }
    }

    /// Its log, once it has so many lines: nginx writes each behind its answer.
    fn log(&self, lines: usize) -> Vec<String> {
        let path = self.directory.path().join("access.log");
        let read = || fs::read_to_string(&path).unwrap_or_default();
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

/// The requests of the client's step `files`.
const REQUESTS: usize = 39;

#[test]
fn nginx_is_an_origin_like_any_other() {
    let (nginx, way) = (Nginx::start(), Way::new());
    let mut shown = Vec::new();
    for base in [format!("https://{}", nginx.encrypted), format!("http://{}", nginx.clear)] {
        shown.push(way.play("client.mjs", Route::Proxied, &base, &["files"]));
    }
    assert_same(&shown[0], &shown[1]);
    for (at, status) in [200, 200, 304, 410, 204, 404, 405, 200, 206].into_iter().enumerate() {
        let lines = shown[0].lines().filter(|line| !line.starts_with("length"));
        let line = lines.clone().nth(at).unwrap();
        assert!(line.contains(&format!(" {status} ")), "{line} in {}", shown[0]);
    }
    assert!(shown[0].contains(&format!("long 200 {FILE_BYTES} ")), "{}", shown[0]);
    assert_eq!(shown[0].matches("short 200 5 ").count(), 31, "{}", shown[0]);
    let log = nginx.log(2 * REQUESTS);
    assert_eq!(log.len(), 2 * REQUESTS, "{log:#?}");
    assert!(log.iter().all(|line| line.contains(" HTTP/2.0 ")), "{log:#?}");
    way.wait_for_requests(2 * REQUESTS);
    let findings = way.proxy.settled_findings();
    let found: Vec<_> = findings
        .iter()
        .map(|found| (found.protocol.as_str(), found.direction.as_str(), found.pattern.as_str()))
        .collect();
    let expected = ["https", "http"].map(|protocol| (protocol, "inbound", "ai_api_key"));
    assert_eq!(found, expected, "{findings:?}");
}

/// The rest of the body was refused while Node still wrote it: its stream never closed.
#[test]
fn a_body_that_its_origin_does_not_want_is_read_away() {
    let (nginx, way) = (Nginx::start(), Way::new());
    let base = format!("https://{}", nginx.encrypted);
    let shown = way.play("client.mjs", Route::Proxied, &base, &["unwanted"]);
    assert_eq!(shown.matches("unwanted 405 ").count(), 6, "{shown}");
}

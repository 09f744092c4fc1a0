//! An origin of git repositories: `git http-backend` answers, a CGI program (RFC 3875).

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::ServerConfig;

use super::{Origin, Reply, Request};

/// Whether this machine's git has what it takes.
pub fn is_installed() -> bool {
    let Ok(path) = Command::new("git").arg("--exec-path").output() else { return false };
    Path::new(String::from_utf8_lossy(&path.stdout).trim_end()).join("git-http-backend").exists()
}

/// An origin for the repositories in a folder.
pub fn origin(root: &Path, tls: Option<Arc<ServerConfig>>) -> Origin {
    let root = root.to_owned();
    Origin::http_on("127.0.0.1:0", tls, move |request| answer(&root, request))
}

fn answer(root: &Path, request: &Request) -> Reply {
    let target = request.target();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let field = |name| request.header(name).unwrap_or_default();
    let mut backend = Command::new("git");
    backend.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    backend.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    backend.env("REQUEST_METHOD", request.method()).env("PATH_INFO", path);
    backend.env("QUERY_STRING", query).env("CONTENT_TYPE", field("content-type"));
    backend.env("HTTP_CONTENT_ENCODING", field("content-encoding"));
    backend.env("HTTP_GIT_PROTOCOL", field("git-protocol"));
    backend.env("CONTENT_LENGTH", request.body.len().to_string());
    let mut backend = backend.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = backend.stdin.take().unwrap();
    let body = request.body.clone();
    let writing = std::thread::spawn(move || input.write_all(&body));
    let output = backend.wait_with_output().unwrap().stdout;
    // A refused request is not read to its end.
    let _ = writing.join().unwrap();
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head") + 2;
    let head = String::from_utf8(output[..end].to_vec()).unwrap();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let fields = head.lines().filter(|line| !line.starts_with("Status: "));
    let fields: String = fields.map(|line| format!("{line}\r\n")).collect();
    Reply::with(status, &fields, &output[end + 2..])
}

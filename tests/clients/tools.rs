//! What agents run besides: git, pip and npm, each against a server of its own kind on this machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::stage::large;
use super::support::samples::sample;
use super::support::tls::{self, Shown};
use super::support::{Request, git_server, json};
use super::{Route, Way, installed, succeed};

/// git without this machine's settings.
fn git(way: &Way, directory: &Path, arguments: &[&str]) {
    let mut git = way.command("git", Route::Proxied);
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    git.env("GIT_TERMINAL_PROMPT", "0").current_dir(directory);
    git.args(["-c", "user.name=agent", "-c", "user.email=agent@example.com"]);
    succeed(git.args(arguments));
}

#[test]
fn git_clones_and_pushes() {
    let way = Way::new();
    for tls in [None, Some(tls::server(Shown::Valid))] {
        let protocol = if tls.is_some() { "https" } else { "http" };
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        git(&way, at, &["init", "--quiet", "--bare", "shared.git"]);
        git(&way, &at.join("shared.git"), &["config", "http.receivepack", "true"]);
        let server = git_server::origin(at, tls);
        let url = format!("{protocol}://{}/shared.git", server.local_dest());
        git(&way, at, &["clone", "--quiet", &url, "one"]);
        let one = at.join("one");
        // More than git sends with a length: it goes in chunks.
        fs::write(one.join("large"), &large()[..3 * 1024 * 1024]).unwrap();
        git(&way, &one, &["add", "large"]);
        git(&way, &one, &["commit", "--quiet", "--message", "Add a large file"]);
        git(&way, &one, &["push", "--quiet", "origin", "HEAD:main"]);
        git(&way, at, &["clone", "--quiet", "--branch", "main", &url, "two"]);
        let pulled = fs::read(at.join("two/large")).unwrap();
        assert!(pulled == large()[..3 * 1024 * 1024], "{protocol}");
        let chunked = |request: &&Request| request.header("transfer-encoding") == Some("chunked");
        assert!(server.requests().iter().any(|request| chunked(&request)), "{protocol}");
    }
    assert!(way.proxy.settled_findings().is_empty());
}

#[test]
fn pip_downloads_from_an_index() {
    let way = Way::new();
    let directory = tempfile::tempdir().unwrap();
    let name = "clawsec_sample-1.0-py3-none-any.whl";
    let wheel = directory.path().join(name);
    let script = "import sys, zipfile\n\
        with zipfile.ZipFile(sys.argv[1], 'w') as wheel:\n\
        \x20   at = 'clawsec_sample-1.0.dist-info/'\n\
        \x20   wheel.writestr('clawsec_sample.py', 'answer = 42\\n')\n\
        \x20   wheel.writestr(at + 'METADATA', 'Metadata-Version: 2.1\\nName: clawsec-sample\\nVersion: 1.0\\n')\n\
        \x20   wheel.writestr(at + 'WHEEL', 'Wheel-Version: 1.0\\nTag: py3-none-any\\n')\n\
        \x20   wheel.writestr(at + 'RECORD', '')\n";
    succeed(Command::new("python3").args(["-c", script]).arg(&wheel));
    let wheel = fs::read(&wheel).unwrap();
    let note = sample("unix_sensitive").text();
    for end in way.ends() {
        let page = format!("<!DOCTYPE html><p>{note}</p><a href=\"/files/{name}\">{name}</a>");
        end.stage.put("/simple/clawsec-sample/", "text/html", page);
        end.stage.put(&format!("/files/{name}"), "application/octet-stream", wheel.clone());
        let into = directory.path().join(end.protocol);
        let mut pip = way.command(installed(".venv/bin/python"), Route::Proxied);
        pip.env("PIP_CONFIG_FILE", "/dev/null").args(["-m", "pip", "download", "--quiet"]);
        pip.args(["--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--dest"])
            .arg(&into);
        succeed(pip.args(["--index-url", &format!("{}/simple/", end.base), "clawsec-sample"]));
        assert!(fs::read(into.join(name)).unwrap() == wheel, "{}", end.protocol);
    }
    let findings = way.proxy.settled_findings();
    for end in way.ends() {
        way.assert_found(&findings, &end, &[("inbound", "unix_sensitive")]);
    }
}

#[test]
fn npm_installs_from_a_registry() {
    let way = Way::new();
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    fs::create_dir(at.join("package")).unwrap();
    let manifest = json!({"name": "clawsec-sample", "version": "1.0.0", "main": "index.js"});
    fs::write(at.join("package/package.json"), manifest.to_string()).unwrap();
    fs::write(at.join("package/index.js"), "module.exports = 42;\n").unwrap();
    succeed(Command::new("tar").current_dir(at).args(["czf", "package.tgz", "package"]));
    let tarball = fs::read(at.join("package.tgz")).unwrap();
    let note = sample("unix_sensitive").text();
    for end in way.ends() {
        let file = "/clawsec-sample/-/clawsec-sample-1.0.0.tgz";
        let mut version = manifest.clone();
        version["dist"] = json!({"tarball": format!("{}{file}", end.base)});
        let package = json!({
            "name": "clawsec-sample",
            "description": note,
            "dist-tags": {"latest": "1.0.0"},
            "versions": {"1.0.0": version},
        });
        end.stage.put("/clawsec-sample", "application/json", package.to_string());
        end.stage.put(file, "application/octet-stream", tarball.clone());
        let into = at.join(end.protocol);
        fs::create_dir(&into).unwrap();
        let mut npm = way.command("npm", Route::Proxied);
        npm.env("NPM_CONFIG_USERCONFIG", "/dev/null").env("NPM_CONFIG_CACHE", into.join("cache"));
        npm.args(["install", "--no-audit", "--no-fund", "--no-update-notifier", "--prefix"])
            .arg(&into);
        succeed(npm.args(["--registry", &end.base, "clawsec-sample"]));
        let installed = into.join("node_modules/clawsec-sample/index.js");
        assert_eq!(fs::read_to_string(installed).unwrap(), "module.exports = 42;\n");
    }
    let findings = way.proxy.settled_findings();
    for end in way.ends() {
        way.assert_found(&findings, &end, &[("inbound", "unix_sensitive")]);
    }
}

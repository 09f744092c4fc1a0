//! README.md, `docs/` and `skills/clawsec/SKILL.md`: every command in their `bash` blocks is run as it is written, in
//! its order. What would change the machine, or reach out of it, meets a stand-in that checks what it is asked for.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::support::proxy::BINARY;
use crate::support::{Setup, json, run, wait_until};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The commands of every `bash` block, a line each.
fn commands(document: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let mut commands = Vec::new();
    for block in text.split("```bash\n").skip(1) {
        let block = block.split("```").next().unwrap();
        commands.extend(block.lines().filter(|line| !line.is_empty()).map(str::to_owned));
    }
    commands
}

/// A folder with the binary under its name, and with the stand-ins.
fn programs(setup: &Setup) -> std::path::PathBuf {
    let folder = setup.directory().join("bin");
    fs::create_dir(&folder).unwrap();
    symlink(BINARY, folder.join("clawsec")).unwrap();
    let stand_in = |name: &str, script: &str| {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let root = root().display();
    // It must be a command that there is.
    stand_in("sudo", "test \"$1\" != -u || shift 2; exec \"$@\" --help");
    // It must be a target that there is.
    stand_in("make", &format!("grep -q \"^$1:\" '{root}/Makefile'"));
    stand_in("python", "exec python3 \"$@\"");
    // Nothing goes out, but what would is to go through the proxy.
    stand_in("curl", "test -n \"$https_proxy\" && test -f \"$CURL_CA_BUNDLE\"");
    stand_in(
        "docker",
        &format!(
            "case \"$1 $3\" in compose*) test -f '{root}'/\"$3\" ;; cp*) test \"$3\" = . ;;\n\
             'exec tail') test \"$5\" = /tmp/clawsec/threats.jsonl ;; exec*) shift 2; exec \"$@\" ;;\n\
             *) exit 9 ;; esac"
        ),
    );
    // What follows for ever does so for a moment here.
    stand_in("timeout", "shift; /usr/bin/timeout 1 \"$@\"; test $? = 124");
    folder
}

/// A shell in which a document's commands meet a monitor of this test's own.
struct Shell {
    setup: Setup,
    path: String,
}

impl Shell {
    fn new() -> Shell {
        let setup = Setup::new(json!({}));
        let path = format!("{}:{}", programs(&setup).display(), std::env::var("PATH").unwrap());
        fs::write(setup.directory().join("agent.py"), "print('an agent')\n").unwrap();
        Shell { setup, path }
    }

    fn command(&self, command: &str) -> Command {
        let mut shell = Command::new("bash");
        shell.args(["-c", command]).current_dir(self.setup.directory()).env_clear();
        shell.env("PATH", &self.path).env("HOME", self.setup.directory());
        for (key, value) in [
            ("CLAWSEC_LOG_DIR", self.setup.log_dir().to_str().unwrap()),
            ("CLAWSEC_PROXY_PORT", "0"),
            ("CLAWSEC_GATEWAY_LOCAL_PORT", "0"),
            ("CLAWSEC_ADMIN_ADDR", "127.0.0.1:0"),
            ("CLAWSEC_WORKERS", "1"),
            // Compiling the rules takes a debug build longer than `run` waits for a monitor.
            ("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache")),
        ] {
            shell.env(key, value);
        }
        shell
    }

    fn run(&self, command: &str, wanted: i32) {
        let outcome = run::run(&mut self.command(command));
        assert_eq!(outcome.code, Some(wanted), "{command}\n{}", outcome.text());
    }
}

#[test]
fn every_command_of_the_skill_does_what_it_says() {
    let shell = Shell::new();
    let all = commands("skills/clawsec/SKILL.md");
    assert!(all.len() > 30, "{all:?}");
    shell.run(&all[0], 3);
    for command in &all[1..] {
        shell.run(command, 0);
    }
    shell.run("clawsec status > /dev/null", 3);
}

#[test]
fn every_command_of_the_readme_and_of_operations_does_what_it_says() {
    let shell = Shell::new();
    let mut all = commands("README.md");
    assert!(all.len() > 10, "{all:?}");
    all.extend(commands("docs/operations.md"));
    let mut started = None;
    for command in &all {
        let words = command.split('#').next().unwrap().trim_end();
        if words == "clawsec start" {
            started = Some(shell.command(&format!("exec {words}")).spawn().unwrap());
            wait_until("it serves", || shell.setup.run("healthcheck", &[]).code == Some(0));
        } else if words.ends_with("--follow") {
            shell.run(&format!("timeout 9 {command}"), 0);
        } else {
            shell.run(command, 0);
        }
    }
    shell.run("clawsec stop", 0);
    let ended = run::wait_child(&mut started.expect("README starts it"), crate::support::DEADLINE);
    assert_eq!(ended, Some(Some(0)));
}

#[test]
fn a_section_of_the_readme_that_a_message_names_is_there() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let text = fs::read_to_string(root().join("src/conn/unused.rs")).unwrap();
    let named: Vec<&str> = text.split("README, \\\"").skip(1).collect();
    assert_eq!(named.len(), 2);
    for rest in named {
        let section = rest.split('\\').next().unwrap();
        assert!(readme.contains(&format!("\n## {section}\n")), "{section}");
    }
}

#[test]
fn the_skills_tables_are_those_of_the_rules() {
    let setup = Setup::new(json!({}));
    let rules = setup.run("rules", &["--format", "json"]).stdout;
    let rules: serde_json::Value = serde_json::from_str(&rules).unwrap();
    let document = fs::read_to_string(root().join("skills/clawsec/SKILL.md")).unwrap();
    let is_seed = |rule: &&serde_json::Value| rule["pack"] == "seed";
    let seeds: Vec<_> = rules.as_array().unwrap().iter().filter(is_seed).collect();
    assert_eq!(seeds.len(), 12);
    // "More than 900 rules", say this document and the README.
    assert!(rules.as_array().unwrap().len() > 900);
    for rule in seeds {
        let name = rule["id"].as_str().unwrap();
        assert!(document.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn every_key_has_a_line_in_the_documents() {
    let setup = Setup::new(json!({}));
    let mut show = Command::new(BINARY);
    let outcome = run::run(show.args(["config", "show", "--config"]).arg(setup.config_file()));
    let shown: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let document = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let lacks = |key: &&String| !document.contains(&format!("\n| `{key}` |"));
    let lacking: Vec<_> = shown.as_object().unwrap().keys().filter(lacks).collect();
    assert!(lacking.is_empty(), "{lacking:?}");
}

/// The documents that users read: their paths from the root.
fn documents() -> Vec<String> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| format!("docs/{}", entry.unwrap().file_name().display()));
    let others = ["README.md", "PERF.md", "PERF-LOG.md", "CHANGELOG.md", "deploy/README.md"];
    docs.chain(others.map(str::to_owned)).collect()
}

/// A heading as a link names it.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|sign| sign.is_alphanumeric() || " -_".contains(*sign));
    kept.map(|sign| if sign == ' ' { '-' } else { sign }).collect()
}

#[test]
fn every_link_within_the_documents_leads_to_a_file_and_a_heading() {
    let mut links = 0;
    for document in documents() {
        let path = root().join(&document);
        let text = fs::read_to_string(&path).unwrap();
        for rest in text.split("](").skip(1) {
            let link = rest.split(')').next().unwrap();
            if link.starts_with("http") {
                continue;
            }
            links += 1;
            let (file, wanted) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{document}: {link}");
            if !wanted.is_empty() {
                let text = fs::read_to_string(target).unwrap();
                let mut headings = text.lines().filter(|line| line.starts_with('#')).map(anchor);
                assert!(headings.any(|found| found == wanted), "{document}: {link}");
            }
        }
    }
    assert!(links > 20, "{links}");
}

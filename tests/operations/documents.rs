//! README.md and `skills/clawsec/SKILL.md`: every command in their `bash` blocks is run as it is written, in its
//! order. What would change the machine, or reach out of it, meets a stand-in that checks what it is asked for.

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
fn every_command_of_the_readme_does_what_it_says() {
    let shell = Shell::new();
    let all = commands("README.md");
    assert!(all.len() > 10, "{all:?}");
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
    for rule in seeds {
        let name = rule["id"].as_str().unwrap();
        assert!(document.contains(&format!("| `{name}` |")), "{name}");
    }
}

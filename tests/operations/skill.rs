//! `skills/clawsec/SKILL.md`: every command in it is run as it is written, in its order. What would change the
//! machine (`sudo`, `docker`) meets a stand-in that checks what it is asked for.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::support::proxy::BINARY;
use crate::support::{Setup, json, run};

fn document() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join("skills/clawsec/SKILL.md")).unwrap()
}

/// The commands of every `bash` block, a line each.
fn commands(document: &str) -> Vec<String> {
    let mut commands = Vec::new();
    for block in document.split("```bash\n").skip(1) {
        let block = block.split("```").next().unwrap();
        commands.extend(block.lines().filter(|line| !line.is_empty()).map(str::to_owned));
    }
    commands
}

fn stand_in(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A folder with the binary under its name, and with the stand-ins.
fn programs(setup: &Setup) -> std::path::PathBuf {
    let folder = setup.directory().join("bin");
    fs::create_dir(&folder).unwrap();
    symlink(BINARY, folder.join("clawsec")).unwrap();
    // It must be a command that there is.
    stand_in(&folder, "sudo", "exec \"$@\" --help");
    let root = env!("CARGO_MANIFEST_DIR");
    let docker = format!(
        "case \"$1\" in\ncompose) test -f \"{root}/$3\" ;;\nexec) shift 2; exec \"$@\" ;;\n*) exit 9 ;;\nesac"
    );
    stand_in(&folder, "docker", &docker);
    // What follows for ever does so for a moment here.
    stand_in(&folder, "timeout", "shift; /usr/bin/timeout 1 \"$@\"; test $? = 124");
    folder
}

#[test]
fn every_command_of_the_skill_does_what_it_says() {
    let setup = Setup::new(json!({}));
    let path = format!("{}:{}", programs(&setup).display(), std::env::var("PATH").unwrap());
    fs::write(setup.directory().join("agent.py"), "print('an agent')\n").unwrap();
    let all = commands(&document());
    assert!(all.len() > 30, "{all:?}");
    for command in all {
        let mut shell = std::process::Command::new("bash");
        shell.args(["-c", &command]).current_dir(setup.directory()).env_clear();
        shell.env("PATH", &path).env("HOME", setup.directory());
        for (key, value) in [
            ("CLAWSEC_LOG_DIR", setup.log_dir().to_str().unwrap()),
            ("CLAWSEC_PROXY_PORT", "0"),
            ("CLAWSEC_GATEWAY_LOCAL_PORT", "0"),
            ("CLAWSEC_ADMIN_ADDR", "127.0.0.1:0"),
            ("CLAWSEC_WORKERS", "1"),
        ] {
            shell.env(key, value);
        }
        let outcome = run::run(&mut shell);
        // Stopped, before the first start.
        let is_fine =
            outcome.code == Some(0) || (command == "clawsec status" && outcome.code == Some(3));
        assert!(is_fine, "{command}: {:?}\n{}", outcome.code, outcome.text());
    }
    let status = setup.run("status", &[]);
    assert!(status.stdout.contains("STOPPED"), "the last command stops it: {}", status.stdout);
}

#[test]
fn the_skills_tables_are_those_of_the_rules() {
    let setup = Setup::new(json!({}));
    let rules = setup.run("rules", &["--format", "json"]).stdout;
    let rules: serde_json::Value = serde_json::from_str(&rules).unwrap();
    let document = document();
    for rule in rules.as_array().unwrap().iter().take(12) {
        let name = rule["pattern"].as_str().or(rule["name"].as_str()).unwrap();
        assert!(document.contains(&format!("| `{name}` |")), "{name}");
    }
}

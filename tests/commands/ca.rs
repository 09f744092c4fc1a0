//! `ca`: shown, installed into a system in a folder, rotated with overlap, imported.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::support::run::{Outcome, run};
use crate::support::tls::{self, Shown};
use crate::support::{Origin, Proxy, Reply, Setup, json};

/// A set-up that has a CA, from a monitor that has ended.
fn with_ca() -> Setup {
    Proxy::start(json!({})).stop()
}

fn ca(setup: &Setup, arguments: &[&str]) -> Outcome {
    let (command, rest) = arguments.split_first().unwrap();
    let mut clawsec = crate::support::proxy::clean_command();
    clawsec.args(["ca", command]).arg("--config").arg(setup.config_file()).args(rest);
    run(&mut clawsec)
}

fn openssl_fingerprint(path: &Path) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(path);
    let outcome = run(&mut openssl).expect_success("openssl");
    outcome.stdout.trim().rsplit_once('=').unwrap().1.to_owned()
}

#[test]
fn it_is_shown() {
    let setup = with_ca();
    let file = setup.log_dir().join("ca.crt");
    let path = ca(&setup, &["path"]).expect_success("path");
    assert_eq!(path.stdout.trim(), file.to_str().unwrap());
    let print = ca(&setup, &["print"]).expect_success("print");
    assert_eq!(print.stdout, fs::read_to_string(&file).unwrap().replace("\r\n", "\n"));
    let fingerprint = ca(&setup, &["fingerprint"]).expect_success("fingerprint");
    assert_eq!(fingerprint.stdout.trim(), openssl_fingerprint(&file));
    for command in ["path", "print", "fingerprint", "rotate", "install"] {
        let outcome = ca(&Setup::new(json!({})), &[command]);
        assert_eq!(outcome.code, Some(1), "{command}");
        assert!(outcome.stderr.contains("there is no CA yet"), "{command}: {}", outcome.stderr);
    }
}

/// Whoever owns the folder, or writes to it, could have put a CA and a proxy of their own there.
#[test]
fn a_folder_of_another_user_or_that_others_write_to_is_not_believed() {
    let setup = with_ca();
    let folder = setup.log_dir();
    let before = fs::read(folder.join("ca.key")).unwrap();
    let refused = |words: &str| {
        for command in ["path", "print", "fingerprint", "install", "rotate"] {
            let outcome = ca(&setup, &[command]);
            assert_eq!((outcome.code, &*outcome.stdout), (Some(1), ""), "{command}");
            assert!(outcome.stderr.contains(words), "{command}: {}", outcome.stderr);
        }
        let outcome = setup.run("env", &[]);
        assert_eq!((outcome.code, &*outcome.stdout), (Some(1), ""), "env");
        assert!(outcome.stderr.contains(words), "env: {}", outcome.stderr);
    };
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    refused("writable by other users");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    // Only root can give a folder away.
    if std::os::unix::fs::chown(folder, Some(12_345), None).is_ok() {
        refused("belongs to user 12345");
        std::os::unix::fs::chown(folder, Some(0), None).unwrap();
    }
    assert_eq!(fs::read(folder.join("ca.key")).unwrap(), before, "no key was made");
    ca(&setup, &["path"]).expect_success("path");
}

/// Under systemd the folder is the service's own, and root has the system trust its CA. In `/tmp` anybody could have
/// put it there.
#[test]
fn root_reads_the_ca_of_a_service_but_none_that_was_planted() {
    let setup = with_ca();
    let folder = setup.log_dir();
    let give = |user| std::os::unix::fs::chown(folder, Some(user), None);
    if give(999).is_err() {
        eprintln!("skipped: only root can give a folder away");
        return;
    }
    for command in ["path", "print", "fingerprint", "install"] {
        let outcome = ca(&setup, &[command]);
        assert_eq!((outcome.code, &*outcome.stdout), (Some(1), ""), "{command}");
        assert!(outcome.stderr.contains("belongs to user 999"), "{}", outcome.stderr);
    }
    let environment = setup.run("env", &[]);
    assert!(environment.stderr.contains("clawsec ca install --config"), "{}", environment.stderr);
    // As /var/lib/clawsec is.
    let Ok(given) = tempfile::tempdir_in("/var/lib") else {
        eprintln!("skipped: no folder can be made in /var/lib");
        return;
    };
    fs::copy(folder.join("ca.crt"), given.path().join("ca.crt")).unwrap();
    let shown = |owner, mode| {
        std::os::unix::fs::chown(given.path(), Some(owner), None).unwrap();
        fs::set_permissions(given.path(), fs::Permissions::from_mode(mode)).unwrap();
        let mut clawsec = crate::support::proxy::clean_command();
        run(clawsec.args(["ca", "fingerprint", "--log-dir"]).arg(given.path()))
    };
    let fingerprint = openssl_fingerprint(&folder.join("ca.crt"));
    assert_eq!(shown(999, 0o700).expect_success("of a service").stdout.trim(), fingerprint);
    for (owner, mode) in [(1000, 0o700), (999, 0o770), (999, 0o777)] {
        let outcome = shown(owner, mode);
        assert_eq!((outcome.code, &*outcome.stdout), (Some(1), ""), "{owner} {mode:o}");
    }
    give(0).unwrap();
}

/// A system in a folder, whose programs only note how they were called.
struct System {
    root: PathBuf,
    programs: PathBuf,
    calls: PathBuf,
}

impl System {
    fn new(setup: &Setup, folder: Option<&str>, program: &str) -> System {
        let root = setup.directory().join(format!("system-{program}"));
        let programs = root.join("programs");
        fs::create_dir_all(&programs).unwrap();
        if let Some(folder) = folder {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let calls = root.join("calls");
        let script = format!("#!/bin/sh\necho \"$0 $*\" >> {}\n", calls.display());
        let path = programs.join(program);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        System { root, programs, calls }
    }

    /// With nothing but its own programs in reach, and the machine's behind them.
    fn ca(&self, setup: &Setup, command: &str) -> Outcome {
        let mut clawsec = crate::support::proxy::clean_command();
        clawsec.args(["ca", command, "--config"]).arg(setup.config_file());
        clawsec.arg("--root").arg(&self.root).env("PATH", &self.programs);
        run(&mut clawsec)
    }

    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.calls).unwrap_or_default();
        text.lines().map(|line| line.rsplit('/').next().unwrap().to_owned()).collect()
    }
}

#[test]
fn it_is_installed_and_uninstalled_where_each_system_keeps_roots() {
    for (folder, program, installed, uninstalled) in [
        (
            "usr/local/share/ca-certificates",
            "update-ca-certificates",
            "update-ca-certificates ",
            "update-ca-certificates --fresh",
        ),
        (
            "etc/pki/ca-trust/source/anchors",
            "update-ca-trust",
            "update-ca-trust ",
            "update-ca-trust ",
        ),
    ] {
        let setup = with_ca();
        let system = System::new(&setup, Some(folder), program);
        let file = system.root.join(folder).join("clawsec.crt");
        let outcome = system.ca(&setup, "install").expect_success("install");
        let fingerprint = openssl_fingerprint(&setup.log_dir().join("ca.crt"));
        assert!(outcome.stdout.contains(&fingerprint), "{}", outcome.stdout);
        assert_eq!(openssl_fingerprint(&file), fingerprint);
        assert_eq!(system.calls(), [installed]);
        system.ca(&setup, "uninstall").expect_success("uninstall");
        assert!(!file.exists());
        assert_eq!(system.calls(), [installed, uninstalled]);
        let again = system.ca(&setup, "uninstall").expect_success("again");
        assert!(again.stdout.contains("did not trust"), "{}", again.stdout);
    }
}

#[test]
fn it_is_removed_again_from_p11_kit_by_its_own_program() {
    let setup = with_ca();
    let system = System::new(&setup, None, "trust");
    let outcome = system.ca(&setup, "install");
    // Where this machine has update-ca-certificates, the folder decides: there is none here.
    outcome.expect_success("install");
    system.ca(&setup, "uninstall").expect_success("uninstall");
    let calls = system.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    let text = fs::read_to_string(&system.calls).unwrap();
    assert!(text.contains("anchor --store") && text.contains("anchor --remove"), "{text}");
}

/// As root on many hardened machines: programs of other users failed on a certificate that they could not read.
#[test]
fn whatever_the_umask_everybody_may_read_what_is_installed_and_nobody_else_may_write_it() {
    let setup = with_ca();
    let under = |umask: &str, system: &System| {
        let clawsec = crate::support::proxy::clean_command();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
            .arg(clawsec.get_program());
        shell.args(["ca", "install", "--config"]).arg(setup.config_file());
        shell.arg("--root").arg(&system.root);
        let path = format!("{}:{}", system.programs.display(), std::env::var("PATH").unwrap());
        run(shell.env_clear().env("PATH", path)).expect_success("install");
    };
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = "usr/local/share/ca-certificates";
    let debian = System::new(&setup, Some(folder), "update-ca-certificates");
    for umask in ["077", "022", "000"] {
        under(umask, &debian);
        assert_eq!(mode(&debian.root.join(folder).join("clawsec.crt")), 0o644, "{umask}");
    }
    let p11_kit = System::new(&setup, None, "trust");
    let script = format!("#!/bin/sh\nstat -c %a \"${{3%/*}}\" > {}\n", p11_kit.calls.display());
    fs::write(p11_kit.programs.join("trust"), script).unwrap();
    under("000", &p11_kit);
    assert_eq!(p11_kit.calls(), ["700"], "a folder in which no other user changes the file");
}

#[test]
fn by_hand_it_is_explained() {
    let setup = with_ca();
    let outcome = ca(&setup, &["install", "--instructions"]).expect_success("instructions");
    let file = setup.log_dir().join("ca.crt").display().to_string();
    for part in ["macOS", "Firefox", "Chrome", "update-ca-trust", "trust anchor", &file] {
        assert!(outcome.stdout.contains(part), "{part}: {}", outcome.stdout);
    }
}

#[test]
fn the_way_back_on_macos_names_the_ca_that_there_is() {
    let setup = with_ca();
    let undo = |setup: &Setup| {
        let said = ca(setup, &["install", "--instructions"]).expect_success("instructions").stdout;
        let line =
            said.lines().find(|line| line.contains("delete-certificate")).unwrap().to_owned();
        line.trim().to_owned()
    };
    for step in ["made", "rotated", "imported"] {
        match step {
            "rotated" => drop(ca(&setup, &["rotate"]).expect_success("rotate")),
            "imported" => {
                let Organisation { chain, key, .. } = organisation(setup.directory());
                import(&setup, &chain, &key, &["--replace"]).expect_success("import");
            }
            _ => {}
        }
        let hash = openssl_fingerprint(&setup.log_dir().join("ca.crt")).replace(':', "");
        let expected = format!("undo: sudo security delete-certificate -Z {hash} /Library/");
        assert!(undo(&setup).starts_with(&expected), "{step}: {}", undo(&setup));
    }
    let none = undo(&Setup::new(json!({})));
    assert!(none.contains("-c \"ClawSec Monitor CA\" /Library/"), "{none}");
}

/// A request by a client that trusts exactly this file.
fn curl(proxy: &Proxy, trusted: &Path, dest: &str) -> Outcome {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "30", "--proxy", &proxy.url(), "--cacert"]).arg(trusted);
    curl.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR").args(["--capath", "/nonexistent"]);
    run(curl.arg(format!("https://{dest}/")))
}

#[test]
fn after_a_rotation_clients_of_the_old_and_of_the_new_ca_go_on_working() {
    let setup = with_ca();
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("hello"));
    let file = setup.log_dir().join("ca.crt");
    let first = setup.directory().join("first.crt");
    fs::copy(&file, &first).unwrap();
    let outcome = ca(&setup, &["rotate"]).expect_success("rotate");
    assert!(outcome.stdout.contains(&openssl_fingerprint(&first)), "{}", outcome.stdout);
    assert!(outcome.stdout.contains(&openssl_fingerprint(&file)), "{}", outcome.stdout);
    assert_ne!(openssl_fingerprint(&first), openssl_fingerprint(&file));
    let second = setup.directory().join("second.crt");
    fs::copy(&file, &second).unwrap();
    ca(&setup, &["rotate", "--overlap-days", "2"]).expect_success("rotate again");

    let proxy = setup.start();
    for trusted in [&first, &second, &file, &proxy.log_dir().join("ca-bundle.pem")] {
        let outcome = curl(&proxy, trusted, &origin.local_dest());
        assert_eq!(outcome.stdout, "hello", "{}: {}", trusted.display(), outcome.text());
    }
    let mode = fs::metadata(proxy.log_dir().join("ca.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!proxy.log().contains("WARNING"), "{}", proxy.log());
}

#[test]
fn a_rotation_without_overlap_ends_the_trust_in_the_old_ca() {
    let setup = with_ca();
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("hello"));
    let old = setup.directory().join("old.crt");
    fs::copy(setup.log_dir().join("ca.crt"), &old).unwrap();
    ca(&setup, &["rotate", "--overlap-days", "0"]).expect_success("rotate");
    assert!(!setup.log_dir().join("ca.previous.crt").exists());
    let proxy = setup.start();
    assert_eq!(curl(&proxy, &proxy.ca_path(), &origin.local_dest()).stdout, "hello");
    assert_ne!(curl(&proxy, &old, &origin.local_dest()).code, Some(0));
}

#[test]
fn a_running_monitor_goes_on_with_the_old_ca_and_new_agents_trust_both() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("hello"));
    let outcome = ca(&proxy.setup, &["rotate"]).expect_success("rotate");
    assert!(outcome.stdout.contains("until it is started anew"), "{}", outcome.stdout);
    let bundle = proxy.log_dir().join("ca-bundle.pem");
    assert_eq!(curl(&proxy, &bundle, &origin.local_dest()).stdout, "hello");
    let env = proxy.setup.run("env", &[]).expect_success("env");
    assert!(env.stdout.contains("NODE_EXTRA_CA_CERTS='"), "{}", env.stdout);
    assert!(!env.stdout.contains("ca.crt"), "the bundle has both: {}", env.stdout);
}

/// An organisation's root, and an intermediate that it certified, as files.
struct Organisation {
    root: PathBuf,
    chain: PathBuf,
    key: PathBuf,
}

fn organisation(folder: &Path) -> Organisation {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = true;
        params
    };
    let root_key = KeyPair::generate().unwrap();
    let root_params = authority("Example Organisation Root");
    let root_pem = root_params.self_signed(&root_key).unwrap().pem();
    let issuer = Issuer::new(root_params, root_key);
    let key = KeyPair::generate().unwrap();
    let mut params = authority("Example Organisation Agents CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let pem = params.signed_by(&key, &issuer).unwrap().pem();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    Organisation {
        root: write("root.pem", &root_pem),
        chain: write("chain.pem", &pem),
        key: write("agents.key", &key.serialize_pem()),
    }
}

fn import(setup: &Setup, chain: &Path, key: &Path, more: &[&str]) -> Outcome {
    let (chain, key) = (chain.display().to_string(), key.display().to_string());
    ca(setup, &[&["import", "--cert", &chain, "--key", &key], more].concat())
}

#[test]
fn an_imported_intermediate_is_served_with_its_chain() {
    let setup = Setup::new(json!({}));
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("hello"));
    let organisation = organisation(setup.directory());
    import(&setup, &organisation.chain, &organisation.key, &[]).expect_success("import");
    let proxy = setup.start();
    // The client knows the root alone: it is the proxy that shows the intermediate.
    let outcome = curl(&proxy, &organisation.root, &origin.local_dest());
    assert_eq!(outcome.stdout, "hello", "{}", outcome.text());
}

#[test]
fn an_import_replaces_only_when_asked_and_only_by_what_works() {
    let setup = with_ca();
    let before = fs::read(setup.log_dir().join("ca.crt")).unwrap();
    let organisation = organisation(setup.directory());
    let refused = import(&setup, &organisation.chain, &organisation.key, &[]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
    let unchained = setup.directory().join("unchained.pem");
    let text = [&organisation.chain, &setup.log_dir().join("ca.crt")]
        .map(|path| fs::read_to_string(path).unwrap());
    fs::write(&unchained, text.concat()).unwrap();
    let other_key = setup.log_dir().join("ca.key");
    for (chain, key, why) in [
        (&organisation.chain, &other_key, "is not the key of"),
        (&unchained, &organisation.key, "does not certify the one before"),
        (&organisation.key, &organisation.key, "no certificate"),
        (&organisation.chain, &organisation.chain, "no unencrypted private key"),
    ] {
        let outcome = import(&setup, chain, key, &["--replace"]);
        assert_eq!(outcome.code, Some(1), "{why}");
        assert!(outcome.stderr.contains(why), "{why}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("PRIVATE KEY-"), "{}", outcome.stderr);
        assert_eq!(fs::read(setup.log_dir().join("ca.crt")).unwrap(), before, "{why}");
    }
    let whole = setup.directory().join("whole.pem");
    let text = [&organisation.chain, &organisation.root].map(|path| fs::read(path).unwrap());
    fs::write(&whole, text.concat()).unwrap();
    import(&setup, &whole, &organisation.key, &["--replace"]).expect_success("import");
    assert_eq!(crate::certificates(&setup.log_dir().join("ca.crt")), 2);
    drop(setup.start());
}

#[test]
fn the_days_of_an_overlap_hold_at_their_bound_and_break_past_it() {
    let setup = with_ca();
    ca(&setup, &["rotate", "--overlap-days", "365"]).expect_success("at the bound");
    assert_eq!(ca(&setup, &["rotate", "--overlap-days", "366"]).code, Some(2));
}

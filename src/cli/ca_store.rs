//! The system's store of roots: where a certificate is put, and which program takes it up.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tls::CertificateDer;

use crate::tls::trust_bundle::certificate_pem;

/// How it is done by hand; `CA_CRT` stands for the file, `CA_NAME` for how macOS is told which one.
pub const INSTRUCTIONS: &str = "\
Debian, Ubuntu
  sudo cp CA_CRT /usr/local/share/ca-certificates/clawsec.crt && sudo update-ca-certificates
  undo: sudo rm /usr/local/share/ca-certificates/clawsec.crt && sudo update-ca-certificates --fresh
Fedora, RHEL
  sudo cp CA_CRT /etc/pki/ca-trust/source/anchors/clawsec.crt && sudo update-ca-trust
  undo: sudo rm /etc/pki/ca-trust/source/anchors/clawsec.crt && sudo update-ca-trust
Arch
  sudo trust anchor --store CA_CRT
  undo: sudo trust anchor --remove CA_CRT
macOS (agents there, ClawSec in a container or on another machine)
  sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain CA_CRT
  undo: sudo security delete-certificate CA_NAME /Library/Keychains/System.keychain
Chrome, Chromium on Linux
  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n clawsec -i CA_CRT
  undo: certutil -d sql:$HOME/.pki/nssdb -D -n clawsec
Firefox
  Settings, Privacy & Security, View Certificates, Authorities, Import: CA_CRT
  (or, where it follows the system: about:config, security.enterprise_roots.enabled = true)
";

const FILE_NAME: &str = "clawsec.crt";

/// A system's way of trusting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// A folder, and a program that reads it.
    Folder {
        system: &'static str,
        path: PathBuf,
        update: &'static [&'static str],
        fresh: &'static [&'static str],
    },
    /// p11-kit's own program, which keeps the file itself.
    Trust { scratch: PathBuf },
}

/// System, folder, program after an addition, program after a removal.
type Known = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const FOLDERS: [Known; 3] = [
    (
        "Debian's store",
        "usr/local/share/ca-certificates",
        &["update-ca-certificates"],
        &["update-ca-certificates", "--fresh"],
    ),
    (
        "Fedora's store",
        "etc/pki/ca-trust/source/anchors",
        &["update-ca-trust"],
        &["update-ca-trust"],
    ),
    (
        "openSUSE's store",
        "etc/pki/trust/anchors",
        &["update-ca-certificates"],
        &["update-ca-certificates"],
    ),
];

impl Store {
    /// The store of the system in this folder.
    pub fn find(root: &Path) -> Option<Store> {
        for (system, folder, update, fresh) in FOLDERS {
            let path = root.join(folder);
            if path.is_dir() && update.first().is_some_and(|program| is_there(program)) {
                return Some(Store::Folder { system, path, update, fresh });
            }
        }
        is_there("trust").then(|| Store::Trust { scratch: std::env::temp_dir() })
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Store::Folder { system, .. } => system,
            Store::Trust { .. } => "The system's store",
        }
    }

    /// Adds the certificate.
    pub fn install(&self, certificate: &CertificateDer<'_>) -> Result<(), String> {
        let pem = certificate_pem(certificate);
        match self {
            Store::Folder { path, update, .. } => {
                let file = path.join(FILE_NAME);
                write_public(&file, &pem).map_err(|error| in_words(&file, &error))?;
                execute(update)
            }
            Store::Trust { scratch } => {
                with_file(scratch, &pem, |file| execute(&["trust", "anchor", "--store", file]))
            }
        }
    }

    /// Removes what was added; whether there was something.
    pub fn uninstall(&self, certificate: Option<&CertificateDer<'_>>) -> Result<bool, String> {
        match self {
            Store::Folder { path, fresh, .. } => {
                let file = path.join(FILE_NAME);
                match std::fs::remove_file(&file) {
                    Ok(()) => execute(fresh).map(|()| true),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                    Err(error) => Err(in_words(&file, &error)),
                }
            }
            Store::Trust { scratch } => {
                let certificate = certificate.ok_or(
                    "the CA is gone, and trust must be told which one to forget: trust list",
                )?;
                with_file(scratch, &certificate_pem(certificate), |file| {
                    execute(&["trust", "anchor", "--remove", file])
                })?;
                Ok(true)
            }
        }
    }
}

fn in_words(file: &Path, error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => "; only root may change the system's store: use sudo",
        _ => "",
    };
    format!("cannot change {}: {error}{hint}", file.display())
}

/// Writes what programs of every user are to read, whatever the umask is.
fn write_public(file: &Path, text: &str) -> io::Result<()> {
    std::fs::write(file, text)?;
    std::fs::set_permissions(file, Permissions::from_mode(0o644))
}

/// A folder of our own with the certificate in it, for as long as the program runs.
fn with_file(
    scratch: &Path,
    pem: &str,
    action: impl FnOnce(&str) -> Result<(), String>,
) -> Result<(), String> {
    let folder = scratch.join(format!("clawsec-ca-{}", std::process::id()));
    let file = folder.join(FILE_NAME);
    // It must be new, and nobody else's to write to: in a shared folder, what is there may be somebody else's.
    DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .and_then(|()| std::fs::write(&file, pem))
        .map_err(|error| in_words(&file, &error))?;
    let outcome = match file.to_str() {
        Some(name) => action(name),
        None => Err(format!("{} is no text", file.display())),
    };
    // What stays is a public certificate.
    let _ = std::fs::remove_dir_all(&folder);
    outcome
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .any(|folder| folder.join(program).is_file())
}

fn execute(words: &[&str]) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let path = std::env::join_paths(all).map_err(|error| error.to_string())?;
    let output = Command::new(program).args(arguments).env("PATH", path).output();
    let said = words.join(" ");
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "{said} failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Err(format!("cannot run {said}: {error}")),
    }
}

//! `clawsec ca`: the CA that HTTPS is read with, shown, trusted, and changed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use crate::tls::CertificateDer;
use clap::{Args, Subcommand};

use super::arguments::CommonArguments;
use super::ca_store::{INSTRUCTIONS, Store};
use super::monitor::{self, Monitor};
use super::{exit_code, load_common, log_dir, output};
use crate::limits::{CA_OVERLAP_DEFAULT_DAYS, CA_OVERLAP_MAX_DAYS};
use crate::tls::authority::fingerprint_sha256;
use crate::tls::authority_change::{self, Changed};
use crate::tls::trust_bundle::{Kept, certificate_pem, own_certificates_of, write_trust_files};
use crate::tls::trust_leftovers::renew_others;

/// `clawsec ca`.
#[derive(Clone, Debug, Args)]
pub struct CaArguments {
    #[command(subcommand)]
    pub command: CaCommand,
}

impl CaArguments {
    /// What every command takes.
    pub fn common(&mut self) -> &mut CommonArguments {
        match &mut self.command {
            CaCommand::Path(common) | CaCommand::Print(common) | CaCommand::Fingerprint(common) => {
                common
            }
            CaCommand::Install(store) | CaCommand::Uninstall(store) => &mut store.common,
            CaCommand::Rotate(rotate) => &mut rotate.common,
            CaCommand::Import(import) => &mut import.common,
        }
    }
}

/// What about the CA.
#[derive(Clone, Debug, Subcommand)]
pub enum CaCommand {
    /// Print where the certificate is
    Path(CommonArguments),
    /// Print the certificate (PEM), with its chain if it has one
    Print(CommonArguments),
    /// Print the certificate's SHA-256, as browsers and openssl show it
    Fingerprint(CommonArguments),
    /// Have this system trust it (needs root)
    Install(StoreArguments),
    /// End this system's trust in it (needs root)
    Uninstall(StoreArguments),
    /// Make a new CA, certified by the old one for some time
    Rotate(RotateArguments),
    /// Use a CA that an organisation certified
    Import(ImportArguments),
}

/// `clawsec ca install` and `uninstall`.
#[derive(Clone, Debug, Args)]
pub struct StoreArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    /// Only say how it is done, here and for macOS and browsers
    #[arg(long)]
    pub instructions: bool,
    /// Work on the system in this folder
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub root: PathBuf,
}

/// `clawsec ca rotate`.
#[derive(Clone, Debug, Args)]
pub struct RotateArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    /// For how long clients that trust only the old CA go on working; 0: not at all
    #[arg(long, value_name = "DAYS", default_value_t = CA_OVERLAP_DEFAULT_DAYS,
          value_parser = clap::value_parser!(u64).range(0..=CA_OVERLAP_MAX_DAYS))]
    pub overlap_days: u64,
}

/// `clawsec ca import`.
#[derive(Clone, Debug, Args)]
pub struct ImportArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    /// The CA's certificate, then who certified it, up to the root or below it (PEM)
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,
    /// Its private key (PEM, not encrypted)
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Replace the present CA, whose key is gone then
    #[arg(long)]
    pub replace: bool,
}

/// Runs the command.
pub fn run(arguments: &CaArguments) -> ExitCode {
    let common = match &arguments.command {
        CaCommand::Path(common) | CaCommand::Print(common) | CaCommand::Fingerprint(common) => {
            common
        }
        CaCommand::Install(arguments) | CaCommand::Uninstall(arguments) => &arguments.common,
        CaCommand::Rotate(arguments) => &arguments.common,
        CaCommand::Import(arguments) => &arguments.common,
    };
    let (log_dir, upstream) = match load_common(common) {
        Ok(config) => (config.report.log_dir, config.tls.upstream_ca_file),
        Err(code) => return code,
    };
    // Agents that are started after a change are to trust both, whatever else they trust.
    let write_bundle = || {
        let (upstream, now) = (upstream.as_deref(), SystemTime::now());
        let written = write_trust_files(&log_dir, now, &Kept { upstream, replaced: &[] });
        let written = written.and_then(|_| renew_others(&log_dir, now, upstream));
        written.map_err(|error| error.to_string())
    };
    let outcome = match &arguments.command {
        CaCommand::Path(_) => own(&log_dir)
            .and_then(|_| output::print(&format!("{}\n", log_dir.join("ca.crt").display()))),
        CaCommand::Print(_) => own(&log_dir).and_then(|certificates| {
            output::print(&certificates.iter().map(certificate_pem).collect::<String>())
        }),
        CaCommand::Fingerprint(_) => first(&log_dir)
            .and_then(|own| output::print(&format!("{}\n", fingerprint_sha256(&own)))),
        CaCommand::Install(arguments) => install(&log_dir, arguments),
        CaCommand::Uninstall(arguments) => uninstall(&log_dir, arguments),
        CaCommand::Rotate(arguments) => rotate(&log_dir, arguments).and_then(|()| write_bundle()),
        CaCommand::Import(arguments) => import(&log_dir, arguments).and_then(|()| write_bundle()),
    };
    exit_code(outcome.map(|()| ExitCode::SUCCESS))
}

/// The CA, unless somebody else could have put it there: whoever is shown it goes on to trust it.
fn own(log_dir: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    log_dir::check_readable(log_dir).map_err(|error| error.to_string())?;
    own_certificates_of(log_dir).map_err(|error| error.to_string())
}

fn first(log_dir: &Path) -> Result<CertificateDer<'static>, String> {
    own(log_dir)?.into_iter().next().ok_or_else(|| "ca.crt is empty".to_owned())
}

fn install(log_dir: &Path, arguments: &StoreArguments) -> Result<(), String> {
    if arguments.instructions {
        return output::print(&instructions(log_dir));
    }
    let certificates = own(log_dir)?;
    // What is trusted is the end of the chain: for a CA of our own, itself.
    let root = certificates.last().ok_or("ca.crt is empty")?;
    let store = Store::find(&arguments.root).ok_or_else(|| unknown_system(log_dir))?;
    store.install(root)?;
    output::print(&format!(
        "{} trusts this CA now:\n  SHA-256 {}\nFirefox, and Chrome on Linux, have stores of their own: \
         {}\n",
        store.name(),
        fingerprint_sha256(root),
        arguments.common.command("ca install --instructions")
    ))
}

fn uninstall(log_dir: &Path, arguments: &StoreArguments) -> Result<(), String> {
    if arguments.instructions {
        return output::print(&instructions(log_dir));
    }
    let store = Store::find(&arguments.root).ok_or_else(|| unknown_system(log_dir))?;
    let root = own(log_dir).ok().and_then(|certificates| certificates.last().cloned());
    let was_there = store.uninstall(root.as_ref())?;
    let said = if was_there { "no longer trusts" } else { "did not trust" };
    output::print(&format!("{} {said} the CA.\n", store.name()))
}

fn unknown_system(log_dir: &Path) -> String {
    format!(
        "this system has none of update-ca-certificates, update-ca-trust and trust. By hand:\n\n{}",
        instructions(log_dir)
    )
}

fn instructions(log_dir: &Path) -> String {
    // By its hash, whatever it is called: names may be a part of others.
    let name = match first(log_dir) {
        Ok(own) => format!("-Z {}", fingerprint_sha256(&own).replace(':', "")),
        Err(_) => "-c \"ClawSec Monitor CA\"".to_owned(),
    };
    INSTRUCTIONS
        .replace("CA_CRT", &log_dir.join("ca.crt").display().to_string())
        .replace("CA_NAME", &name)
}

fn rotate(log_dir: &Path, arguments: &RotateArguments) -> Result<(), String> {
    // The new key belongs to whoever calls this: the monitor of another user could not read it.
    if log_dir.exists() {
        log_dir::prepare(log_dir).map_err(|error| error.to_string())?;
    }
    let changed = authority_change::rotate(log_dir, arguments.overlap_days, SystemTime::now())
        .map_err(|error| error.to_string())?;
    tell(log_dir, &changed, "made", &arguments.common)
}

fn import(log_dir: &Path, arguments: &ImportArguments) -> Result<(), String> {
    log_dir::prepare(log_dir).map_err(|error| error.to_string())?;
    if log_dir.join("ca.crt").exists() && !arguments.replace {
        return Err(format!(
            "there is a CA in {} already; --replace puts the other one in its place, and its key is \
             gone then",
            log_dir.display()
        ));
    }
    let (cert, key) = (&arguments.cert, &arguments.key);
    let changed = authority_change::import(log_dir, cert, key, SystemTime::now())
        .map_err(|error| error.without_remedy())?;
    tell(log_dir, &changed, "imported", &arguments.common)
}

fn tell(
    log_dir: &Path,
    changed: &Changed,
    what: &str,
    common: &CommonArguments,
) -> Result<(), String> {
    let mut text = format!("CA {what}:   SHA-256 {}\n", changed.now);
    if let Some(before) = &changed.before {
        text.push_str(&format!("in place of: SHA-256 {before}\n"));
    }
    if let Some(until) = changed.overlap_until {
        text.push_str(&format!(
            "Clients that trust only the old one go on working until {}; have them trust the new \
             one by then.\n",
            until.date()
        ));
    }
    let install = common.command("ca install");
    text.push_str(&format!("Where the old one was installed: {install}\n"));
    if matches!(monitor::look(log_dir), Ok(Monitor::Running(_) | Monitor::Starting)) {
        text.push_str(&format!(
            "The running monitor goes on with the old CA until it is started anew: {}\n",
            common.restart_commands()
        ));
    }
    output::print(&text)
}

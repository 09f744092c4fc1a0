//! `clawsec scan FILE…|FOLDER…|-`: the same patterns, watched values, engine and masking over files. Touches no log.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::arguments::CommonArguments;
use super::output::visible;
use super::scan_folder::Files;
use super::{load_common, log_dir, output};
use crate::config::{Config, Suppression, WatchConfig};
use crate::finding::{Confidence, Fingerprint, Severity, ThreatType, View};
use crate::limits::{FINGERPRINT_KEY_BYTES, SCAN_FILE_READ_BYTES};
use crate::policy::{FingerprintKey, accepted_anywhere};
use crate::regular_file;
use crate::rulebook;
use crate::scan::{
    Gap, KNOWN_VALUE_RULE, KnownMatch, KnownValues, Match, MatchSink, PaddedBuffer, Scanner,
};
use crate::secrets;

/// Something was found.
const EXIT_FOUND: u8 = 1;
/// Something could not be scanned. It weighs more than a finding: the answer is not whole.
const EXIT_TROUBLE: u8 = 2;

/// `clawsec scan`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Exit codes: 0 nothing found, 1 something found, 2 something not scanned.")]
pub struct ScanArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    /// How findings are printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub format: ScanFormat,
    /// Files, and folders with all that is in them (but links, and git's objects); - is the standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// How findings in files are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScanFormat {
    /// FILE: PATTERN (TYPE): SNIPPET
    Text,
    /// One JSON object a line
    Jsonl,
}

/// Runs the command.
pub fn run(arguments: &ScanArguments) -> ExitCode {
    let config = match load_common(&arguments.common) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let key = fingerprint_key(&config.report.log_dir);
    let scanner = match scanner(&config, key.as_ref()) {
        Ok(scanner) => scanner,
        Err(error) => {
            output::error(error);
            return ExitCode::from(EXIT_TROUBLE);
        }
    };
    let suppressions = config.policy.suppressions;
    let mut found = Found { format: arguments.format, key, suppressions, ..Found::default() };
    for path in &arguments.files {
        if !is_stdin(path) && path.is_dir() {
            scan_folder(path, &scanner, &mut found);
        } else {
            scan_one(path, open(path), &scanner, &mut found);
        }
        if found.reader_is_gone {
            break;
        }
    }
    if found.accepted > 0 {
        output::note(format!("{} more are accepted (suppressions)", found.accepted));
    }
    match (found.has_trouble, found.count) {
        (true, _) => ExitCode::from(EXIT_TROUBLE),
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::from(EXIT_FOUND),
    }
}

/// As the proxy has it: with the rules, and the values that are watched for.
fn scanner(config: &Config, key: Option<&FingerprintKey>) -> Result<Scanner, String> {
    let ready = rulebook::prepare(config).map_err(|error| error.to_string())?;
    ready.warnings.iter().for_each(output::warning);
    let known = known_values(&config.watch, key)?;
    Scanner::knowing(&Arc::new(ready.database), config.scan.max_window_bytes, known)
        .map_err(|error| error.to_string())
}

/// None where nothing is watched for.
fn known_values(
    watch: &WatchConfig,
    key: Option<&FingerprintKey>,
) -> Result<Option<Arc<KnownValues>>, String> {
    let watched = secrets::read_watched(watch, |name| std::env::var_os(name));
    watched.warnings.iter().for_each(output::warning);
    if watched.values.is_empty() {
        return Ok(None);
    }
    // Without the monitor's key no fingerprint is shown: any will do.
    let any = FingerprintKey::new(&[0; FINGERPRINT_KEY_BYTES]);
    let key = key.unwrap_or(&any);
    let known = KnownValues::new(watched.values, |bytes| key.of(bytes));
    known.map(|known| Some(Arc::new(known))).map_err(|error| error.to_string())
}

/// The key of the monitor's fingerprints, where there is one that may be read: none is made.
fn fingerprint_key(log_dir: &Path) -> Option<FingerprintKey> {
    log_dir::check_trusted(log_dir).ok()?;
    secrets::load(log_dir).ok()?
}

fn shown_name(path: &Path) -> String {
    if is_stdin(path) { "(standard input)".to_owned() } else { path.display().to_string() }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if is_stdin(path) {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(File::open(path)?))
}

fn scan_folder(folder: &Path, scanner: &Scanner, found: &mut Found) {
    let mut files = match Files::of(folder) {
        Ok(files) => files,
        Err(error) => return found.trouble(folder, &error),
    };
    for (path, looked) in files.by_ref() {
        let opened = looked.and_then(|()| regular_file::open(&path));
        scan_one(&path, opened, scanner, found);
        if found.reader_is_gone {
            return;
        }
    }
    for objects in files.left_out() {
        let path = visible(&objects.display().to_string());
        output::note(format!("{path} is left out: git's objects are scanned when they are named"));
    }
}

fn scan_one(path: &Path, opened: io::Result<impl Read>, scanner: &Scanner, found: &mut Found) {
    found.file = shown_name(path);
    if let Err(error) = opened.and_then(|reader| scan(reader, scanner, found)) {
        found.trouble(path, &error);
    }
}

/// A file is one stream: a match may lie across any border of reads.
fn scan(mut reader: impl Read, scanner: &Scanner, found: &mut Found) -> io::Result<()> {
    let mut stream = scanner.open();
    let mut buffer = vec![0; SCAN_FILE_READ_BYTES];
    let mut padded = PaddedBuffer::new();
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        stream.feed(padded.fill(buffer.get(..count).unwrap_or_default()), found);
        if found.reader_is_gone {
            return Ok(());
        }
    }
    stream.finish(found);
    Ok(())
}

/// Prints matches as they come.
struct Found {
    format: ScanFormat,
    key: Option<FingerprintKey>,
    file: String,
    suppressions: Vec<Suppression>,
    count: u64,
    /// What a suppression covers is not among them.
    accepted: u64,
    has_trouble: bool,
    reader_is_gone: bool,
}

impl Default for Found {
    fn default() -> Found {
        Found {
            format: ScanFormat::Text,
            key: None,
            file: String::new(),
            suppressions: Vec::new(),
            count: 0,
            accepted: 0,
            has_trouble: false,
            reader_is_gone: false,
        }
    }
}

/// What is printed of a match.
struct Told<'a> {
    pattern: &'a str,
    threat_type: ThreatType,
    severity: Severity,
    confidence: Confidence,
    view: View,
    fingerprint: Option<Fingerprint>,
}

impl Found {
    fn line(&self, told: &Told<'_>, snippet: &str) -> String {
        let (pattern, threat_type) = (told.pattern, told.threat_type.as_str());
        match self.format {
            ScanFormat::Text => format!(
                "{}: {pattern} ({threat_type}): {}\n",
                visible(&self.file),
                visible(snippet)
            ),
            ScanFormat::Jsonl => {
                let mut line = json!({"file": self.file, "threat_type": threat_type,
                                      "pattern": pattern, "snippet": snippet,
                                      "severity": told.severity.as_str(),
                                      "confidence": told.confidence.as_str()});
                if let Some(object) = line.as_object_mut() {
                    if !told.view.is_plain() {
                        object.insert("view".to_owned(), json!(told.view.to_string()));
                    }
                    if let Some(fingerprint) = told.fingerprint {
                        object.insert("fingerprint".to_owned(), json!(fingerprint.to_string()));
                    }
                }
                format!("{line}\n")
            }
        }
    }

    fn trouble(&mut self, path: &Path, error: &io::Error) {
        output::error(format!("{}: {error}", visible(&path.display().to_string())));
        self.has_trouble = true;
    }

    fn tell(&mut self, told: &Told<'_>, snippet: &str) {
        let (rule, fingerprint) = (told.pattern, told.fingerprint);
        if accepted_anywhere(&self.suppressions, rule, fingerprint, SystemTime::now()) {
            self.accepted += 1;
            return;
        }
        self.count += 1;
        match output::piece(&self.line(told, snippet)) {
            Ok(true) => {}
            Ok(false) => self.reader_is_gone = true,
            Err(error) => {
                output::error(format!("cannot print: {error}"));
                self.has_trouble = true;
                self.reader_is_gone = true;
            }
        }
    }
}

impl MatchSink for Found {
    fn wants(&mut self, _found: &Match<'_>) -> bool {
        !self.reader_is_gone
    }

    fn found(&mut self, found: &Match<'_>, snippet: String) {
        let rule = found.rule;
        let told = Told {
            pattern: &rule.id,
            threat_type: rule.threat_type,
            severity: rule.severity,
            confidence: found.confidence,
            view: found.view,
            fingerprint: self.key.as_ref().map(|key| key.of(found.secret)),
        };
        self.tell(&told, &snippet);
    }

    fn watches(&self) -> bool {
        true
    }

    fn wants_known(&mut self, _found: &KnownMatch<'_>) -> bool {
        !self.reader_is_gone
    }

    fn found_known(&mut self, found: &KnownMatch<'_>, snippet: String) {
        let told = Told {
            pattern: KNOWN_VALUE_RULE,
            threat_type: ThreatType::Exfil,
            severity: found.severity(),
            confidence: found.confidence,
            view: found.view,
            fingerprint: found.fingerprint.filter(|_| self.key.is_some()),
        };
        self.tell(&told, &snippet);
    }

    fn gap(&mut self, gap: Gap) {
        self.has_trouble = true;
        let what = match gap {
            Gap::UnscannedBytes(count) => format!("{count} bytes could not be scanned"),
            Gap::UnconfirmedHits(count) => format!("{count} possible matches were not looked at"),
            Gap::Undecodable(reason) => reason.to_string(),
            Gap::Unreadable(reason) => reason.to_string(),
            Gap::Undecoded(count) => format!("{count} bytes were scanned as they stand only"),
        };
        output::error(format!("{}: {what}", self.file));
    }
}

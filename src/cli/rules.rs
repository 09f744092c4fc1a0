//! `clawsec rules`: what is looked for, with the examples that are the rules' tests.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::arguments::CommonArguments;
use super::output::visible;
use super::{EXIT_USAGE, exit_code, load_common, output, rules_test};
use crate::finding::ThreatType;
use crate::rulebook;
use crate::scan::Rule;
use crate::scan::rules::{is_like, is_shipped};

/// `clawsec rules`.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RulesArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    /// How they are printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub format: RulesFormat,
    /// The rules of this pack, whether or not it is on (may be repeated)
    #[arg(long, value_name = "NAME")]
    pub pack: Vec<String>,
    /// Rules of this kind only
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    pub threat_type: Option<RulesType>,
    /// Ids; * stands for any characters
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    #[command(subcommand)]
    pub command: Option<RulesCommand>,
}

/// What else about rules.
#[derive(Clone, Debug, Subcommand)]
pub enum RulesCommand {
    /// Check files of rules, and their rules with their own examples
    Test {
        /// Files in TOML, as rules_files names them
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}

/// How rules are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RulesFormat {
    /// For people, with the first examples
    Table,
    /// One array, with all examples and counter-examples
    Json,
}

/// What rules look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RulesType {
    /// Data that leaves
    Exfil,
    /// Commands that arrive
    Injection,
}

/// Runs the command.
pub fn run(arguments: &RulesArguments) -> ExitCode {
    if let Some(RulesCommand::Test { files }) = &arguments.command {
        return rules_test::run(files);
    }
    let mut rules = match load_common(&arguments.common) {
        Ok(config) => config.rules,
        Err(code) => return code,
    };
    if !arguments.pack.is_empty() {
        rules.packs.clone_from(&arguments.pack);
        rules.files.clear();
        // What is left out of the user's own rules is nothing of these.
        rules.disable.retain(|pattern| is_shipped(pattern));
    }
    let selected = match rulebook::select(&rules) {
        Ok(selected) => selected,
        Err(error) => {
            output::error(error);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    selected.warnings.iter().for_each(output::warning);
    let shown: Vec<&Arc<Rule>> =
        selected.rules.iter().filter(|rule| is_asked_for(arguments, rule)).collect();
    if shown.is_empty() {
        output::error("no rule is like that");
        return ExitCode::FAILURE;
    }
    let text = match arguments.format {
        RulesFormat::Table => shown.iter().map(|rule| paragraph(rule)).collect(),
        RulesFormat::Json => {
            format!("{:#}\n", shown.iter().map(|rule| object(rule)).collect::<Value>())
        }
    };
    exit_code(output::print(&text).map(|()| ExitCode::SUCCESS))
}

fn is_asked_for(arguments: &RulesArguments, rule: &Rule) -> bool {
    let is_of_type = match arguments.threat_type {
        None => true,
        Some(RulesType::Exfil) => rule.threat_type == ThreatType::Exfil,
        Some(RulesType::Injection) => rule.threat_type == ThreatType::Injection,
    };
    let ids = &arguments.ids;
    is_of_type && (ids.is_empty() || ids.iter().any(|pattern| is_like(pattern, &rule.id)))
}

fn paragraph(rule: &Rule) -> String {
    let mut text = format!(
        "{:<32} {:<9} {:<8} {}\n",
        rule.id,
        rule.threat_type.as_str(),
        rule.severity.as_str(),
        visible(&rule.pack),
    );
    let masked = if rule.is_secret { " (masked in findings)" } else { "" };
    let mut line = |word: &str, value: &str| {
        if !value.is_empty() {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "  {word:>8}  {}", visible(value));
        }
    };
    line("what", &format!("{}{masked}", rule.description));
    line("to do", &rule.remediation);
    line("source", &rule.source);
    line("only", rule.direction.map_or("", |direction| direction.as_str()));
    for (word, examples) in [("finds", &rule.examples), ("not", &rule.negative_examples)] {
        examples.iter().take(2).for_each(|example| line(word, example));
    }
    text.push('\n');
    text
}

fn object(rule: &Rule) -> Value {
    json!({
        "id": &*rule.id,
        "pack": &*rule.pack,
        "threat_type": rule.threat_type.as_str(),
        "severity": rule.severity.as_str(),
        "confidence": rule.confidence.as_str(),
        "direction": rule.direction.map_or("both", |direction| direction.as_str()),
        "description": rule.description,
        "remediation": rule.remediation,
        "source": rule.source,
        "expression": rule.expression.text(),
        "secret": rule.is_secret,
        "examples": rule.examples,
        "negative_examples": rule.negative_examples,
    })
}

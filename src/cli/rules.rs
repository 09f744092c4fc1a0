//! `clawsec rules`: what is looked for, with the examples that are the rules' tests.

use std::fmt::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::arguments::CommonArguments;
use super::output::visible;
use super::{exit_code, load_common, output};
use crate::scan::Rule;
use crate::scan::rules::default_rules;

/// `clawsec rules`.
#[derive(Clone, Debug, Args)]
pub struct RulesArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    /// How they are printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub format: RulesFormat,
}

/// How rules are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RulesFormat {
    /// For people, with the first examples
    Table,
    /// One array, with all examples and counter-examples
    Json,
}

/// Runs the command.
pub fn run(arguments: &RulesArguments) -> ExitCode {
    if let Err(code) = load_common(&arguments.common) {
        return code;
    }
    let rules = match default_rules() {
        Ok(rules) => rules,
        Err(errors) => {
            errors.iter().for_each(output::error);
            return ExitCode::FAILURE;
        }
    };
    let text = match arguments.format {
        RulesFormat::Table => rules.iter().map(|rule| paragraph(rule)).collect(),
        RulesFormat::Json => {
            format!("{:#}\n", rules.iter().map(|rule| object(rule)).collect::<Value>())
        }
    };
    exit_code(output::print(&text).map(|()| ExitCode::SUCCESS))
}

fn paragraph(rule: &Rule) -> String {
    let mut text = format!(
        "{:<16} {:<9}  {}{}\n",
        rule.id,
        rule.threat_type.as_str(),
        rule.description,
        if rule.is_secret { " (masked in findings)" } else { "" },
    );
    for (word, examples) in [("finds", &rule.examples), ("not", &rule.negative_examples)] {
        for example in examples.iter().take(2) {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "  {word:>24}  {}", visible(example));
        }
    }
    text.push('\n');
    text
}

fn object(rule: &Rule) -> Value {
    json!({
        "id": &*rule.id,
        "threat_type": rule.threat_type.as_str(),
        "description": rule.description,
        "expression": rule.expression.text(),
        "secret": rule.is_secret,
        "examples": rule.examples,
        "negative_examples": rule.negative_examples,
    })
}

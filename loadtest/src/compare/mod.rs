//! placeholder
use clap::Args;
use crate::Outcome;
#[derive(Args)]
pub struct CompareArguments {}
pub fn run(_: &CompareArguments) -> Outcome<()> { Ok(()) }

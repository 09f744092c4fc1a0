//! `clawsec threats`: the last findings as a JSON array, newest first. Changes nothing.

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use super::arguments::ThreatsArguments;
use super::{load_common, log_dir, output};
use crate::report::THREATS_FILE_NAME;
use crate::report::tail;

/// Runs the command.
pub fn run(arguments: &ThreatsArguments) -> ExitCode {
    let config = match load_common(&arguments.common) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let printed = last(&config.report.log_dir, limit).and_then(|(text, skipped)| {
        output::result(&text).map_err(|error| format!("cannot print: {error}"))?;
        if skipped > 0 {
            output::warning(format!("{skipped} unreadable lines of {THREATS_FILE_NAME} skipped"));
        }
        Ok(())
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            output::error(message);
            ExitCode::FAILURE
        }
    }
}

/// The array, and how many lines are missing in it because they could not be read.
fn last(log_dir: &Path, limit: usize) -> Result<(String, usize), String> {
    let path = log_dir.join(THREATS_FILE_NAME);
    let tail = tail::last(&path, limit).map_err(|error| log_dir::unreadable(&path, &error))?;
    Ok((format!("{:#}\n", Value::Array(tail.threats)), tail.skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_an_empty_array() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last(folder.path(), 10).unwrap(), ("[]\n".to_string(), 0));
        assert_eq!(last(&folder.path().join("none"), 10).unwrap().0, "[]\n");
    }

    #[test]
    fn the_newest_come_first_indented_by_two_with_their_fields_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let lines = "{\"z\":1,\"a\":\"x\"}\n{\"z\":2}\nrubbish\n{\"z\":3}\n";
        std::fs::write(folder.path().join(THREATS_FILE_NAME), lines).unwrap();
        let (text, skipped) = last(folder.path(), 10).unwrap();
        let expected = "[\n  {\n    \"z\": 3\n  },\n  {\n    \"z\": 2\n  },\n  {\n    \"z\": 1,\n    \
                        \"a\": \"x\"\n  }\n]\n";
        assert_eq!((text.as_str(), skipped), (expected, 1));
        assert_eq!(last(folder.path(), 1).unwrap().0, "[\n  {\n    \"z\": 3\n  }\n]\n");
        assert_eq!(last(folder.path(), 0).unwrap().0, "[]\n");
    }

    #[test]
    fn a_folder_in_its_place_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(THREATS_FILE_NAME)).unwrap();
        assert!(last(folder.path(), 1).unwrap_err().contains("threats.jsonl"));
    }
}

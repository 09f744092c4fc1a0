//! `clawsec hash-secret`: a secret on standard input, its hash for `proxy_auth` on standard output. A secret is
//! no argument: those are for everybody on the machine to see.

use std::io::{self, BufRead, IsTerminal, Read, Stdin};
use std::process::ExitCode;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::{exit_code, output};
use crate::limits::SECRET_MAX_BYTES;
use crate::secret_hash::SecretHash;

/// Runs the command.
pub fn run() -> ExitCode {
    let printed = read_secret()
        .and_then(|secret| SecretHash::of(&secret))
        .and_then(|hash| output::print(&format!("{}\n", hash.as_str())));
    exit_code(printed.map(|()| ExitCode::SUCCESS))
}

fn read_secret() -> Result<Vec<u8>, String> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return one_line(&stdin);
    }
    let secret = unseen("secret: ", &stdin)?;
    match unseen("again: ", &stdin)? == secret {
        true => Ok(secret),
        false => Err("the two are not the same".to_owned()),
    }
}

/// The first line, without its end.
fn one_line(from: &Stdin) -> Result<Vec<u8>, String> {
    let mut line = Vec::new();
    let bounded = from.lock().take(SECRET_MAX_BYTES as u64 + 2);
    io::BufReader::new(bounded)
        .read_until(b'\n', &mut line)
        .map_err(|error| format!("cannot read the secret: {error}"))?;
    checked(line)
}

fn checked(mut line: Vec<u8>) -> Result<Vec<u8>, String> {
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    match line.len() {
        0 => Err("there is no secret on standard input".to_owned()),
        1..=SECRET_MAX_BYTES => Ok(line),
        _ => Err(format!("a secret has at most {SECRET_MAX_BYTES} bytes")),
    }
}

/// A line typed at the terminal, which does not show it.
fn unseen(prompt: &str, terminal: &Stdin) -> Result<Vec<u8>, String> {
    let failed = |errno: rustix::io::Errno| format!("the terminal cannot be set: {errno}");
    let shown = tcgetattr(terminal).map_err(failed)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    output::prompt(prompt);
    tcsetattr(terminal, OptionalActions::Flush, &hidden).map_err(failed)?;
    let line = one_line(terminal);
    tcsetattr(terminal, OptionalActions::Flush, &shown).map_err(failed)?;
    output::prompt("\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_line_without_its_end_up_to_a_bound() {
        assert_eq!(checked(b"invented\n".to_vec()).unwrap(), b"invented");
        assert_eq!(checked(b"invented\r\n".to_vec()).unwrap(), b"invented");
        assert_eq!(checked(b" in vented".to_vec()).unwrap(), b" in vented");
        assert!(checked(b"\n".to_vec()).is_err() && checked(Vec::new()).is_err());
        assert!(checked(vec![b'x'; SECRET_MAX_BYTES]).is_ok());
        assert!(checked(vec![b'x'; SECRET_MAX_BYTES + 1]).is_err());
    }
}

//! Runs other programs to their end, never longer than the deadline.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::DEADLINE;

/// What a finished program left.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Fails, showing everything, unless the program exited with 0.
    pub fn expect_success(self, what: &str) -> Outcome {
        assert_eq!(self.code, Some(0), "{what}: {}\n{}", self.stdout, self.stderr);
        self
    }

    /// Both outputs.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs a command with no input to its end.
pub fn run(command: &mut Command) -> Outcome {
    run_for(command, 3 * DEADLINE)
}

/// The same with this input, which then stays open.
pub fn run_with_input(command: &mut Command, input: &str) -> Outcome {
    run_fed(command, Some(input), 3 * DEADLINE)
}

/// The same, killed (and failing the test) after `limit`.
pub fn run_for(command: &mut Command, limit: Duration) -> Outcome {
    run_fed(command, None, limit)
}

fn run_fed(command: &mut Command, input: Option<&str>, limit: Duration) -> Outcome {
    let mut child = command
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take();
    if let (Some(stdin), Some(input)) = (&mut stdin, input) {
        // A program that ended early has closed it: its output tells why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let stdout = drain(child.stdout.take().unwrap());
    let stderr = drain(child.stderr.take().unwrap());
    let code = wait_child(&mut child, limit);
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    let Some(code) = code else {
        panic!("{command:?} ran longer than {limit:?}:\n{stdout}\n{stderr}");
    };
    Outcome { code, stdout, stderr }
}

/// Waits for a child, killing it after `limit`: its exit code, or `None` where it had to be killed.
pub fn wait_child(child: &mut Child, limit: Duration) -> Option<Option<i32>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code());
        }
        if started.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn drain(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

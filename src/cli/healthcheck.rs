//! `clawsec healthcheck`: whether the monitor serves, in one exit code, for containers and service managers.
//! Asks; changes nothing.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::arguments::CommonArguments;
use super::monitor::{self, Monitor, said_of};
use super::{exit_code, load, output};
use crate::config::Config;
use crate::limits::{DOCTOR_ANSWER_BYTES, DOCTOR_CONNECT_MS};
use crate::report::state::State;

/// Runs the command.
pub fn run(arguments: &CommonArguments) -> ExitCode {
    // Warnings are the start's to say: here they would be said every few seconds.
    let config = match load(arguments.config.as_deref(), arguments.overrides()) {
        Ok((config, _)) => config,
        Err(error) => {
            output::error(error);
            return ExitCode::FAILURE;
        }
    };
    exit_code(
        examine(&config)
            .and_then(|words| output::print(&format!("{words}\n")).map(|()| ExitCode::SUCCESS)),
    )
}

/// One line of how it is; an error if it does not serve.
fn examine(config: &Config) -> Result<String, String> {
    let state = match monitor::look(&config.report.log_dir)? {
        Monitor::Running(state) => state,
        Monitor::Starting => return Err("unhealthy: just starting".to_owned()),
        Monitor::Stopped => return Err("unhealthy: not running".to_owned()),
        Monitor::Original { pid } => {
            return Err(format!("unhealthy: the original in Python runs (PID {pid})"));
        }
    };
    if let Some(address) = address_of(state.listeners.admin.as_deref()) {
        return ask(address, "/healthz").and_then(|_| ask(address, "/readyz")).map(healthy);
    }
    probe(&state).map(healthy)
}

fn healthy(words: String) -> String {
    format!("healthy: {words}")
}

/// Has a running monitor that has an admin listener write down what it counts by now. Best effort: without, what is
/// there is half a second old.
pub fn freshen(log_dir: &Path) {
    if let Ok(Monitor::Running(state)) = monitor::look(log_dir)
        && let Some(address) = address_of(state.listeners.admin.as_deref())
    {
        let _ = request(address, "/status");
    }
}

fn address_of(listener: Option<&str>) -> Option<SocketAddr> {
    listener?.parse().ok().map(monitor::client_address)
}

/// Asks the admin listener: its words, an error unless they come with 200.
fn ask(address: SocketAddr, path: &str) -> Result<String, String> {
    let unreached = |error: io::Error| format!("unhealthy: {address}{path}: {}", said_of(&error));
    let answer = request(address, path).map_err(unreached)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let words = body.trim_end().to_owned();
    match head.split(' ').nth(1) {
        Some("200") => Ok(words),
        _ => Err(format!("unhealthy: {words}")),
    }
}

fn request(address: SocketAddr, path: &str) -> io::Result<String> {
    let timeout = Duration::from_millis(DOCTOR_CONNECT_MS);
    let mut connection = TcpStream::connect_timeout(&address, timeout)?;
    connection.set_read_timeout(Some(timeout))?;
    connection.set_write_timeout(Some(timeout))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    connection.take(DOCTOR_ANSWER_BYTES as u64).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Without an admin listener: does it accept connections?
fn probe(state: &State) -> Result<String, String> {
    let listener = state.listeners.proxy.as_deref().or(state.listeners.gateway.as_deref());
    let Some(address) = address_of(listener) else {
        return Err("unhealthy: it listens nowhere".to_owned());
    };
    match TcpStream::connect_timeout(&address, Duration::from_millis(DOCTOR_CONNECT_MS)) {
        Ok(_) => Ok(format!("accepts connections on {address}")),
        Err(error) => Err(format!("unhealthy: {address}: {error}")),
    }
}

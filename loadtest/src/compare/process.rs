//! Child processes that are pinned to a core and never outlive this one.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::stop;
use crate::Outcome;

/// How long a process may take until it listens.
const START_MAX: Duration = Duration::from_secs(30);
/// How long it may take to end after SIGTERM, before SIGKILL.
const STOP_MAX: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(20);

/// How children are run.
#[derive(Clone, Copy, Debug)]
pub struct Placement {
    /// The only cores that they may use; all when empty.
    pub cores: [Option<usize>; 2],
    pub realtime: bool,
    /// Whether it only runs while the others have nothing to do, which takes `realtime`.
    pub is_behind: bool,
}

impl Placement {
    /// On any core, at the usual priority.
    pub const ANYWHERE: Placement =
        Placement { cores: [None, None], realtime: false, is_behind: false };

    /// The same, but behind the others of its cores.
    pub fn behind(self) -> Placement {
        Placement { is_behind: true, ..self }
    }
}

/// A child that is ended when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: RefCell<Child>,
}

impl Process {
    /// Starts a program, its output going to `log`.
    pub fn start(
        program: &Path,
        args: &[String],
        placement: Placement,
        log: &Path,
    ) -> Outcome<Process> {
        let mut command = command(program, args, placement);
        let log = File::create(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Process { child: RefCell::new(spawn(&mut command, placement)?) })
    }

    /// Starts a program and waits for the first line of its output. Its standard input is a pipe, whose end
    /// tells it that this process is gone.
    pub fn start_announced(
        program: &Path,
        args: &[String],
        placement: Placement,
    ) -> Outcome<(Process, String)> {
        let mut command = command(program, args, placement);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).env("LOADTEST_PARENT", "pipe");
        let mut child = spawn(&mut command, placement)?;
        let output = child.stdout.take().ok_or("no output to read")?;
        let process = Process { child: RefCell::new(child) };
        let (send, receive) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(output).read_line(&mut line);
            let _ = send.send(read.map(|_| line));
        });
        match receive.recv_timeout(START_MAX) {
            Ok(Ok(line)) if line.ends_with('\n') => Ok((process, line)),
            Ok(Ok(_)) => Err("it ended before it said anything (its own words are above)".into()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err("it did not start in time".into()),
        }
    }

    /// Runs a program to its end, which may take so long; its standard output, when it went well.
    pub fn output(
        program: &Path,
        args: &[String],
        placement: Placement,
        longest: Duration,
    ) -> Outcome<Vec<u8>> {
        let output = Process::to_end(program, args, placement, longest)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        match String::from_utf8_lossy(&output.stderr).trim() {
            "" => Err(format!("{}: {}", program.display(), output.status).into()),
            said => Err(said.to_owned().into()),
        }
    }

    /// The same, whether or not it went well.
    pub fn to_end(
        program: &Path,
        args: &[String],
        placement: Placement,
        longest: Duration,
    ) -> Outcome<Output> {
        let mut command = command(program, args, placement);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(&mut command, placement)?;
        let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
        // Dropped on every way out, which ends the child.
        let process = Process { child: RefCell::new(child) };
        let began = Instant::now();
        let status = loop {
            if let Some(status) = process.child.borrow_mut().try_wait()? {
                break status;
            }
            stop::check()?;
            if began.elapsed() > longest {
                let name = program.display();
                return Err(format!("{name} was not done in {} s", longest.as_secs()).into());
            }
            thread::sleep(POLL);
        };
        let read = |reader: thread::JoinHandle<Vec<u8>>| reader.join().unwrap_or_default();
        Ok(Output { status, stdout: read(stdout), stderr: read(stderr) })
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        matches!(self.child.borrow_mut().try_wait(), Ok(None))
    }

    pub fn pid(&self) -> u32 {
        self.child.borrow().id()
    }

    /// Waits until the address takes connections.
    pub fn listens(&mut self, address: SocketAddr) -> Outcome<()> {
        self.wait(|| TcpStream::connect(address).ok()).map(drop)
    }

    /// Waits until `ready` gives something, as long as the process lives.
    pub fn wait<T>(&mut self, ready: impl Fn() -> Option<T>) -> Outcome<T> {
        let began = Instant::now();
        while began.elapsed() < START_MAX {
            stop::check()?;
            if let Some(status) = self.child.get_mut().try_wait()? {
                return Err(format!("it ended while starting ({status})").into());
            }
            if let Some(ready) = ready() {
                return Ok(ready);
            }
            thread::sleep(POLL);
        }
        Err("it did not start in time".into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid
            && matches!(child.try_wait(), Ok(None))
        {
            let _ = kill_process(pid, Signal::TERM);
        }
        let began = Instant::now();
        while began.elapsed() < STOP_MAX {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(POLL);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Reads a pipe to its end.
fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut all);
        }
        all
    })
}

/// The program, behind those that set its priority and tie its life to ours. Each of them becomes the next, so
/// that the PID stays.
fn command(program: &Path, args: &[String], placement: Placement) -> Command {
    let mut words: Vec<String> = Vec::new();
    if find("setpriv").is_some() {
        words.extend(["setpriv", "--pdeathsig", "KILL"].map(str::to_owned));
    }
    if placement.realtime {
        let priority = if placement.is_behind { "5" } else { "10" };
        words.extend(["chrt", "-f", priority].map(str::to_owned));
    }
    words.push(program.to_string_lossy().into_owned());
    words.extend_from_slice(args);
    let mut words = words.into_iter();
    let mut command = Command::new(words.next().unwrap_or_default());
    // A group of its own: what is typed at the terminal reaches this process alone, which ends its children.
    command.args(words).process_group(0);
    command
}

/// A child has the affinity of the thread that makes it, from its first instruction on.
fn spawn(command: &mut Command, placement: Placement) -> Outcome<Child> {
    let own = sched_getaffinity(None)?;
    let mut wanted = CpuSet::new();
    for core in placement.cores.into_iter().flatten().filter(|core| *core < CpuSet::MAX_CPU) {
        wanted.set(core);
    }
    if wanted.count() > 0 {
        sched_setaffinity(None, &wanted)?;
    }
    let child = command.spawn();
    sched_setaffinity(None, &own)?;
    child.map_err(|error| format!("{:?}: {error}", command.get_program()).into())
}

/// Where a program is: in PATH, or where administrators' programs are.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(usual)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// A port of 127.0.0.1 that was free just now.
pub fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

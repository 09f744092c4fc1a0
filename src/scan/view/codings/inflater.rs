//! All codings of one body, undone piece by piece into a buffer of the caller's.

use std::fmt;

use super::aws_chunked::AwsChunked;
use super::brotli::Brotli;
use super::deflate::Deflate;
use super::gzip::Gzip;
use super::{Allowance, Coding, Codings, Engine, Run, Undecodable, Zstd};
use crate::limits::{CODING_BETWEEN_BYTES, CODING_TURN_BYTES, CODING_TURN_RUNS};

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes taken of the input. What was not is to be given again.
    pub taken: usize,
    /// Bytes written to the front of the output.
    pub written: usize,
    /// Whether there may be more inside: call again, even with nothing.
    pub has_more: bool,
}

/// What undoes the codings of one body. Holds up to `CODING_MEMORY_MAX_BYTES` a coding: gzip and deflate 46 KiB;
/// zstd 8.5 MiB and brotli 16 MiB, 24 while its window grows, and both only for a body that asks for it.
pub struct Inflater {
    /// The coding that was applied last stands first.
    stages: Vec<Stage>,
    /// Why the rest of the body cannot be read.
    lost: Option<Undecodable>,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("lost", &self.lost).finish_non_exhaustive()
    }
}

/// One coding and what waits before it.
struct Stage {
    engine: Box<dyn Engine>,
    /// What the stage before wrote; the first reads the caller's input.
    waiting: Waiting,
    /// Whether any byte came here.
    is_begun: bool,
    failure: Option<Undecodable>,
}

/// Bytes between two stages.
#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    fn take(&mut self, len: usize) {
        self.start += len;
        if self.start >= self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    fn room(&mut self) -> &mut [u8] {
        self.bytes.resize(CODING_BETWEEN_BYTES, 0);
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }
}

impl Inflater {
    /// At the first byte of a body.
    pub fn new(codings: &Codings) -> Inflater {
        let stages = codings.applied().iter().rev().map(|coding| Stage {
            engine: engine(*coding),
            waiting: Waiting::default(),
            is_begun: false,
            failure: None,
        });
        Inflater { stages: stages.collect(), lost: None }
    }

    /// Goes on until the input is used up or the output full. The output is of any size but zero.
    pub fn step(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        allowance: &mut Allowance,
    ) -> Result<Progress, Undecodable> {
        if let Some(reason) = self.lost {
            return Err(reason);
        }
        if self.stages.is_empty() {
            return Ok(copy(input, output));
        }
        let mut progress = Progress::default();
        let (mut between, mut runs) = (0, 0);
        loop {
            let rest = input.get(progress.taken..).unwrap_or_default();
            let room = output.get_mut(progress.written..).unwrap_or_default();
            if room.is_empty() || between >= CODING_TURN_BYTES || runs == CODING_TURN_RUNS {
                progress.has_more = true;
                return Ok(progress);
            }
            runs += 1;
            let moved = self.pass(rest, room, allowance);
            progress.taken += moved.taken;
            progress.written += moved.written;
            between += moved.between;
            if let Some(reason) = moved.failure {
                return self.lose(reason, progress);
            }
            if moved == Moved::default() {
                return match self.stages.iter().find_map(|stage| stage.failure) {
                    Some(reason) => self.lose(reason, progress),
                    None => Ok(progress),
                };
            }
        }
    }

    /// At the end of the body: the rest of it, then whether it was whole. To be called until there is no more.
    pub fn finish(
        &mut self,
        output: &mut [u8],
        allowance: &mut Allowance,
    ) -> Result<Progress, Undecodable> {
        let progress = self.step(&[], output, allowance)?;
        let is_whole = |stage: &Stage| !stage.is_begun || stage.engine.is_complete();
        if progress.has_more || self.stages.iter().all(is_whole) {
            return Ok(progress);
        }
        self.lose(Undecodable::Truncated, progress)
    }

    /// Each stage once, the last first, so that what lies between them moves on before more comes.
    fn pass(&mut self, input: &[u8], output: &mut [u8], allowance: &mut Allowance) -> Moved {
        let mut moved = Moved::default();
        for at in (0..self.stages.len()).rev() {
            if let Err(reason) = allowance.check() {
                moved.failure = Some(reason);
                return moved;
            }
            let Some((stages, behind)) = self.stages.split_at_mut_checked(at + 1) else { break };
            let Some(stage) = stages.last_mut() else { break };
            let from = (at == 0).then_some(input);
            let run = match behind.first_mut() {
                None => stage.run(from, output),
                Some(next) if next.waiting.is_empty() => stage.run(from, next.waiting.room()),
                Some(_) => Run::default(),
            };
            allowance.spend(run.written);
            if at == 0 {
                moved.taken = run.taken;
            } else {
                moved.between += run.taken;
            }
            match behind.first_mut() {
                None => moved.written = run.written,
                Some(next) => {
                    next.waiting.end += run.written;
                    moved.between += run.written;
                }
            }
        }
        moved
    }

    /// What was written is told first, and the loss with the next step.
    fn lose(&mut self, reason: Undecodable, progress: Progress) -> Result<Progress, Undecodable> {
        self.lost = Some(reason);
        // Nothing will be read any more: the windows go.
        self.stages.clear();
        if progress.written > 0 {
            return Ok(Progress { has_more: true, ..progress });
        }
        Err(reason)
    }
}

/// What one pass over the stages did.
#[derive(Default, PartialEq, Eq)]
struct Moved {
    taken: usize,
    written: usize,
    between: usize,
    failure: Option<Undecodable>,
}

impl Stage {
    fn run(&mut self, input: Option<&[u8]>, output: &mut [u8]) -> Run {
        if self.failure.is_some() {
            return Run::default();
        }
        let from = input.unwrap_or_else(|| self.waiting.filled());
        self.is_begun |= !from.is_empty();
        let run = self.engine.run(from, output);
        if input.is_none() {
            self.waiting.take(run.taken);
        }
        self.failure = run.failure;
        run
    }
}

fn engine(coding: Coding) -> Box<dyn Engine> {
    match coding {
        Coding::Gzip => Box::new(Gzip::new()),
        Coding::Deflate => Box::new(Deflate::new()),
        Coding::Brotli => Box::new(Brotli::new()),
        Coding::Zstd => Box::new(Zstd::new()),
        Coding::AwsChunked => Box::new(AwsChunked::new()),
    }
}

fn copy(input: &[u8], output: &mut [u8]) -> Progress {
    let len = input.len().min(output.len());
    for (to, from) in output.iter_mut().zip(input) {
        *to = *from;
    }
    Progress { taken: len, written: len, has_more: false }
}

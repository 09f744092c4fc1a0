//! What comes again in a body: read block by block, and a block that is known to be clean where it stands is passed over.
//! Before anything else is read behind such blocks, the reader is given the last of them again, so that a match
//! which begins in them is found as ever; one that begins before them is not. The start of a block behind them waits for
//! its rest where that is on its way: who feeds it says when nothing more is there.

use std::collections::VecDeque;

use super::json::Said;
use crate::limits::{
    CLEAN_BLOCK_AWAITED_FROM_BYTES, CLEAN_BLOCK_MAX_BYTES, CLEAN_BLOCKS_FROM_BYTES,
};
use crate::scan::clean_blocks::{
    CleanBlocks, Context, Digest, Outcome, Reading, Standing, block_end, said_by,
};
use crate::scan::found::{Listening, Muted};
use crate::scan::padded::Padded;
use crate::scan::scanner::Core;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::json::Unescaper;

/// Who can go on behind what it did not read.
pub(super) trait BlockReader {
    /// Where it stands; none within an escape.
    fn standing(&self) -> Option<Standing>;
    /// Whether what it reads next depends on no more than the last blocks.
    fn is_settled(&self) -> bool;
    /// The next bytes; `more`: others follow at once.
    fn read(&mut self, bytes: Padded<'_>, more: bool, scope: &mut Scope<'_>);
    /// The end.
    fn finish(&mut self, scope: &mut Scope<'_>);
    /// Stands there, so many bytes further on.
    fn jump(&mut self, to: Standing, bytes: u64);
}

/// The blocks of one content.
#[derive(Default)]
pub(super) struct Repeats {
    blocks: Option<Box<Blocks>>,
    is_begun: bool,
}

/// What is known of the last blocks, and of the one under way.
struct Blocks {
    context: Context,
    /// The beginning of the block under way.
    held: Vec<u8>,
    /// Whether the reader was not given that yet.
    is_unread: bool,
    /// Where a block was begun to be read, and whether nothing was heard since.
    from: Option<Standing>,
    is_clean: bool,
    /// Whether what seemed to be JSON turned out in it to be none: what its bytes say is not known by them alone.
    is_lost: bool,
    /// Whether a further block may be read by itself, to see whether it is clean.
    may_try: bool,
    /// Whether a block was passed over: of what is new behind it, it is likely that it comes again.
    goes_on: bool,
    passed: Option<Passed>,
}

/// What was passed over since the reader stopped.
struct Passed {
    bytes: u64,
    /// The last blocks, and where each is to be read from.
    last: VecDeque<(Vec<u8>, Standing)>,
    /// Where the reader would stand now.
    to: Standing,
}

/// What is known of a block.
#[derive(Clone, Copy, Default)]
struct Known {
    /// None if it cannot be told from others.
    own: Option<Digest>,
    /// Behind the last blocks; none if it is unlikely to come again, or if they say too little.
    behind: Option<Digest>,
    outcome: Option<Outcome>,
}

impl Repeats {
    /// Of what does not stand at the front of its content.
    pub(super) fn behind() -> Repeats {
        Repeats { blocks: None, is_begun: true }
    }

    /// Gives the reader the next bytes that are to be read.
    pub(super) fn feed(
        &mut self,
        reader: &mut impl BlockReader,
        bytes: Padded<'_>,
        place: Place,
        scope: &mut Scope<'_>,
    ) {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        let is_long = bytes.len() >= CLEAN_BLOCKS_FROM_BYTES && scope.core.remembers.get();
        if self.blocks.is_none() && is_long && place.depth == 0 && !place.is_joined {
            self.blocks = Some(Box::new(Blocks::new(is_first)));
        }
        match &mut self.blocks {
            Some(blocks) => blocks.feed(reader, bytes, scope),
            None => reader.read(bytes, false, scope),
        }
    }

    /// The reader is to be where it would be.
    pub(super) fn catch_up(&mut self, reader: &mut impl BlockReader, scope: &mut Scope<'_>) {
        if let Some(blocks) = &mut self.blocks {
            blocks.catch_up(reader, scope);
        }
    }

    /// Whether the start of a block waits for its rest.
    pub(super) fn waits(&self) -> bool {
        self.blocks.as_ref().is_some_and(|blocks| blocks.is_unread)
    }

    /// Nothing more comes at once: nothing waits any more.
    pub(super) fn settle(&mut self, reader: &mut impl BlockReader, scope: &mut Scope<'_>) {
        if let Some(blocks) = self.blocks.as_mut().filter(|blocks| blocks.is_unread) {
            blocks.catch_up(reader, scope);
        }
    }

    /// The end, of the reader as well. Afterwards both are spent.
    pub(super) fn finish(&mut self, reader: &mut impl BlockReader, scope: &mut Scope<'_>) {
        match std::mem::take(self).blocks {
            Some(mut blocks) => blocks.finish(reader, scope),
            None => reader.finish(scope),
        }
    }
}

impl Blocks {
    fn new(is_from_start: bool) -> Blocks {
        Blocks {
            context: Context::new(is_from_start),
            held: Vec::new(),
            is_unread: false,
            from: None,
            is_clean: false,
            is_lost: false,
            may_try: true,
            goes_on: false,
            passed: None,
        }
    }

    fn feed(&mut self, reader: &mut impl BlockReader, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        let part = |from: usize, to: usize| bytes.slice(from..to).unwrap_or_default();
        let has_more = |to: usize| to < bytes.len();
        let mut at = 0;
        self.may_try = true;
        if !self.held.is_empty() {
            at = self.feed_held(reader, bytes, scope);
        }
        // What is new is read together, and what has something in it: a flood is bounded by what is read at once.
        let mut read_to = at;
        while let Some(len) = bytes.bytes().get(at..).and_then(|rest| block_end(rest, rest.len())) {
            let block = part(at, at + len);
            let unread = part(read_to, at);
            if self.take(reader, (unread, block, has_more(at + len)), scope) {
                read_to = at + len;
            }
            at += len;
        }
        self.read(reader, part(read_to, at), has_more(at), scope);
        let rest = part(at, bytes.len());
        if rest.is_empty() {
            return;
        }
        self.held.extend_from_slice(rest.bytes());
        self.is_unread = self.passed.is_some()
            && match scope.is_last {
                true => self.passes_end(scope).is_ok(),
                false => scope.may_wait && bytes.len() >= CLEAN_BLOCK_AWAITED_FROM_BYTES,
            };
        if !self.is_unread {
            self.begin_block(reader, scope);
            self.read(reader, rest, false, scope);
        }
    }

    /// Goes on with the block under way; returns how many of these bytes are of it.
    fn feed_held(
        &mut self,
        reader: &mut impl BlockReader,
        bytes: Padded<'_>,
        scope: &mut Scope<'_>,
    ) -> usize {
        let before = self.held.len();
        let room = CLEAN_BLOCK_MAX_BYTES.saturating_sub(before);
        let new = bytes.bytes().get(..room).unwrap_or(bytes.bytes());
        self.held.extend_from_slice(new);
        let end = block_end(&self.held, new.len());
        self.held.truncate(end.unwrap_or(self.held.len()));
        let taken = self.held.len() - before;
        let more = taken < bytes.len();
        if !std::mem::take(&mut self.is_unread) {
            self.read(reader, bytes.slice(0..taken).unwrap_or_default(), more, scope);
            if end.is_some() {
                self.end_held(reader, scope);
            }
            return taken;
        }
        if end.is_none() && scope.is_last && self.passes_end(scope).is_ok() {
            self.is_unread = true;
            return taken;
        }
        let mut buffer = scope.core.take_buffer();
        let block = buffer.fill(&self.held);
        if end.is_none() {
            self.begin_block(reader, scope);
            self.read(reader, block, more, scope);
        } else {
            self.held.clear();
            if !self.take(reader, (Padded::default(), block, more), scope) {
                self.read(reader, block, more, scope);
            }
        }
        scope.core.return_buffer(buffer);
        taken
    }

    /// A whole block, behind what is still to be read. False: it is to be read with that.
    fn take(
        &mut self,
        reader: &mut impl BlockReader,
        (unread, block, has_more): (Padded<'_>, Padded<'_>, bool),
        scope: &mut Scope<'_>,
    ) -> bool {
        let known = self.look_up(block.bytes(), false, scope);
        let is_worth_it = match known.outcome {
            Some(Outcome::Clean { .. }) => true,
            Some(Outcome::Unclean) => false,
            None => self.may_try && known.behind.is_some(),
        };
        if !is_worth_it {
            self.context.add(known.own, said_by(block.bytes()));
            return false;
        }
        self.read(reader, unread, true, scope);
        if let Some(Outcome::Clean { from, to, said }) = known.outcome
            && self.stands_at(reader) == Some(from)
        {
            self.context.add(known.own, said);
            self.pass(block.bytes(), from, to);
            return true;
        }
        self.begin_block(reader, scope);
        self.read(reader, block, has_more, scope);
        self.end_block(known, block.bytes(), reader, scope.core);
        self.may_try = self.is_clean;
        true
    }

    /// The block is whole that was read in pieces.
    fn end_held(&mut self, reader: &mut impl BlockReader, scope: &mut Scope<'_>) {
        let mut held = std::mem::take(&mut self.held);
        let known = self.look_up(&held, false, scope);
        self.end_block(known, &held, reader, scope.core);
        held.clear();
        self.held = held;
    }

    /// The end of all.
    fn finish(&mut self, reader: &mut impl BlockReader, scope: &mut Scope<'_>) {
        let known = match self.passed.is_some() && (self.is_unread || self.held.is_empty()) {
            true => match self.passes_end(scope) {
                Ok(()) => return,
                Err(known) => known,
            },
            false => self.look_up(&self.held, true, scope),
        };
        self.catch_up(reader, scope);
        if self.held.is_empty() {
            self.begin_block(reader, scope);
        }
        self.listen(scope, |heard| reader.finish(heard));
        keep(known, self.from.filter(|_| self.is_clean).map(|at| (at, at)), 0, scope.core);
    }

    /// Whether what is held is known to be clean where all was passed over before it, and the end as well; if not,
    /// what is known of it.
    fn passes_end(&self, scope: &Scope<'_>) -> Result<(), Known> {
        let known = self.look_up(&self.held, true, scope);
        match (known.outcome, &self.passed) {
            (Some(Outcome::Clean { from, .. }), Some(passed)) if passed.to == from => Ok(()),
            _ => Err(known),
        }
    }

    /// What is known of a block that comes next. From now on it came.
    fn look_up(&self, block: &[u8], is_last: bool, scope: &Scope<'_>) -> Known {
        let is_watched = scope.core.known.is_some() && scope.sink.watches();
        let reading = Reading { is_watched, is_last };
        let known = with_memory(scope.core, |memory| {
            let own = memory.digest(block)?;
            if !self.goes_on && !memory.meet(own) {
                return Some(Known { own: Some(own), ..Known::default() });
            }
            let behind = memory.digest_behind(&self.context, own, reading);
            let outcome = behind.and_then(|behind| memory.outcome(behind));
            if self.goes_on && outcome.is_none() {
                memory.meet(own);
            }
            Some(Known { own: Some(own), behind, outcome })
        });
        known.flatten().unwrap_or_default()
    }

    /// Where the reader stands, or would if it had read all.
    fn stands_at(&self, reader: &impl BlockReader) -> Option<Standing> {
        self.passed.as_ref().map_or_else(|| settled_at(reader), |passed| Some(passed.to))
    }

    /// A block is begun to be read.
    fn begin_block(&mut self, reader: &mut impl BlockReader, scope: &mut Scope<'_>) {
        self.read_again(reader, scope);
        (self.from, self.is_clean, self.is_lost) = (settled_at(reader), true, false);
    }

    /// The block was read.
    fn end_block(&mut self, known: Known, block: &[u8], reader: &impl BlockReader, core: &Core) {
        let said = said_by(block);
        let is_clean = self.is_clean && !self.is_lost;
        let clean = self.from.zip(settled_at(reader)).filter(|_| is_clean);
        keep(known, clean, said, core);
        self.context.add(known.own.filter(|_| !self.is_lost), said);
    }

    /// Passes over a block, of which the context knows already.
    fn pass(&mut self, block: &[u8], from: Standing, to: Standing) {
        self.goes_on = true;
        let passed =
            self.passed.get_or_insert_with(|| Passed { bytes: 0, last: VecDeque::new(), to });
        passed.bytes += block.len() as u64;
        passed.to = to;
        let mut kept = Vec::new();
        while passed.last.len() >= self.context.len().max(1)
            && let Some((bytes, _)) = passed.last.pop_front()
        {
            kept = bytes;
        }
        kept.clear();
        kept.extend_from_slice(block);
        passed.last.push_back((kept, from));
    }

    /// The reader is to have read all that came.
    fn catch_up(&mut self, reader: &mut impl BlockReader, scope: &mut Scope<'_>) {
        if !std::mem::take(&mut self.is_unread) {
            return self.read_again(reader, scope);
        }
        self.begin_block(reader, scope);
        let mut buffer = scope.core.take_buffer();
        let held = buffer.fill(&self.held);
        self.read(reader, held, false, scope);
        scope.core.return_buffer(buffer);
    }

    /// Reads the last blocks of what was passed over.
    fn read_again(&mut self, reader: &mut impl BlockReader, scope: &mut Scope<'_>) {
        let Some(Passed { bytes, last, .. }) = self.passed.take() else { return };
        let kept: u64 = last.iter().map(|(block, _)| block.len() as u64).sum();
        if let Some((_, from)) = last.front().filter(|_| bytes > kept) {
            reader.jump(*from, bytes - kept);
        }
        let mut buffer = scope.core.take_buffer();
        let together = buffer.begin();
        last.iter().for_each(|(block, _)| together.extend_from_slice(block));
        // What seems to be a match because it is read from here on was told to nobody.
        let before = scope.told.clone();
        let mut muted = Muted(scope.sink);
        let mut again = Scope {
            core: scope.core,
            told: scope.told,
            allowance: scope.allowance,
            sink: &mut muted,
            ..*scope
        };
        reader.read(buffer.padded(), true, &mut again);
        scope.told.return_to(before);
        scope.core.return_buffer(buffer);
    }

    fn read(
        &mut self,
        reader: &mut impl BlockReader,
        bytes: Padded<'_>,
        has_more: bool,
        scope: &mut Scope<'_>,
    ) {
        if bytes.is_empty() {
            return;
        }
        self.read_again(reader, scope);
        let was_lost = reader.standing().is_some_and(Standing::is_lost);
        self.listen(scope, |heard| reader.read(bytes, has_more, heard));
        if reader.standing().is_some_and(Standing::is_lost) != was_lost {
            self.is_lost = true;
            self.context = Context::new(false);
        }
    }

    /// Notes whether something is heard.
    fn listen(&mut self, scope: &mut Scope<'_>, read: impl FnOnce(&mut Scope<'_>)) {
        let before = scope.core.heard();
        let core = scope.core;
        let mut listening = Listening::new(scope.sink);
        let mut heard = Scope {
            core,
            told: scope.told,
            allowance: scope.allowance,
            sink: &mut listening,
            ..*scope
        };
        read(&mut heard);
        self.is_clean &= !listening.has_heard() && core.heard() == before;
    }
}

/// Remembers what came of reading one: from where to where it is clean, if it is.
fn keep(known: Known, clean: Option<(Standing, Standing)>, said: u16, core: &Core) {
    let Some(behind) = known.behind else { return };
    let outcome = match clean {
        Some((from, to)) => Outcome::Clean { from, to, said },
        None => Outcome::Unclean,
    };
    with_memory(core, |memory| memory.keep(behind, outcome));
}

/// Where a reader stands, if what it reads next depends on nothing else.
fn settled_at(reader: &impl BlockReader) -> Option<Standing> {
    reader.standing().filter(|_| reader.is_settled())
}

/// Lends what a core remembers; none if it cannot remember.
fn with_memory<T>(core: &Core, ask: impl FnOnce(&mut CleanBlocks) -> T) -> Option<T> {
    let mut memory = core.clean_blocks.take().or_else(|| CleanBlocks::new().map(Box::new))?;
    let answer = ask(&mut memory);
    core.clean_blocks.set(Some(memory));
    Some(answer)
}

impl BlockReader for Text {
    fn standing(&self) -> Option<Standing> {
        Some(Standing::Text)
    }

    fn is_settled(&self) -> bool {
        Text::is_settled(self)
    }

    fn read(&mut self, bytes: Padded<'_>, more: bool, scope: &mut Scope<'_>) {
        if more { self.feed_more(bytes, scope) } else { self.feed(bytes, scope) }
    }

    fn finish(&mut self, scope: &mut Scope<'_>) {
        Text::finish(self, scope);
    }

    fn jump(&mut self, _: Standing, bytes: u64) {
        Text::jump(self, bytes);
    }
}

impl BlockReader for Said {
    fn standing(&self) -> Option<Standing> {
        self.unescaper.mark().map(Standing::Json)
    }

    fn is_settled(&self) -> bool {
        self.text.is_settled()
    }

    fn read(&mut self, bytes: Padded<'_>, more: bool, scope: &mut Scope<'_>) {
        Said::read(self, bytes, more, scope);
    }

    fn finish(&mut self, scope: &mut Scope<'_>) {
        Said::finish(self, scope);
    }

    fn jump(&mut self, to: Standing, bytes: u64) {
        if let Standing::Json(mark) = to {
            self.unescaper = Unescaper::at(mark);
        }
        self.text.jump(bytes);
    }
}

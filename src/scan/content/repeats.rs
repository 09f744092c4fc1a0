//! What comes again in a body: read block by block, and a block that is known to be clean where it stands is passed over.
//! Before anything else is read behind such blocks, the reader is given the last two of them again, so that a match
//! which begins in them is found as ever; one that begins before them is not.

use super::json::Said;
use crate::limits::CLEAN_BLOCK_MIN_BYTES;
use crate::scan::clean_blocks::{
    Block, CleanBlocks, Digest, Outcome, Standing, block_end, says_enough,
};
use crate::scan::found::{Gap, KnownMatch, Listening, Match, MatchSink};
use crate::scan::padded::Padded;
use crate::scan::scanner::Core;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::json::Unescaper;

/// Who can go on behind what it did not read.
pub(super) trait BlockReader {
    /// Where it stands; none within an escape.
    fn standing(&self) -> Option<Standing>;
    /// Whether what it reads next depends on no more than the last two blocks.
    fn is_settled(&self) -> bool;
    /// The next bytes; `more`: others follow at once.
    fn read(&mut self, bytes: Padded<'_>, more: bool, scope: &mut Scope<'_>);
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
    before: [Option<Digest>; 2],
    /// The beginning of the block under way, if it was read already.
    held: Vec<u8>,
    /// Where a block was begun to be read, and whether nothing was heard since.
    from: Option<Standing>,
    is_clean: bool,
    /// Whether a further block may be read by itself, to see whether it is clean.
    may_try: bool,
    passed: Option<Passed>,
}

/// What was passed over since the reader stopped.
struct Passed {
    bytes: u64,
    /// The last two blocks, and where each is to be read from.
    last: [(Vec<u8>, Standing); 2],
    /// Where the reader would stand now.
    to: Standing,
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
        let is_long = bytes.len() >= CLEAN_BLOCK_MIN_BYTES && scope.core.remembers.get();
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

    /// The end. Afterwards it is as new.
    pub(super) fn finish(&mut self, reader: &mut impl BlockReader, scope: &mut Scope<'_>) {
        self.catch_up(reader, scope);
        *self = Repeats::default();
    }
}

impl Blocks {
    fn new(is_first: bool) -> Blocks {
        let before = if is_first { [Some(Digest::START); 2] } else { [None; 2] };
        let (held, from) = (Vec::new(), None);
        Blocks { before, held, from, is_clean: false, may_try: true, passed: None }
    }

    fn feed(&mut self, reader: &mut impl BlockReader, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        let part = |from: usize, to: usize| bytes.slice(from..to).unwrap_or_default();
        let has_more = |to: usize| to < bytes.len();
        let mut at = 0;
        if !self.held.is_empty() {
            let end = block_end(self.held.len(), bytes.bytes());
            at = end.unwrap_or(bytes.len());
            self.held.extend_from_slice(part(0, at).bytes());
            self.read(reader, part(0, at), has_more(at), scope);
            if end.is_some() {
                self.end_held(reader, scope);
            }
        }
        // What is new is read together, and what has something in it: a flood is bounded by what is read at once.
        let mut read_to = at;
        self.may_try = true;
        while let Some(len) = bytes.bytes().get(at..).and_then(|rest| block_end(0, rest)) {
            let block = part(at, at + len);
            let unread = part(read_to, at);
            if self.take(reader, (unread, block, has_more(at + len)), scope) {
                read_to = at + len;
            }
            at += len;
        }
        self.read(reader, part(read_to, at), has_more(at), scope);
        let rest = part(at, bytes.len());
        if !rest.is_empty() {
            self.catch_up(reader, scope);
            (self.from, self.is_clean) = (settled_at(reader), true);
            self.held.extend_from_slice(rest.bytes());
            self.read(reader, rest, false, scope);
        }
    }

    /// A whole block, behind what is still to be read. False: it is to be read with that.
    fn take(
        &mut self,
        reader: &mut impl BlockReader,
        (unread, block, has_more): (Padded<'_>, Padded<'_>, bool),
        scope: &mut Scope<'_>,
    ) -> bool {
        let Some(known) = self.met(block.bytes(), scope) else { return false };
        let outcome = with_memory(scope.core, |memory| memory.outcome(&known)).flatten();
        if outcome == Some(Outcome::Unclean) || (outcome.is_none() && !self.may_try) {
            return false;
        }
        self.read(reader, unread, true, scope);
        let stands_at = match &self.passed {
            Some(passed) => Some(passed.to),
            None => settled_at(reader),
        };
        if let Some(Outcome::Clean { from, to }) = outcome
            && stands_at == Some(from)
        {
            self.pass(block.bytes(), from, to);
            return true;
        }
        self.catch_up(reader, scope);
        (self.from, self.is_clean) = (settled_at(reader), true);
        self.read(reader, block, has_more, scope);
        self.keep(Some(known), reader, scope.core);
        self.may_try = self.is_clean;
        true
    }

    /// The block is whole that was read in pieces.
    fn end_held(&mut self, reader: &mut impl BlockReader, scope: &mut Scope<'_>) {
        let mut held = std::mem::take(&mut self.held);
        let known = self.met(&held, scope);
        self.keep(known, reader, scope.core);
        held.clear();
        self.held = held;
    }

    /// What the memory knows the next block as; none if it did not come before, or if it or those before it say too
    /// little to be remembered by.
    fn met(&mut self, block: &[u8], scope: &Scope<'_>) -> Option<Block> {
        let digest = with_memory(scope.core, |memory| {
            memory.digest(block).filter(|digest| memory.meet(*digest))
        });
        let digest = digest.flatten().filter(|_| says_enough(block));
        let [first, last] = self.before;
        self.before = [last, digest];
        let is_watched = scope.core.known.is_some() && scope.sink.watches();
        Some(Block { digest: digest?, before: [first?, last?], is_watched })
    }

    /// Remembers what came of reading a block.
    fn keep(&self, block: Option<Block>, reader: &impl BlockReader, core: &Core) {
        let Some(block) = block else { return };
        let outcome = match (self.from, settled_at(reader)) {
            (Some(from), Some(to)) if self.is_clean => Outcome::Clean { from, to },
            _ => Outcome::Unclean,
        };
        with_memory(core, |memory| memory.keep(block, outcome));
    }

    /// Passes over a block.
    fn pass(&mut self, block: &[u8], from: Standing, to: Standing) {
        let passed = self.passed.get_or_insert_with(|| Passed {
            bytes: 0,
            last: [(Vec::new(), from), (Vec::new(), from)],
            to,
        });
        passed.bytes += block.len() as u64;
        passed.to = to;
        passed.last.swap(0, 1);
        let [_, (bytes, begins)] = &mut passed.last;
        bytes.clear();
        bytes.extend_from_slice(block);
        *begins = from;
    }

    fn catch_up(&mut self, reader: &mut impl BlockReader, scope: &mut Scope<'_>) {
        let Some(Passed { bytes, last, .. }) = self.passed.take() else { return };
        let kept: u64 = last.iter().map(|(block, _)| block.len() as u64).sum();
        let first = last.iter().find(|(block, _)| !block.is_empty());
        if let Some((_, from)) = first.filter(|_| bytes > kept) {
            reader.jump(*from, bytes - kept);
        }
        let mut buffer = scope.core.take_buffer();
        // What seems to be a match because it is read from here on was told to nobody.
        let before = scope.told.clone();
        let Scope { core, told, allowance, sink, is_last } = scope;
        let mut muted = Muted(*sink);
        let mut again = Scope { core, told, allowance, sink: &mut muted, is_last: *is_last };
        for (block, _) in &last {
            reader.read(buffer.fill(block), true, &mut again);
        }
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
        self.catch_up(reader, scope);
        let before = scope.core.heard();
        let Scope { core, told, allowance, sink, is_last } = scope;
        let mut listening = Listening::new(*sink);
        let mut heard = Scope { core, told, allowance, sink: &mut listening, is_last: *is_last };
        reader.read(bytes, has_more, &mut heard);
        self.is_clean &= !listening.has_heard() && core.heard() == before;
    }
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

/// Tells nothing: it was told of these bytes before that there is nothing to tell.
struct Muted<'a>(&'a mut dyn MatchSink);

impl MatchSink for Muted<'_> {
    fn wants(&mut self, _: &Match<'_>) -> bool {
        false
    }

    fn found(&mut self, _: &Match<'_>, _: String) {}

    fn watches(&self) -> bool {
        self.0.watches()
    }

    fn wants_known(&mut self, _: &KnownMatch<'_>) -> bool {
        false
    }

    fn gap(&mut self, _: Gap) {}
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

    fn jump(&mut self, to: Standing, bytes: u64) {
        if let Standing::Json(mark) = to {
            self.unescaper = Unescaper::at(mark);
        }
        self.text.jump(bytes);
    }
}

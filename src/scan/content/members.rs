//! An archive: as it stands, since a few bytes are all that tells one; the names of its members as a text; and
//! what they hold as content of its own.

use super::{Content, Media};
use crate::finding::Step;
use crate::limits::SCAN_WORK_BYTES;
use crate::scan::fed::Fed;
use crate::scan::found::Gap;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::archive::{Container, Event, Reader, Unreadable};
use crate::scan::view::codings::{Coding, Undecodable};

/// One archive.
pub(super) struct Members {
    place: Place,
    reader: Reader,
    /// None if others read it.
    whole: Option<Text>,
    /// Whether what follows one compressed file is no news, as others read it; and whether it is there.
    is_file_beside: bool,
    is_over: bool,
    /// Whether chance may have made the first bytes: two or three tell it.
    is_guess: bool,
    names: Text,
    member: Content,
}

impl Members {
    /// Nothing read yet.
    pub(super) fn new(place: Place, container: Container, scope: &mut Scope<'_>) -> Members {
        // Who cannot look into it, or into what its decoder passes over, looks for what it shows as it stands.
        let whole = match container {
            Container::Packed(_) | Container::Compressed(_) => Text::new(place, scope),
            _ => Text::unfolded(place, scope),
        };
        Members {
            whole: Some(whole),
            is_file_beside: false,
            ..Members::beside(place, container, scope)
        }
    }

    /// The same of an archive that is read as it stands by others.
    pub(super) fn beside(place: Place, container: Container, scope: &mut Scope<'_>) -> Members {
        let step = match container {
            Container::Tar => Some(Step::Tar),
            Container::Zip => Some(Step::Zip),
            Container::Pack => Some(Step::Git),
            Container::Compressed(coding) => Some(coding_step(coding)),
            Container::Packed(_) => None,
        };
        let place = step.into_iter().fold(place.deeper(), Place::then);
        Members {
            place,
            reader: Reader::new(container),
            whole: None,
            is_file_beside: matches!(container, Container::Compressed(_)),
            is_over: false,
            is_guess: place.is_guess && !matches!(container, Container::Zip | Container::Tar),
            names: Text::new(place, scope),
            member: Content::unknown(place),
        }
    }

    /// The next bytes, all of them.
    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        self.read_whole(bytes, scope);
        Fed::all_of(bytes, |rest| self.step(rest, scope));
    }

    /// The next bytes as they stand, each before it is looked into.
    pub(super) fn read_whole(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        if let Some(whole) = &mut self.whole {
            whole.feed(bytes, scope);
        }
    }

    /// Looks into the next bytes, up to where there is something to read in what they hold.
    pub(super) fn step(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) -> Fed {
        let mut work = scope.core.take_work();
        let mut fed = Fed::whole(bytes);
        let mut at = 0;
        loop {
            let rest = bytes.bytes().get(at..).unwrap_or_default();
            let room = work.get_mut(..SCAN_WORK_BYTES).unwrap_or_default();
            let step = self.reader.step(rest, room, scope.allowance);
            match step.event {
                Event::Idle => break,
                Event::InPlace(range) => {
                    if let Some(contents) = bytes.slice(at + range.start..at + range.end) {
                        self.member.feed(contents, scope);
                    }
                }
                event => {
                    let is_behind = matches!(event, Event::Worked(_));
                    self.take(event, &work, scope);
                    if is_behind {
                        fed = Fed { taken: at + step.taken, is_behind };
                        break;
                    }
                }
            }
            at += step.taken;
        }
        scope.core.return_work(work);
        fed
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        let mut work = scope.core.take_work();
        loop {
            let room = work.get_mut(..SCAN_WORK_BYTES).unwrap_or_default();
            match self.reader.finish(room, scope.allowance) {
                Event::End | Event::Idle => break,
                event => self.take(event, &work, scope),
            }
        }
        scope.core.return_work(work);
        self.member.finish(scope);
        self.names.finish(scope);
        if let Some(whole) = &mut self.whole {
            whole.finish(scope);
        }
    }

    fn take(&mut self, event: Event, work: &[u8], scope: &mut Scope<'_>) {
        match event {
            Event::Name => {
                let mut buffer = scope.core.take_buffer();
                let name = buffer.begin();
                name.extend_from_slice(self.reader.name());
                name.push(b'\n');
                self.names.feed(buffer.padded(), scope);
                scope.core.return_buffer(buffer);
                self.member = Content::new(self.place, Media::of_file(self.reader.name()));
            }
            Event::Worked(len) => {
                if let Some(contents) = Padded::new(work, 0..len) {
                    self.member.feed(contents, scope);
                }
            }
            Event::Unreadable(len, reason) => {
                self.is_over |= self.is_file_beside
                    && reason == Some(Unreadable::Coded(Undecodable::TrailingData));
                if self.is_over || self.is_guess {
                    return;
                }
                scope.sink.gap(Gap::Undecoded(len));
                if let Some(reason) = reason {
                    scope.gap(Gap::Unreadable(reason));
                }
            }
            Event::EntryEnd => {
                self.member.finish(scope);
                self.member = Content::new(self.place, Media::Unknown);
            }
            Event::Idle | Event::InPlace(_) | Event::End => {}
        }
    }
}

/// The step that undoes a coding.
pub(super) fn coding_step(coding: Coding) -> Step {
    match coding {
        Coding::Gzip => Step::Gzip,
        Coding::Deflate => Step::Deflate,
        Coding::Brotli => Step::Brotli,
        Coding::Zstd => Step::Zstd,
        Coding::AwsChunked => Step::AwsChunked,
    }
}

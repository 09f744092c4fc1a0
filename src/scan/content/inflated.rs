//! What is in codings, read as what they hold.

use super::members::coding_step;
use super::{Content, Media};
use crate::limits::{SCAN_PADDING_BYTES, SCAN_WORK_BYTES};
use crate::scan::found::Gap;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::codings::{Codings, Inflater, Undecodable};

/// Content in codings.
pub(in crate::scan) struct Inflated {
    place: Place,
    inflater: Inflater,
    content: Content,
    /// What cannot be inflated is read as it stands.
    given_up: Option<Text>,
}

impl Inflated {
    /// Nothing read yet.
    pub(in crate::scan) fn new(place: Place, codings: &Codings, media: Media) -> Inflated {
        let steps = codings.applied().iter().rev().map(|coding| coding_step(*coding));
        let content = Content::new(steps.fold(place, Place::then), media);
        Inflated { place, inflater: Inflater::new(codings), content, given_up: None }
    }

    pub(in crate::scan) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        let mut at = 0;
        let mut work = scope.core.take_work();
        while self.given_up.is_none() {
            let rest = bytes.bytes().get(at..).unwrap_or_default();
            let room = work.get_mut(..SCAN_WORK_BYTES).unwrap_or_default();
            match self.inflater.step(rest, room, scope.allowance) {
                Ok(progress) => {
                    at += progress.taken;
                    self.pass_on(&work, progress.written, scope);
                    if !progress.has_more && (at >= bytes.len() || progress.taken == 0) {
                        break;
                    }
                }
                Err(undecodable) => self.give_up(undecodable, scope),
            }
        }
        scope.core.return_work(work);
        let Some(rest) = bytes.slice(at..bytes.len()).filter(|rest| !rest.is_empty()) else {
            return;
        };
        if self.given_up.is_none() {
            // What the inflater leaves is behind the end of what it holds.
            self.given_up = Some(Text::new(self.place, scope));
        }
        if let Some(text) = &mut self.given_up {
            scope.sink.gap(Gap::Undecoded(rest.len()));
            text.feed(rest, scope);
        }
    }

    pub(in crate::scan) fn finish(&mut self, scope: &mut Scope<'_>) {
        let mut work = scope.core.take_work();
        while self.given_up.is_none() {
            let room = work.get_mut(..SCAN_WORK_BYTES).unwrap_or_default();
            match self.inflater.finish(room, scope.allowance) {
                Ok(progress) => {
                    self.pass_on(&work, progress.written, scope);
                    if !progress.has_more {
                        break;
                    }
                }
                Err(undecodable) => self.give_up(undecodable, scope),
            }
        }
        scope.core.return_work(work);
        self.content.finish(scope);
        if let Some(text) = &mut self.given_up {
            text.finish(scope);
        }
    }

    fn pass_on(&mut self, work: &[u8], written: usize, scope: &mut Scope<'_>) {
        if let Some(bytes) = Padded::new(work, 0..written) {
            self.content.feed(bytes, scope);
        }
    }

    fn give_up(&mut self, undecodable: Undecodable, scope: &mut Scope<'_>) {
        scope.sink.gap(Gap::Undecodable(undecodable));
        self.given_up = Some(Text::new(self.place, scope));
    }
}

const _: () = assert!(SCAN_WORK_BYTES > SCAN_PADDING_BYTES);

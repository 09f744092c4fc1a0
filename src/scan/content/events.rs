//! Streams of events: each as it stands on the wire, and the texts that they are together.

use super::lanes::Lanes;
use super::media::Media;
use crate::finding::Step;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::json::{AwsEventSplitter, EventSplitter, LineSplitter};

/// One stream of events.
pub(super) struct Events {
    splitter: Splitter,
    whole: Text,
    lanes: Lanes,
}

enum Splitter {
    Sse(EventSplitter),
    Lines(LineSplitter),
    Aws(AwsEventSplitter),
}

impl Events {
    /// No event yet.
    pub(super) fn new(place: Place, media: &Media, scope: &mut Scope<'_>) -> Events {
        let (splitter, step) = match media {
            Media::Lines => (Splitter::Lines(LineSplitter::new()), Step::Ndjson),
            Media::AwsEvents => (Splitter::Aws(AwsEventSplitter::new()), Step::AwsEvents),
            _ => (Splitter::Sse(EventSplitter::new()), Step::Sse),
        };
        Events { splitter, whole: Text::new(place, scope), lanes: Lanes::new(place.then(step)) }
    }

    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        self.join(bytes.bytes(), scope);
        self.whole.feed(bytes, scope);
    }

    /// Before the bytes as they stand: what the texts show in full, the wire shows in pieces.
    fn join(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        let lanes = &mut self.lanes;
        let mut take = |event: &[u8]| {
            lanes.take(event, scope);
        };
        match &mut self.splitter {
            Splitter::Sse(splitter) => splitter.feed(bytes, &mut take),
            Splitter::Lines(splitter) => splitter.feed(bytes, &mut take),
            Splitter::Aws(splitter) => splitter.feed(bytes, &mut take),
        }
        self.lanes.tell(scope);
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        let lanes = &mut self.lanes;
        let mut take = |event: &[u8]| {
            lanes.take(event, scope);
        };
        match &mut self.splitter {
            Splitter::Sse(splitter) => splitter.finish(&mut take),
            Splitter::Lines(splitter) => splitter.finish(&mut take),
            Splitter::Aws(splitter) => splitter.finish(&mut take),
        }
        self.whole.finish(scope);
        self.lanes.finish(scope);
    }
}

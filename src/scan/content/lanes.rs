//! The texts that the events of a stream are joined to: what a model writes arrives in pieces of a few letters,
//! each in JSON of its own, and means something only together.

use super::Content;
use crate::finding::Step;
use crate::limits::SCAN_LANES_MAX;
use crate::scan::text::{Place, Scope};
use crate::scan::view::json::Reader;

/// The joined texts of one stream, the last used `limits::SCAN_LANES_MAX` of them.
pub(in crate::scan) struct Lanes {
    place: Place,
    reader: Reader,
    lanes: Vec<Lane>,
    /// Counts the events.
    clock: u64,
}

/// What belongs together: the text of one block, one choice, one tool call.
struct Lane {
    key: u64,
    used_at: u64,
    content: Content,
}

/// The lane of events that are no JSON.
const PLAIN: u64 = 0;

impl Lanes {
    /// No event yet.
    pub(in crate::scan) fn new(place: Place) -> Lanes {
        Lanes { place: place.deeper(), reader: Reader::new(), lanes: Vec::new(), clock: 0 }
    }

    /// Adds the texts of one event to those that they go on from.
    pub(in crate::scan) fn take(&mut self, event: &[u8], scope: &mut Scope<'_>) {
        let mut reader = std::mem::take(&mut self.reader);
        self.clock += 1;
        let place = self.place.then(Step::Json);
        let visited = reader.visit(event, &mut |leaf| self.add(leaf.lane, place, leaf.text, scope));
        if visited.is_err() {
            self.add(PLAIN, self.place, event, scope);
        }
        self.reader = reader;
    }

    /// The end of all of them.
    pub(in crate::scan) fn finish(&mut self, scope: &mut Scope<'_>) {
        for lane in &mut self.lanes {
            lane.content.finish(scope);
        }
        self.lanes.clear();
    }

    fn add(&mut self, key: u64, place: Place, text: &[u8], scope: &mut Scope<'_>) {
        if !self.lanes.iter().any(|lane| lane.key == key) {
            self.make_room(scope);
            self.lanes.push(Lane { key, used_at: self.clock, content: Content::unknown(place) });
        }
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.key == key) else { return };
        lane.used_at = self.clock;
        let mut buffer = scope.core.take_buffer();
        lane.content.feed(buffer.fill(text), scope);
        scope.core.return_buffer(buffer);
    }

    /// Ends the text that nothing was added to for the longest time, if there is no room for one more.
    fn make_room(&mut self, scope: &mut Scope<'_>) {
        if self.lanes.len() < SCAN_LANES_MAX {
            return;
        }
        let oldest = self.lanes.iter().enumerate().min_by_key(|(_, lane)| lane.used_at);
        if let Some((place, _)) = oldest {
            self.lanes.swap_remove(place).content.finish(scope);
        }
    }
}

//! An archive behind the first bytes of something else. Who reads a zip looks for its end, and who mends a download
//! for gzip's signature: it is read beside what stands before it.

use smallvec::SmallVec;

use super::members::Members;
use crate::limits::SCAN_SNIFF_BYTES;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope};
use crate::scan::view::archive::{self, FOUND_HEAD_BYTES};

/// The bytes of one content, looked through for an archive.
pub(super) enum Behind {
    /// So many bytes passed, of which the last few are kept: a head may be cut.
    Sought {
        passed: usize,
        edge: SmallVec<[u8; FOUND_HEAD_BYTES]>,
    },
    Found(Box<Members>),
    /// There is none.
    None,
}

impl Behind {
    /// Nothing passed yet.
    pub(super) fn new() -> Behind {
        Behind::Sought { passed: 0, edge: SmallVec::new() }
    }

    /// The next bytes.
    pub(super) fn feed(&mut self, bytes: Padded<'_>, place: Place, scope: &mut Scope<'_>) {
        let (passed, edge) = match self {
            Behind::None => return,
            Behind::Found(members) => return members.feed(bytes, scope),
            Behind::Sought { passed, edge } => (passed, edge),
        };
        // Where an archive begins that is no longer looked for, but for one whose head is cut there.
        let room = (SCAN_SNIFF_BYTES + FOUND_HEAD_BYTES).saturating_sub(*passed);
        let near = bytes.bytes().get(..room).unwrap_or(bytes.bytes());
        let kept = edge.len();
        let mut buffer = scope.core.take_buffer();
        let head = match kept {
            0 => near,
            _ => {
                buffer.begin().extend_from_slice(edge);
                buffer.extend(near);
                buffer.written()
            }
        };
        if let Some((at, container)) = archive::find(head) {
            let mut members = Members::beside(place, container, scope);
            if let Some(cut) = edge.get(at..).filter(|cut| !cut.is_empty()) {
                buffer.begin().extend_from_slice(cut);
                members.feed(buffer.padded(), scope);
            }
            let start = at.saturating_sub(kept).min(bytes.len());
            members.feed(bytes.slice(start..bytes.len()).unwrap_or_default(), scope);
            *self = Behind::Found(Box::new(members));
        } else if *passed + bytes.len() >= SCAN_SNIFF_BYTES + FOUND_HEAD_BYTES {
            *self = Behind::None;
        } else {
            *passed += bytes.len();
            let last = head.len().saturating_sub(FOUND_HEAD_BYTES - 1);
            *edge = SmallVec::from_slice(head.get(last..).unwrap_or_default());
        }
        scope.core.return_buffer(buffer);
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        if let Behind::Found(members) = self {
            members.finish(scope);
        }
    }
}

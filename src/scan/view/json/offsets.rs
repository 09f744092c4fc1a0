//! Messages that begin with the places of their parts, as Jupyter's kernels send them over WebSocket
//! (`v1.kernel.websocket.jupyter.org`).
//!
//! ```text
//! count u64 │ count places u64, the last one the end │ channel │ header │ parent │ metadata │ content │ buffers …
//! ```

use crate::limits::JUPYTER_PARTS_MAX;

const NUMBER_BYTES: usize = 8;

/// The parts of such a message; none if it is no such one.
pub fn parts_by_offset(message: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let count = number(message, 0)?;
    let first = number(message, 1)?;
    let is_one =
        (3..=JUPYTER_PARTS_MAX + 1).contains(&count) && first == (count + 1) * NUMBER_BYTES;
    let place = move |at: usize| number(message, at);
    let is_in_order = |at: usize| Some(place(at)? <= place(at + 1)?);
    (is_one && (1..count).all(|at| is_in_order(at) == Some(true)) && place(count)? == message.len())
        .then(|| (1..count).filter_map(move |at| message.get(place(at)?..place(at + 1)?)))
}

fn number(message: &[u8], at: usize) -> Option<usize> {
    let (numbers, _) = message.as_chunks::<NUMBER_BYTES>();
    numbers.get(at).and_then(|bytes| usize::try_from(u64::from_le_bytes(*bytes)).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(parts: &[&str]) -> Vec<u8> {
        let mut end = (parts.len() + 2) * NUMBER_BYTES;
        let mut numbers = vec![parts.len() + 1, end];
        for part in parts {
            end += part.len();
            numbers.push(end);
        }
        let numbers = numbers.iter().flat_map(|number| (*number as u64).to_le_bytes());
        numbers.chain(parts.concat().into_bytes()).collect()
    }

    fn parts(message: &[u8]) -> Option<Vec<&[u8]>> {
        parts_by_offset(message).map(Iterator::collect)
    }

    #[test]
    fn parts_are_told_by_their_places() {
        let whole = message(&["iopub", "{}", "", "{\"a\":1}"]);
        assert_eq!(parts(&whole), Some(vec![&b"iopub"[..], b"{}", b"", b"{\"a\":1}"]));
        assert_eq!(parts(&whole[..whole.len() - 1]), None);
        assert_eq!(parts(&[&whole[..], b"x"].concat()), None);
        let mut unordered = whole.clone();
        unordered[16] = 255;
        assert_eq!(parts(&unordered), None);
        for no in [&b""[..], b"{\"a\":1}", &[0; 100], &[255; 100]] {
            assert_eq!(parts(no), None);
        }
    }

    #[test]
    fn so_many_parts_as_the_bound_are_taken_and_no_more() {
        for (count, is_one) in [(JUPYTER_PARTS_MAX, true), (JUPYTER_PARTS_MAX + 1, false)] {
            assert_eq!(parts(&message(&vec!["{}"; count])).is_some(), is_one, "{count}");
        }
    }
}

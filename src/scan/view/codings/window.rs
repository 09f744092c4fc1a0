//! What the windows of a core's decoders hold together: one may be 16 MiB large and asked for with 26 bytes, so that
//! a bound for each bounds nothing over thousands of bodies.

use std::cell::Cell;

use crate::limits::{CODING_WINDOW_STEP_BYTES, CODING_WINDOWS_MAX_BYTES};

thread_local! {
    static HELD: Cell<u64> = const { Cell::new(0) };
}

/// One decoder's window, as far as it is filled.
#[derive(Debug)]
pub(super) struct Window {
    max: u64,
    written: u64,
    held: u64,
}

impl Window {
    /// Nothing written yet; it never holds more than `max` bytes.
    pub(super) fn new(max: u64) -> Window {
        Window { max, written: 0, held: 0 }
    }

    /// The decoder wrote so many bytes more. False: the core's decoders hold too much, this one is to be given up.
    pub(super) fn has_room(&mut self, written: usize) -> bool {
        self.written = self.written.saturating_add(written as u64);
        // In steps, so that small bodies have nothing to count.
        let filled = self.written.min(self.max) / CODING_WINDOW_STEP_BYTES;
        let more = (filled * CODING_WINDOW_STEP_BYTES).saturating_sub(self.held);
        let held = HELD.get().saturating_add(more);
        if more > 0 && held > CODING_WINDOWS_MAX_BYTES {
            return false;
        }
        HELD.set(held);
        self.held += more;
        true
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        HELD.set(HELD.get().saturating_sub(self.held));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_windows_of_a_core_hold_so_much_together_and_give_it_back() {
        const MAX: u64 = 16 * 1024 * 1024;
        let mut windows: Vec<Window> = Vec::new();
        for _ in 0..CODING_WINDOWS_MAX_BYTES / MAX {
            let mut window = Window::new(MAX);
            assert!((0..100).all(|_| window.has_room(1024 * 1024)));
            windows.push(window);
        }
        let mut small = Window::new(MAX);
        assert!(small.has_room(usize::try_from(CODING_WINDOW_STEP_BYTES).unwrap() - 1));
        assert!(!small.has_room(1));
        windows.pop();
        assert!(small.has_room(1));
        windows.clear();
        drop(small);
        assert_eq!(HELD.get(), 0);
    }
}

//! A core's read buffers: lent for the time that bytes are under way, so that an idle connection holds none.
//!
//! Each buffer has `SCAN_PADDING_BYTES` behind its capacity, so that whatever was read into it can be scanned
//! in place. Owns memory only; knows no socket and no meaning.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use crate::limits::{READ_BUFFER_BYTES, READ_BUFFERS_KEPT, SCAN_PADDING_BYTES, SCRATCH_KEPT_BYTES};

/// The buffers that a core keeps ready. Last in, first out: the warm one is lent again.
#[derive(Debug, Default)]
pub struct BufferPool {
    free: RefCell<Vec<Box<[u8]>>>,
}

impl BufferPool {
    /// An empty pool; buffers are made as they are first needed.
    pub fn new() -> Rc<BufferPool> {
        Rc::new(BufferPool::default())
    }

    /// Lends a buffer.
    pub fn lend(self: &Rc<Self>) -> Chunk {
        let backing = self.free.borrow_mut().pop().unwrap_or_else(fresh_buffer);
        Chunk { backing, start: 0, end: 0, pool: Rc::clone(self) }
    }

    fn take_back(&self, backing: Box<[u8]>) {
        let mut free = self.free.borrow_mut();
        if free.len() < READ_BUFFERS_KEPT && !backing.is_empty() {
            free.push(backing);
        }
    }
}

fn fresh_buffer() -> Box<[u8]> {
    vec![0; READ_BUFFER_BYTES + SCAN_PADDING_BYTES].into_boxed_slice()
}

/// A lent buffer and the bytes in it that nobody has taken yet. Goes back to its pool when dropped.
#[derive(Debug)]
pub struct Chunk {
    backing: Box<[u8]>,
    start: usize,
    end: usize,
    pool: Rc<BufferPool>,
}

impl Chunk {
    /// The bytes not taken yet.
    pub fn bytes(&self) -> &[u8] {
        self.backing.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether every byte was taken.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The whole buffer and where `range` (counted from the first byte not taken) lies in it: what a scanner
    /// that needs readable bytes behind the end asks for.
    pub fn backing(&self, range: Range<usize>) -> (&[u8], Range<usize>) {
        (&self.backing, self.start + range.start..self.start + range.end)
    }

    /// Takes the first `len` bytes away.
    pub fn consume(&mut self, len: usize) {
        self.start = self.end.min(self.start + len);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Where the next bytes may be written. Moves what is there to the front when the room runs out.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.start > 0 && self.end == READ_BUFFER_BYTES {
            self.backing.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        self.backing.get_mut(self.end..READ_BUFFER_BYTES).unwrap_or_default()
    }

    /// The same, with what is there moved to the front first: the most room there can be.
    pub fn spare_at_front(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.backing.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        self.spare()
    }

    /// Says that `len` bytes were written into [`Chunk::spare`].
    pub fn filled(&mut self, len: usize) {
        self.end = READ_BUFFER_BYTES.min(self.end + len);
    }

    /// Puts bytes behind those that are there; returns how many there was room for.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let spare = self.spare();
        let len = spare.len().min(bytes.len());
        if let (Some(to), Some(from)) = (spare.get_mut(..len), bytes.get(..len)) {
            to.copy_from_slice(from);
        }
        self.filled(len);
        len
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.pool.take_back(std::mem::take(&mut self.backing));
    }
}

/// Growing buffers for what is put together before it goes on (heads, pieces of bodies, frames), lent like the read
/// buffers.
#[derive(Debug, Default)]
pub struct ScratchPool {
    free: RefCell<Vec<Vec<u8>>>,
}

impl ScratchPool {
    /// An empty pool.
    pub fn new() -> Rc<ScratchPool> {
        Rc::new(ScratchPool::default())
    }

    /// Lends an empty buffer.
    pub fn lend(self: &Rc<Self>) -> Scratch {
        let bytes = self.free.borrow_mut().pop().unwrap_or_default();
        Scratch { bytes, pool: Rc::clone(self) }
    }
}

/// A lent buffer that grows. Goes back to its pool when dropped, unless it grew beyond use.
#[derive(Debug)]
pub struct Scratch {
    pub bytes: Vec<u8>,
    pool: Rc<ScratchPool>,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut free = self.pool.free.borrow_mut();
        if free.len() < READ_BUFFERS_KEPT && self.bytes.capacity() <= SCRATCH_KEPT_BYTES {
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.clear();
            free.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_and_is_lent_again() {
        let pool = BufferPool::new();
        let address = pool.lend().backing.as_ptr();
        assert_eq!(pool.lend().backing.as_ptr(), address);
    }

    #[test]
    fn the_pool_keeps_a_bounded_number() {
        let pool = BufferPool::new();
        let lent: Vec<Chunk> = (0..READ_BUFFERS_KEPT + 1).map(|_| pool.lend()).collect();
        drop(lent);
        assert_eq!(pool.free.borrow().len(), READ_BUFFERS_KEPT);
    }

    #[test]
    fn a_full_buffer_with_taken_bytes_makes_room_at_its_front() {
        let pool = BufferPool::new();
        let mut chunk = pool.lend();
        assert_eq!(chunk.append(&vec![7; READ_BUFFER_BYTES + 1]), READ_BUFFER_BYTES);
        assert!(chunk.spare().is_empty());
        chunk.consume(READ_BUFFER_BYTES - 3);
        assert_eq!(chunk.spare().len(), READ_BUFFER_BYTES - 3);
        assert_eq!(chunk.bytes(), [7, 7, 7]);
    }

    #[test]
    fn the_padding_is_never_filled() {
        let pool = BufferPool::new();
        let mut chunk = pool.lend();
        chunk.filled(usize::MAX / 2);
        let (backing, range) = chunk.backing(0..chunk.bytes().len());
        assert_eq!(backing.len() - range.end, SCAN_PADDING_BYTES);
    }
}

//! Byte buffers that come back: once nobody holds what was handed out of one, its memory is filled
//! again, instead of being freed on one thread and faulted in anew on another.
//!
//! Invariant: bytes that were handed out never change while anybody holds them.

use bytes::{Bytes, BytesMut};

use crate::limits::{BUFFER_BYTES, RECYCLED_COUNT_MAX};

#[derive(Default)]
pub(crate) struct Recycler {
    /// Empty; each shares its memory with bytes that were handed out, or with nobody any more.
    waiting: Vec<BytesMut>,
}

impl Recycler {
    /// An empty buffer with room for [`BUFFER_BYTES`].
    pub(crate) fn take(&mut self) -> BytesMut {
        match self.waiting.iter_mut().position(|buffer| buffer.try_reclaim(BUFFER_BYTES)) {
            Some(position) => self.waiting.swap_remove(position),
            None => BytesMut::with_capacity(BUFFER_BYTES),
        }
    }

    /// Makes what `buffer` holds immutable, and keeps its memory in mind.
    pub(crate) fn hand_out(&mut self, mut buffer: BytesMut) -> Bytes {
        let bytes = buffer.split().freeze();
        if bytes.len() <= BUFFER_BYTES {
            if self.waiting.len() >= RECYCLED_COUNT_MAX {
                self.waiting.remove(0);
            }
            self.waiting.push(buffer);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_once_nobody_holds_it() {
        let mut recycler = Recycler::default();
        let mut fill = |byte: u8| {
            let mut buffer = recycler.take();
            buffer.extend_from_slice(&[byte; 5_000]);
            recycler.hand_out(buffer)
        };
        let (first, second) = (fill(1), fill(2));
        assert_ne!(first.as_ptr(), second.as_ptr());
        let (address, part) = (first.as_ptr(), first.slice(10..20));
        drop(first);
        assert_ne!(fill(3).as_ptr(), address, "a part of it is still held");
        assert_eq!(part, [1; 10][..]);
        drop((part, second));
        let again = [fill(4), fill(5), fill(6)];
        assert!(again.iter().any(|bytes| bytes.as_ptr() == address));
        assert!(again.iter().zip(4..).all(|(bytes, byte)| *bytes == [byte; 5_000][..]));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut recycler = Recycler::default();
        let all: Vec<Bytes> = (0..RECYCLED_COUNT_MAX + 3)
            .map(|_| {
                let mut buffer = recycler.take();
                buffer.extend_from_slice(b"some");
                recycler.hand_out(buffer)
            })
            .collect();
        let mut huge = recycler.take();
        huge.resize(BUFFER_BYTES + 1, 0);
        drop(recycler.hand_out(huge));
        assert_eq!(recycler.waiting.len(), RECYCLED_COUNT_MAX);
        assert!(recycler.waiting.iter().all(|buffer| buffer.capacity() <= BUFFER_BYTES));
        assert_eq!(all.concat().len(), 4 * all.len());
    }
}

//! A cursor over untrusted bytes: every read is checked, and says what it was reading.

use crate::ProofError;

/// Reads forward through `bytes`; offsets in errors count from the start of the outermost input.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Offset of `bytes[0]` in the outermost input.
    base: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, at: 0, base }
    }

    pub(crate) const fn offset(&self) -> usize {
        self.base + self.at
    }

    pub(crate) const fn position(&self) -> usize {
        self.at
    }

    pub(crate) const fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn take(&mut self, count: u64, what: &'static str) -> Result<&'a [u8], ProofError> {
        let available = self.remaining();
        match usize::try_from(count) {
            Ok(count) if count <= available => {
                let (start, end) = (self.at, self.at + count);
                self.at = end;
                Ok(&self.bytes[start..end])
            }
            _ => Err(ProofError::Truncated {
                what,
                offset: self.offset(),
                needed: count,
                available: available as u64,
            }),
        }
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], ProofError> {
        let bytes = self.take(N as u64, what)?;
        let mut array = [0_u8; N];
        array.copy_from_slice(bytes);
        Ok(array)
    }

    pub(crate) fn u64_le(&mut self, what: &'static str) -> Result<u64, ProofError> {
        self.array(what).map(u64::from_le_bytes)
    }

    pub(crate) fn u64_be(&mut self, what: &'static str) -> Result<u64, ProofError> {
        self.array(what).map(u64::from_be_bytes)
    }
}

//! Transaction ids, and what is known of a transaction.

use core::ffi::c_char;

use affiant::{TxId, TxStatus};

use crate::boundary;
use crate::error_text::copy_text;
use crate::fault::Fault;
use crate::memory::{Out, affiant_slice};
use crate::status::affiant_status;

/// The id of a transaction: "2.17" is view 2, seqno 17. 0.0 is no transaction.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct affiant_txid {
    /// The view: counts the times that the service chose a primary, or was resumed.
    pub view: u64,
    /// The position in the ledger, from 1.
    pub seqno: u64,
}

impl From<TxId> for affiant_txid {
    fn from(txid: TxId) -> Self {
        Self { view: txid.view, seqno: txid.seqno }
    }
}

impl From<affiant_txid> for TxId {
    fn from(txid: affiant_txid) -> Self {
        Self::new(txid.view, txid.seqno)
    }
}

/// What is known of a transaction: one of the constants `AFFIANT_TX_...`.
pub type affiant_tx_status = u32;

/// The ledger has not heard of it.
pub const AFFIANT_TX_UNKNOWN: affiant_tx_status = 0;
/// It is in the ledger, and not yet committed.
pub const AFFIANT_TX_PENDING: affiant_tx_status = 1;
/// Final: it is on disk and signed.
pub const AFFIANT_TX_COMMITTED: affiant_tx_status = 2;
/// Final: it never was, since another transaction has its seqno.
pub const AFFIANT_TX_INVALID: affiant_tx_status = 3;

pub(crate) const fn tx_status(status: TxStatus) -> affiant_tx_status {
    match status {
        TxStatus::Unknown => AFFIANT_TX_UNKNOWN,
        TxStatus::Pending => AFFIANT_TX_PENDING,
        TxStatus::Committed => AFFIANT_TX_COMMITTED,
        TxStatus::Invalid => AFFIANT_TX_INVALID,
    }
}

/// Writes an id as text, such as "2.17". Copies at most `capacity` bytes, the last of which is NUL, and
/// returns the length of the whole text in bytes without NUL; 48 bytes are always enough. From any thread.
///
/// # Safety
/// `buffer` leads to `capacity` bytes, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_txid_format(
    txid: affiant_txid,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    let text = format!("{}.{}", txid.view, txid.seqno);
    // SAFETY: as promised to this function.
    unsafe { copy_text(&text, buffer, capacity) };
    text.len()
}

/// Reads an id, such as "2.17". `AFFIANT_INVALID_ARGUMENT` if the text is none. From any thread.
///
/// # Safety
/// `text` leads to as many bytes as it says, `txid` to room for an `affiant_txid`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_txid_parse(
    text: affiant_slice,
    txid: *mut affiant_txid,
) -> affiant_status {
    boundary::plain(|| {
        // SAFETY: as promised to this function.
        let (text, txid) = unsafe { (text.text("text")?, Out::new(txid, "txid")?) };
        let parsed: TxId = text
            .parse()
            .map_err(|_| Fault::argument("a transaction id looks like \"2.17\": view.seqno"))?;
        txid.write(parsed.into());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{AFFIANT_INVALID_ARGUMENT, AFFIANT_NULL_ARGUMENT, AFFIANT_OK};

    #[test]
    fn ids_are_read_as_they_are_written() {
        let mut room = [0 as c_char; 48];
        let longest = affiant_txid { view: u64::MAX, seqno: u64::MAX };
        // SAFETY: the room has as many bytes.
        let length = unsafe { affiant_txid_format(longest, room.as_mut_ptr(), room.len()) };
        assert!(length < room.len());
        let text = affiant_slice { data: room.as_ptr().cast(), size: length };
        let mut read = affiant_txid::default();
        // SAFETY: text and output are there.
        unsafe {
            assert_eq!(affiant_txid_parse(text, &raw mut read), AFFIANT_OK);
            assert_eq!(read, longest);
            for bad in ["", "2", "2.", "0.0", "2.x", "+2.1"] {
                let status = affiant_txid_parse(affiant_slice::of(bad.as_bytes()), &raw mut read);
                assert_eq!(status, AFFIANT_INVALID_ARGUMENT, "{bad}");
            }
            let status = affiant_txid_parse(text, core::ptr::null_mut());
            assert_eq!(status, AFFIANT_NULL_ARGUMENT);
        }
    }
}

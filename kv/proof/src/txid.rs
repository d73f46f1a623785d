//! Transaction identifiers: the view and the sequence number that name one ledger entry.

use core::fmt;
use core::str::FromStr;

/// The name of one transaction: `view.seqno`. Ordered by seqno, then view.
///
/// ```
/// use affiant_proof::TxId;
///
/// let txid: TxId = "2.17".parse()?;
/// assert_eq!((txid.view, txid.seqno), (2, 17));
/// assert_eq!(txid.to_string(), "2.17");
/// # Ok::<(), affiant_proof::TxIdParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct TxId {
    /// The view (raft term plus the service's offset); the first view of a service is 2.
    pub view: u64,
    /// The position in the ledger, from 1; also the index of the entry's leaf in the Merkle tree.
    pub seqno: u64,
}

impl TxId {
    /// Names the transaction at `seqno` in `view`.
    #[must_use]
    pub const fn new(view: u64, seqno: u64) -> Self {
        Self { view, seqno }
    }
}

impl PartialOrd for TxId {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TxId {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.seqno, self.view).cmp(&(other.seqno, other.view))
    }
}

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.view, self.seqno)
    }
}

/// The text was not two decimal numbers above zero, joined by a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxIdParseError;

impl fmt::Display for TxIdParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a transaction id is <view>.<seqno>, two decimal numbers above zero")
    }
}

impl core::error::Error for TxIdParseError {}

impl FromStr for TxId {
    type Err = TxIdParseError;

    fn from_str(text: &str) -> Result<Self, TxIdParseError> {
        let (view, seqno) = text.split_once('.').ok_or(TxIdParseError)?;
        Ok(Self { view: positive(view)?, seqno: positive(seqno)? })
    }
}

fn positive(text: &str) -> Result<u64, TxIdParseError> {
    // `parse` would accept a leading plus sign.
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(TxIdParseError);
    }
    match text.parse() {
        Ok(0) | Err(_) => Err(TxIdParseError),
        Ok(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_only_two_positive_decimals() {
        assert_eq!("2.17".parse(), Ok(TxId::new(2, 17)));
        for bad in
            ["", "2", "2.", ".2", "0.1", "1.0", "+1.2", "1.2.3", "a.b", "1.99999999999999999999"]
        {
            assert!(bad.parse::<TxId>().is_err(), "{bad}");
        }
    }
}

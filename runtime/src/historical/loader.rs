//! Reads past entries, and verifies them before anybody sees them.
//!
//! An entry is authenticated by its GCM tag under the ledger secret of its seqno, its leaf must lead
//! to the root of the next signature entry ([`affiant_kv::LedgerReader::entries`]), and that root
//! must be signed by a node whose certificate the service has issued. The last is checked once per
//! signature, by the verifier crate.

use std::collections::VecDeque;
use std::sync::Arc;

use affiant_kv::{LedgerReader, SignedRoot};
use affiant_proof::{Certificate, ProofError, TxId};

use super::slots::Range;
use super::state::HistoricalState;
use crate::error::{RuntimeError, RuntimeResult};
use crate::limits::HISTORICAL_ROOTS_COUNT_MAX;

/// Bytes of memory that an entry takes beyond those it has in the ledger, as a first guess.
const ENTRY_BYTES: usize = 2_048;

pub(super) struct Loader {
    reader: LedgerReader,
    service: Certificate,
    /// The last node certificate that was verified, and its text.
    node: Option<(String, Certificate)>,
    /// Signatures whose roots are verified, newest last.
    verified: VecDeque<TxId>,
}

impl Loader {
    pub(super) fn new(reader: LedgerReader, service_certificate_pem: &str) -> RuntimeResult<Self> {
        let service = Certificate::from_pem(service_certificate_pem).map_err(|error| {
            let reason = format!("the service's certificate cannot be read: {error}");
            RuntimeError::Stopped { reason }
        })?;
        Ok(Self { reader, service, node: None, verified: VecDeque::new() })
    }

    /// Bytes of memory that a range will take, about; `None` if it is not committed.
    pub(super) fn estimate(&self, range: Range) -> RuntimeResult<Option<usize>> {
        let Some(bytes) = self.reader.span_bytes(range.first, range.last)? else { return Ok(None) };
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let count = usize::try_from(range.count()).unwrap_or(usize::MAX);
        Ok(Some(bytes.saturating_add(count.saturating_mul(ENTRY_BYTES))))
    }

    /// Entries from the first of the range on, at least one of them if it is committed.
    pub(super) fn load(&mut self, part: Range) -> RuntimeResult<Vec<Arc<HistoricalState>>> {
        let entries = self.reader.entries(part.first, part.last)?;
        let mut states = Vec::with_capacity(entries.len());
        for entry in entries {
            self.verify(&entry.receipt.signed_root).map_err(|error| RuntimeError::Stopped {
                reason: format!("the receipt of {} does not verify: {error}", entry.txid),
            })?;
            states.push(Arc::new(HistoricalState::new(entry)));
        }
        Ok(states)
    }

    fn verify(&mut self, signed: &SignedRoot) -> Result<(), ProofError> {
        if self.verified.contains(&signed.txid) {
            return Ok(());
        }
        let known = self.node.take().filter(|(pem, _)| *pem == signed.node_certificate_pem);
        let (pem, certificate) = match known {
            Some(known) => known,
            None => {
                let certificate = Certificate::from_pem(&signed.node_certificate_pem)?;
                certificate.verify_issued_by(&self.service)?;
                (signed.node_certificate_pem.clone(), certificate)
            }
        };
        let key = certificate.public_key();
        if key.key_id() != signed.node_id {
            let why = format!("its key is not that of node {}", signed.node_id);
            return Err(ProofError::Certificate { what: "node certificate", why });
        }
        key.verify_root("signed root", &signed.root, &signed.signature)?;
        self.node = Some((pem, certificate));
        if self.verified.len() >= HISTORICAL_ROOTS_COUNT_MAX {
            self.verified.pop_front();
        }
        self.verified.push_back(signed.txid);
        Ok(())
    }
}

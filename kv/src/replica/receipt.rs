//! What a receipt is made of, whatever its encoding.

use std::sync::Arc;

use affiant_proof::TxId;
use affiant_proof::cose::InclusionProof;

use super::event::SignedRoot;

/// The material of one receipt.
#[derive(Clone, Debug)]
pub struct ReceiptParts {
    /// The transaction.
    pub txid: TxId,
    /// Its leaf's components (write set digest, commit evidence, claims digest) and its path to the
    /// root; `None` for a signature transaction, whose receipt is its own signature over the root.
    pub proof: Option<InclusionProof>,
    /// The signature over the root: the next one for a transaction, its own for a signature.
    pub signed_root: Arc<SignedRoot>,
}

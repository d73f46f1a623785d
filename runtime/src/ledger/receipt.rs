//! A receipt as the embedding host has it. What it proves is decided by [`affiant_proof`].

use affiant_kv::ReceiptParts;
use affiant_proof::{TxId, UnreadableReceipt, Verdict, VerifyOptions, verify_receipt};

use crate::error::RuntimeResult;
use crate::receipts::{receipt_cose, receipt_json};

/// The proof that a service has committed a transaction, in the forms in which it travels. It needs
/// nothing but the service's certificate to be checked, years later and elsewhere.
///
/// ```
/// # use std::time::Duration;
/// # use affiant::{MapName, Runtime};
/// use affiant::proof::{VerifyOptions, verify_receipt};
///
/// # let runtime = Runtime::builder().in_memory().start()?;
/// let (_, txid) = runtime.run(|tx| Ok(tx.put(&MapName::new("accounts")?, b"alice", b"10")?))?;
/// let receipt = runtime.receipt(txid, Duration::from_secs(10))?;
/// let (sent, certificate) = (receipt.json().to_owned(), runtime.service_certificate());
///
/// // Elsewhere, without the ledger.
/// let (_, verdict) = verify_receipt(sent.as_bytes(), &certificate, &VerifyOptions::default())?;
/// assert!(verdict.is_valid());
/// assert_eq!(verdict.txid, Some(txid));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    txid: TxId,
    json: String,
    cose: Option<Vec<u8>>,
}

impl Receipt {
    pub(super) fn of(txid: TxId, parts: &ReceiptParts) -> RuntimeResult<Self> {
        Ok(Self { txid, json: receipt_json(parts).to_string(), cose: receipt_cose(parts)? })
    }

    /// The transaction that it is of.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let runtime = affiant::Runtime::builder().in_memory().start()?;
    /// let receipt = runtime.receipt(runtime.committed(), Duration::from_secs(10))?;
    /// assert_eq!(receipt.txid(), runtime.committed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn txid(&self) -> TxId {
        self.txid
    }

    /// The receipt as JSON, in CCF's form.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let runtime = affiant::Runtime::builder().in_memory().start()?;
    /// let receipt = runtime.receipt(runtime.committed(), Duration::from_secs(10))?;
    /// assert!(receipt.json().contains("\"signature\""));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The receipt as a COSE_Sign1 of the service's key; `None` for a transaction that is a signature,
    /// which has no such form.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use affiant::{MapName, Runtime};
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// let (_, txid) = runtime.run(|tx| Ok(tx.put(&MapName::new("accounts")?, b"alice", b"10")?))?;
    /// assert!(runtime.receipt(txid, Duration::from_secs(10))?.cose().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cose(&self) -> Option<&[u8]> {
        self.cose.as_deref()
    }

    /// Checks it offline against a service's certificate, in every form that it has: whether that service
    /// has committed the transaction. Look at the verdict; it names every check, also where it holds.
    ///
    /// # Errors
    /// The certificate cannot be read.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use affiant::{MapName, Runtime};
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// let (_, txid) = runtime.run(|tx| Ok(tx.put(&MapName::new("accounts")?, b"alice", b"10")?))?;
    /// let receipt = runtime.receipt(txid, Duration::from_secs(10))?;
    /// assert!(receipt.verify(&runtime.service_certificate())?.is_valid());
    ///
    /// let stranger = Runtime::builder().in_memory().start()?;
    /// let verdict = receipt.verify(&stranger.service_certificate())?;
    /// assert!(!verdict.is_valid(), "{verdict}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn verify(&self, service_certificate_pem: &str) -> Result<Verdict, UnreadableReceipt> {
        self.verify_with(service_certificate_pem, &VerifyOptions::default())
    }

    /// As [`Self::verify`], comparing more: the claims that the transaction was to make, the time at
    /// which certificates must be valid.
    ///
    /// # Errors
    /// As [`Self::verify`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use affiant::{MapName, Runtime};
    /// use affiant::proof::{Digest, ExpectedClaims, VerifyOptions};
    ///
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// let (_, txid) = runtime.run(|tx| {
    ///     tx.set_claims_digest(Digest::of(b"alice has 10"));
    ///     Ok(tx.put(&MapName::new("accounts")?, b"alice", b"10")?)
    /// })?;
    /// let receipt = runtime.receipt(txid, Duration::from_secs(10))?;
    /// let claims = ExpectedClaims::Preimage(b"alice has 10");
    /// let options = VerifyOptions { claims, ..VerifyOptions::default() };
    /// assert!(receipt.verify_with(&runtime.service_certificate(), &options)?.is_valid());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn verify_with(
        &self,
        service_certificate_pem: &str,
        options: &VerifyOptions<'_>,
    ) -> Result<Verdict, UnreadableReceipt> {
        let (_, mut verdict) =
            verify_receipt(self.json.as_bytes(), service_certificate_pem, options)?;
        if let Some(cose) = &self.cose {
            let (_, of_cose) = verify_receipt(cose, service_certificate_pem, options)?;
            verdict.checks.extend(of_cose.checks);
        }
        Ok(verdict)
    }
}

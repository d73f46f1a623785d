//! Evidence in JSON of whichever shape.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Attestation, CcfQuote, Evidence};
use crate::AttestError;
use crate::limits::EVIDENCE_JSON_BYTES_MAX;

const WHAT: &str = "evidence in JSON";

/// The members that tell the shapes apart.
#[derive(Deserialize)]
struct Shape {
    format: Option<IgnoredAny>,
    raw: Option<IgnoredAny>,
    quote: Option<IgnoredAny>,
    evidence: Option<IgnoredAny>,
    quotes: Option<IgnoredAny>,
    attestations: Option<IgnoredAny>,
}

impl Attestation {
    /// Reads evidence in JSON: a CCF node's quote (`format`, with `raw` or `quote`) or a sidecar's
    /// answer (`evidence`).
    ///
    /// # Errors
    /// It is neither, or both, or malformed as such; a list of quotes is for
    /// [`CcfQuote::list_from_json`].
    pub fn from_json(json: &[u8]) -> Result<Self, AttestError> {
        AttestError::bound("size of evidence in JSON", json.len(), EVIDENCE_JSON_BYTES_MAX)?;
        let shape: Shape = serde_json::from_slice(json)
            .map_err(|error| AttestError::malformed(WHAT, error.to_string()))?;
        let has = |member: &Option<IgnoredAny>| member.is_some();
        let quote = has(&shape.format) || has(&shape.raw) || has(&shape.quote);
        match (quote, has(&shape.evidence), has(&shape.quotes) || has(&shape.attestations)) {
            (true, false, false) => CcfQuote::from_json(json).map(|quote| quote.attestation),
            (false, true, false) => {
                Evidence::from_skr_json(json).map(|evidence| Self::Snp(Box::new(evidence)))
            }
            (false, false, true) => {
                Err(AttestError::malformed(WHAT, "it is a list of quotes, where one is wanted"))
            }
            (false, false, false) => Err(AttestError::malformed(
                WHAT,
                "it has neither format and raw (a node's quote) nor evidence (a sidecar's answer)",
            )),
            _ => Err(AttestError::malformed(WHAT, "it has members of several shapes")),
        }
    }

    /// JSON that [`Attestation::from_json`] reads: a CCF node's quote without node id. The proved time
    /// is not in it, for it is nothing that evidence may say of itself.
    #[must_use]
    pub fn to_json(&self) -> String {
        CcfQuote { node_id: None, attestation: self.clone() }.to_value().to_string()
    }
}

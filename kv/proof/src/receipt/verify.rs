//! Checking receipts offline, against a service certificate or key that the caller trusts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{LeafComponents, Receipt, digest};
use crate::cert::{Certificate, verify_chain};
use crate::claims::{self, parse_commit_evidence};
use crate::cose::{
    InclusionProof, Sign1, SignedHeader, parse_inclusion_proofs, verify_endorsement,
};
use crate::key::PublicKey;
use crate::limits::{CERTIFICATE_BYTES_MAX, ENDORSEMENTS_MAX};
use crate::verdict::{SIGNATURE, Verdict};
use crate::{Digest, ProofError, TxId};

const FORMAT: &str = "format";
const COMMIT_EVIDENCE: &str = "commit evidence";
const CLAIMS: &str = "claims";
const ROOT: &str = "root";
const NODE_ID: &str = "node id";
const CHAIN: &str = "certificate chain";
const VALIDITY: &str = "validity";
const KEY_ID: &str = "key id";
const DATA_STRUCTURE: &str = "data structure";
const ORDER: &str = "order";
const ENDORSEMENTS: &str = "endorsements";
const EPOCH: &str = "epoch";

/// What the caller expects the receipt to attest beside the transaction itself.
#[derive(Clone, Copy, Debug, Default)]
pub enum ExpectedClaims<'a> {
    /// Nothing: the claims digest is taken as the receipt has it.
    #[default]
    Any,
    /// That the application set no claims.
    None,
    /// That the application set claims of this digest.
    Digest(Digest),
    /// That the application set claims whose digest is the SHA-256 of these bytes.
    Preimage(&'a [u8]),
}

impl ExpectedClaims<'_> {
    fn digest(self) -> Option<Digest> {
        match self {
            Self::Any => None,
            Self::None => Some(Digest::ZERO),
            Self::Digest(digest) => Some(digest),
            Self::Preimage(bytes) => Some(Digest::of(bytes)),
        }
    }
}

/// How to verify a receipt.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyOptions<'a> {
    /// The moment at which all certificates must be valid, in unix seconds. None: validity is
    /// not checked. A receipt speaks of the past, so an expired certificate need not void it.
    pub now: Option<u64>,
    /// The claims to compare.
    pub claims: ExpectedClaims<'a>,
}

/// Verifies a JSON receipt. `trusted_pem` holds the certificates (one or more) of the service
/// that the caller trusts.
pub fn verify_json(receipt: &Receipt, trusted_pem: &str, options: &VerifyOptions<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(leaf) = check_leaf(receipt, options.claims, &mut verdict) else {
        verdict.skipped(SIGNATURE, "the leaf is not known");
        return verdict;
    };
    let root = verdict.record(ROOT, receipt.path().map(|path| path.root(&leaf)), |root| {
        format!("leaf {leaf} leads in {} steps to root {root}", receipt.proof.len())
    });
    let cert = verdict.record(NODE_ID, node_certificate(receipt), |_| {
        "the node id is that of the certificate's key".to_owned()
    });
    let (Some(root), Some(cert)) = (root, cert) else {
        verdict.skipped(SIGNATURE, "the root or the certificate is not known");
        return verdict;
    };
    let signature = STANDARD.decode(&receipt.signature).map_err(|error| ProofError::Json {
        what: "signature of the receipt",
        why: error.to_string(),
    });
    let signed = signature.and_then(|signature| {
        cert.public_key().verify_root("the receipt's root", &root, &signature)
    });
    verdict.record(SIGNATURE, signed, |()| {
        format!("node {} signed root {root}", cert.public_key().key_id())
    });
    check_chain(receipt, &cert, trusted_pem, options.now, &mut verdict);
    verdict
}

/// The leaf, from its parts or as given.
fn check_leaf(
    receipt: &Receipt,
    expected: ExpectedClaims<'_>,
    verdict: &mut Verdict,
) -> Option<Digest> {
    let Some(parts) = &receipt.leaf_components else {
        let leaf = digest("leaf", receipt.leaf.as_deref().unwrap_or_default());
        let leaf = verdict.record(FORMAT, leaf, |_| {
            let kind = if receipt.proof.is_empty() {
                "a signature transaction, whose leaf here is the root it signs"
            } else {
                "a leaf without its parts, as of transactions older than commit evidence: the \
                 receipt shows that it is in the tree, and nothing of what it stands for"
            };
            kind.to_owned()
        });
        match expected {
            ExpectedClaims::Any => verdict.skipped(CLAIMS, "this kind of transaction has none"),
            ExpectedClaims::None => verdict.passed(CLAIMS, "this kind of transaction has none"),
            _ => verdict.failed(CLAIMS, "claims were expected; this kind of transaction has none"),
        }
        return leaf;
    };
    let evidence = parse_commit_evidence(&parts.commit_evidence);
    verdict.txid = verdict.record(COMMIT_EVIDENCE, evidence, |txid| {
        format!("it names transaction {txid}; the signature shows whether it is the real one")
    });
    let claims = check_claims(parts, expected, verdict)?;
    let write_set = digest("write_set_digest", &parts.write_set_digest);
    let write_set = verdict.record(FORMAT, write_set, |_| "all parts are there".to_owned())?;
    let evidence = Digest::of(parts.commit_evidence.as_bytes());
    Some(claims::leaf(&write_set, &evidence, &claims))
}

/// The claims digest to use: the receipt's, or the expected one where the receipt leaves it out.
fn check_claims(
    parts: &LeafComponents,
    expected: ExpectedClaims<'_>,
    verdict: &mut Verdict,
) -> Option<Digest> {
    let Some(recorded) = &parts.claims_digest else {
        match expected.digest() {
            Some(digest) => verdict.passed(
                CLAIMS,
                format!("the receipt leaves them out; {digest} is used, the signature decides"),
            ),
            None => verdict.skipped(
                CLAIMS,
                "the receipt leaves them out and none were given; taken as 32 zero bytes",
            ),
        }
        return Some(expected.digest().unwrap_or(Digest::ZERO));
    };
    match digest("claims_digest", recorded) {
        Err(error) => {
            verdict.failed(CLAIMS, error.to_string());
            None
        }
        Ok(recorded) => {
            compare_claims(recorded, expected, verdict);
            Some(recorded)
        }
    }
}

fn compare_claims(recorded: Digest, expected: ExpectedClaims<'_>, verdict: &mut Verdict) {
    match expected.digest() {
        None => verdict.skipped(CLAIMS, format!("not compared; the digest is {recorded}")),
        Some(expected) if expected == recorded => {
            verdict.passed(CLAIMS, format!("the digest is {recorded}, as expected"));
        }
        Some(expected) => verdict.failed(
            CLAIMS,
            format!("expected digest {expected}, but the receipt attests {recorded}"),
        ),
    }
}

fn node_certificate(receipt: &Receipt) -> Result<Certificate, ProofError> {
    let cert = Certificate::from_pem(&receipt.cert)?;
    let expected = cert.public_key().key_id();
    // Receipts that an application builds may leave the id out; the certificate is what counts.
    if !receipt.node_id.is_empty() && receipt.node_id != expected {
        let found = receipt.node_id.clone();
        return Err(ProofError::Mismatch { what: "node id", expected, found });
    }
    Ok(cert)
}

fn check_chain(
    receipt: &Receipt,
    node: &Certificate,
    trusted_pem: &str,
    now: Option<u64>,
    verdict: &mut Verdict,
) {
    let endorsements: Result<Vec<_>, _> = receipt
        .service_endorsements
        .iter()
        .flatten()
        .map(|pem| Certificate::from_pem(pem))
        .collect();
    let chain = endorsements.and_then(|endorsements| {
        let mut result = Err(ProofError::Certificate {
            what: "trusted service certificate",
            why: "none was given".to_owned(),
        });
        for trusted in certificates(trusted_pem)? {
            result = verify_chain(node, &endorsements, &trusted, None)
                .map(|()| (endorsements.clone(), trusted));
            if result.is_ok() {
                break;
            }
        }
        result
    });
    let chain = verdict.record(CHAIN, chain, |(endorsements, trusted)| {
        let steps = endorsements.len();
        format!("the node's certificate leads over {steps} endorsements to {}", trusted.subject())
    });
    match (now, chain) {
        (None, _) => verdict.skipped(VALIDITY, "no time was given to check dates against"),
        (Some(_), None) => verdict.skipped(VALIDITY, "the chain does not hold"),
        (Some(now), Some((endorsements, trusted))) => {
            let mut all = endorsements.iter().chain([node, &trusted]);
            let valid = all.try_for_each(|cert| cert.verify_valid_at(now));
            verdict.record(VALIDITY, valid, |()| {
                format!("all certificates are valid at {now} (unix seconds)")
            });
        }
    }
}

/// The certificates in a text of one or more PEM blocks.
pub(crate) fn certificates(pem: &str) -> Result<Vec<Certificate>, ProofError> {
    const END: &str = "-----END CERTIFICATE-----";
    let limit = CERTIFICATE_BYTES_MAX * ENDORSEMENTS_MAX;
    if pem.len() > limit {
        let (found, limit) = (pem.len() as u64, limit as u64);
        return Err(ProofError::TooLarge { what: "trusted certificates", found, limit });
    }
    let blocks = pem.split_inclusive(END).filter(|block| !block.trim().is_empty());
    blocks.map(|block| Certificate::from_pem(&format!("{}\n", block.trim()))).collect()
}

/// Verifies a COSE receipt that may be older than recoveries of the service. `endorsements` lead
/// from the trusted key back: the first is signed by it, each next one by the key that the one
/// before endorsed. The last endorsed key must have signed the receipt, in its epoch.
pub fn verify_cose_endorsed(
    receipt: &[u8],
    endorsements: &[&[u8]],
    trusted_key: &PublicKey,
    claims: ExpectedClaims<'_>,
) -> Verdict {
    let mut key = trusted_key.clone();
    let mut epoch = None;
    let walked = if endorsements.len() > ENDORSEMENTS_MAX {
        let (found, limit) = (endorsements.len() as u64, ENDORSEMENTS_MAX as u64);
        Err(ProofError::TooLarge { what: "number of endorsements", found, limit })
    } else {
        endorsements.iter().try_for_each(|sign1| {
            let endorsed = verify_endorsement(sign1, &key)?;
            key = endorsed.key;
            epoch = Some(endorsed.epoch);
            Ok(())
        })
    };
    let mut verdict = verify_cose(receipt, &key, claims);
    verdict.record(ENDORSEMENTS, walked, |()| {
        format!("{} endorsements lead from the trusted key to {}", endorsements.len(), key.key_id())
    });
    match (epoch, verdict.txid) {
        (Some(epoch), Some(txid)) if epoch.contains(txid) => {
            verdict.passed(EPOCH, format!("{txid} lies in the epoch of the key that signed it"));
        }
        (Some(_), Some(txid)) => {
            verdict.failed(EPOCH, format!("{txid} lies outside of the epoch of the key"));
        }
        _ => verdict.skipped(EPOCH, "no endorsement, or no transaction id, to compare"),
    }
    verdict
}

/// Verifies a COSE receipt with the service key that the caller trusts.
pub fn verify_cose(receipt: &[u8], service_key: &PublicKey, claims: ExpectedClaims<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let parsed = Sign1::parse(receipt).and_then(|sign1| {
        if sign1.payload.is_some() {
            let found = "an attached one".to_owned();
            return Err(ProofError::Unsupported { what: "payload of a receipt,", found });
        }
        Ok((sign1, sign1.header()?, parse_inclusion_proofs(&sign1)?))
    });
    let parsed = verdict.record(FORMAT, parsed, |(_, _, proofs)| {
        format!("a COSE_Sign1 with {} inclusion proof(s)", proofs.len())
    });
    let Some((sign1, header, proofs)) = parsed else {
        verdict.skipped(SIGNATURE, "the receipt cannot be read");
        return verdict;
    };
    check_header(&header, service_key, &mut verdict);
    for proof in &proofs {
        check_proof(proof, header.txid, claims, &mut verdict);
        let root = proof.root();
        verdict.passed(
            ROOT,
            format!("the leaf leads in {} steps to root {root}", proof.path.steps().len()),
        );
        let signed = service_key.verify_cose(
            "the receipt's root",
            &sign1.to_be_signed(&root.0),
            sign1.signature,
        );
        verdict.record(SIGNATURE, signed, |()| format!("the service signed root {root}"));
    }
    verdict
}

fn check_header(header: &SignedHeader<'_>, service_key: &PublicKey, verdict: &mut Verdict) {
    let expected = service_key.key_id();
    match header.key_id {
        Some(found) if found == expected.as_bytes() => {
            verdict.passed(KEY_ID, "the receipt names the trusted key");
        }
        Some(found) => verdict.failed(
            KEY_ID,
            format!(
                "the receipt names key {}, the trusted one is {expected}",
                found.escape_ascii()
            ),
        ),
        None => verdict.failed(KEY_ID, "the receipt does not name the key that signed it"),
    }
    if header.algorithm != Some(service_key.algorithm().cose_id()) {
        verdict.failed(
            FORMAT,
            format!(
                "algorithm {:?} does not belong to a key for {:?}",
                header.algorithm,
                service_key.algorithm()
            ),
        );
    }
    match header.data_structure {
        Some(2) => verdict.passed(DATA_STRUCTURE, "a CCF ledger (2)"),
        other => {
            verdict.failed(DATA_STRUCTURE, format!("expected 2 (a CCF ledger), not {other:?}"))
        }
    }
}

fn check_proof(
    proof: &InclusionProof,
    signature: Option<TxId>,
    claims: ExpectedClaims<'_>,
    verdict: &mut Verdict,
) {
    let evidence = parse_commit_evidence(&proof.commit_evidence);
    let txid = verdict.record(COMMIT_EVIDENCE, evidence, |txid| {
        format!("it names transaction {txid}; the signature shows whether it is the real one")
    });
    verdict.txid = verdict.txid.or(txid);
    compare_claims(proof.claims_digest, claims, verdict);
    match (txid, signature) {
        (Some(txid), Some(signature)) if txid < signature && txid.view <= signature.view => {
            verdict.passed(ORDER, format!("{txid} precedes its signature {signature}"));
        }
        (Some(txid), Some(signature)) => {
            verdict.failed(ORDER, format!("{txid} does not precede its signature {signature}"));
        }
        _ => verdict.skipped(ORDER, "one of the two transaction ids is not known"),
    }
}

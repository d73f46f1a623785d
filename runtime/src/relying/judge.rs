//! The judgement, without a network: what a service showed over one connection, held against what a
//! relying party wants.
//!
//! Invariant: the connection is tied to the evidence by its key alone. Names, addresses and
//! certificates that the other side shows count for nothing before that tie holds, and every check is
//! made and listed even if an earlier one failed.

use affiant_attest::{
    Affiant, Attestation, Outcome, Policy, Statement, Verdict, verify_attestation,
};
use affiant_proof::{
    Certificate, Digest, ExpectedClaims, Outcome as ProofOutcome, UnreadableReceipt, VerifyOptions,
    verify_chain, verify_receipt,
};

use super::RelyingError;
use crate::tls::public_key_der;

/// The checks of this module; stable, as those of the evidence are.
pub(super) const TLS_KEY: &str = "tls key";
pub(super) const STATEMENT: &str = "statement";
pub(super) const NONCE: &str = "nonce";
pub(super) const ATTESTED_SERVICE: &str = "attested service";
pub(super) const TLS_CERTIFICATE: &str = "tls certificate";
pub(super) const KNOWN_SERVICE: &str = "known service";
pub(super) const RECEIPT: &str = "receipt";

/// Where the bytes that evidence is bound to lie in a report, and how many of them are a digest.
const REPORT_DATA: usize = 0x50;
const DIGEST_BYTES: usize = 32;

/// What a service showed over one connection. Nothing of it is trusted.
#[derive(Clone)]
pub(super) struct Shown {
    /// The certificate of the TLS handshake, whose key signed it; DER.
    pub(super) tls_certificate: Vec<u8>,
    /// The evidence, as the node gave it.
    pub(super) attestation: Attestation,
    /// The certificate of the service, PEM.
    pub(super) service_certificate_pem: String,
}

/// What the relying party wants.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) policy: &'a Policy,
    /// The bytes that the evidence must be made over, if it must be fresh.
    pub(super) nonce: Option<&'a [u8]>,
    /// The certificate of the service that it must be, if that is known; PEM.
    pub(super) service_certificate_pem: Option<&'a str>,
    /// A receipt that the service must have signed.
    pub(super) receipt: Option<&'a [u8]>,
    /// Seconds since 1970.
    pub(super) at_unix_s: u64,
}

/// Makes every check.
///
/// # Errors
/// A certificate or the receipt cannot be read at all.
pub(super) fn judge(shown: &mut Shown, wanted: &Wanted<'_>) -> Result<Verdict, RelyingError> {
    let key = public_key_der(&shown.tls_certificate)
        .map_err(|why| RelyingError::unreadable("the certificate of the TLS connection", why))?;
    let service = Certificate::from_pem(&shown.service_certificate_pem)
        .map_err(|why| RelyingError::unreadable("the service certificate of the node", why))?;
    let mut verdict = Verdict::default();
    let statement = tie(&mut verdict, &mut shown.attestation, &key, wanted);
    attested_service(&mut verdict, statement.as_ref(), &service);
    tls_certificate(&mut verdict, &shown.tls_certificate, &service, wanted.at_unix_s);
    known_service(&mut verdict, wanted.service_certificate_pem, &service)?;
    let evidence = verify_attestation(&shown.attestation, wanted.policy, wanted.at_unix_s);
    verdict.checks.extend(evidence.checks);
    receipt(&mut verdict, wanted.receipt, &shown.service_certificate_pem)?;
    Ok(verdict)
}

/// Hex SHA-256 of a public key, as ids of nodes and services are made.
pub(super) fn key_id(public_key_der: &[u8]) -> String {
    Digest::of(public_key_der).to_hex()
}

/// Ties the key of the connection to the evidence. The bytes that the evidence is bound to become
/// known on the way: those that the node says, or the key itself (CCF's convention).
fn tie(
    verdict: &mut Verdict,
    attestation: &mut Attestation,
    key: &[u8],
    wanted: &Wanted<'_>,
) -> Option<Statement> {
    match attestation.bound_mut().clone() {
        Some(bytes) if bytes != key => return stated(verdict, attestation, &bytes, key, wanted),
        _ => *attestation.bound_mut() = Some(key.to_vec()),
    }
    let (found, attested) = (key_id(key), bound_digest(attestation));
    let holds = attested.as_ref() == Some(&found);
    let attested = attested.unwrap_or_else(|| "no report data".to_owned());
    same(verdict, TLS_KEY, holds, &found, &attested, TLS_KEY_WORDS);
    let why = "the evidence is bound to the node's key alone, as CCF's nodes bind it";
    verdict.push(STATEMENT, Outcome::Skipped, "", "", why);
    match wanted.nonce {
        None => verdict.push(NONCE, Outcome::Skipped, "", "", NO_NONCE),
        Some(nonce) => {
            let why = "the node showed evidence that it had before it was asked: CCF's nodes make \
                       none on demand. Verify without a nonce; then nothing says when it was made";
            verdict.push(NONCE, Outcome::Failed, "", hex(nonce), why);
        }
    }
    None
}

/// The node says that the evidence is bound to a statement.
fn stated(
    verdict: &mut Verdict,
    attestation: &mut Attestation,
    bytes: &[u8],
    key: &[u8],
    wanted: &Wanted<'_>,
) -> Option<Statement> {
    let statement = match Statement::parse(bytes) {
        Ok(statement) => statement,
        Err(error) => {
            // Whatever it is, it does not name the key of this connection.
            let why = "the evidence is bound to bytes that name no key, so that it says nothing of \
                       who answers here";
            verdict.push(TLS_KEY, Outcome::Failed, key_id(key), "", why);
            let why =
                format!("the node's evidence is bound to bytes that are no statement: {error}");
            verdict.push(STATEMENT, Outcome::Failed, "", "", why);
            let why = "there is no statement that could hold it";
            verdict.push(NONCE, Outcome::Skipped, "", "", why);
            return None;
        }
    };
    let (found, attested) = (key_id(key), key_id(&statement.node_public_key));
    same(verdict, TLS_KEY, found == attested, &found, &attested, TLS_KEY_WORDS);
    let own = statement.affiant == Affiant::Node;
    same(
        verdict,
        STATEMENT,
        own,
        statement.affiant.as_str(),
        Affiant::Node.as_str(),
        [
            "the evidence was made by the node for itself",
            "the evidence was made for an app: an app can choose what it is bound to, so it does not speak \
         for the node. Somebody shows evidence that ccf.getAttestation gave",
        ],
    );
    match wanted.nonce {
        None => verdict.push(NONCE, Outcome::Skipped, "", "", NO_NONCE),
        Some(nonce) => {
            let holds = statement.bound == nonce;
            same(
                verdict,
                NONCE,
                holds,
                &hex(&statement.bound),
                &hex(nonce),
                [
                    "the evidence was made after the nonce was chosen, so it is fresh",
                    "the evidence was made over another nonce, so it may be old: somebody may replay it",
                ],
            );
            if holds && let Attestation::Snp(evidence) = attestation {
                evidence.proved_at_unix_s = Some(wanted.at_unix_s);
            }
        }
    }
    Some(statement)
}

const TLS_KEY_WORDS: [&str; 2] = [
    "the key that answers on this connection is the attested one: the connection ends in the guest of \
     the evidence",
    "the key that answers on this connection is not the attested one: whoever answers shows the \
     evidence of somebody else, as a proxy does that ends TLS itself. Ask the node directly",
];
const NO_NONCE: &str = "none was asked for, so nothing here says when the evidence was made";

fn attested_service(verdict: &mut Verdict, statement: Option<&Statement>, service: &Certificate) {
    let Some(statement) = statement else {
        let why =
            "the evidence does not name the service; the attested node does, on this connection";
        verdict.push(ATTESTED_SERVICE, Outcome::Skipped, "", "", why);
        return;
    };
    let (found, attested) = (identity_of(service), key_id(&statement.service_identity));
    same(
        verdict,
        ATTESTED_SERVICE,
        found == attested,
        &found,
        &attested,
        [
            "the evidence names the service whose certificate the node shows",
            "the evidence names another service than the one whose certificate the node shows",
        ],
    );
}

fn tls_certificate(verdict: &mut Verdict, tls: &[u8], service: &Certificate, at_unix_s: u64) {
    let checked = Certificate::from_der(tls)
        .and_then(|leaf| verify_chain(&leaf, &[], service, Some(at_unix_s)).map(|()| leaf));
    let service = service.subject();
    match checked {
        Ok(leaf) => {
            let why = "the service issued the certificate of this connection, and it is valid";
            verdict.push(TLS_CERTIFICATE, Outcome::Passed, leaf.issuer(), service, why);
        }
        Err(error) => {
            let why = format!(
                "the certificate of this connection does not lead to the service's: {error}. An \
                 interface whose endorsement is \"Node\" shows a self-signed one: use one whose \
                 endorsement is \"Service\""
            );
            verdict.push(TLS_CERTIFICATE, Outcome::Failed, "", service, why);
        }
    }
}

fn known_service(
    verdict: &mut Verdict,
    known: Option<&str>,
    service: &Certificate,
) -> Result<(), RelyingError> {
    let Some(known) = known else {
        let why = "no service certificate was given, so this may be any service whose nodes the policy \
                   accepts";
        verdict.push(KNOWN_SERVICE, Outcome::Skipped, identity_of(service), "", why);
        return Ok(());
    };
    let known = Certificate::from_pem(known)
        .map_err(|why| RelyingError::unreadable("the service certificate that was given", why))?;
    let (found, wanted) = (identity_of(service), identity_of(&known));
    same(
        verdict,
        KNOWN_SERVICE,
        found == wanted,
        &found,
        &wanted,
        [
            "it is the service whose certificate was given",
            "it is another service than the one whose certificate was given. A service that was recovered \
         after a disaster has another identity: ask its operators for the new certificate",
        ],
    );
    Ok(())
}

/// Hex SHA-256 of the service's public key: what stays when its certificate is renewed.
pub(super) fn identity_of(certificate: &Certificate) -> String {
    public_key_der(certificate.der()).map(|key| key_id(&key)).unwrap_or_default()
}

/// As [`identity_of`], of a certificate in PEM.
pub(super) fn identity_of_pem(pem: &str) -> String {
    Certificate::from_pem(pem).map(|found| identity_of(&found)).unwrap_or_default()
}

fn receipt(
    verdict: &mut Verdict,
    receipt: Option<&[u8]>,
    service_certificate_pem: &str,
) -> Result<(), RelyingError> {
    let Some(receipt) = receipt else { return Ok(()) };
    let options = VerifyOptions { now: None, claims: ExpectedClaims::Any };
    let (_, found) = verify_receipt(receipt, service_certificate_pem, &options).map_err(
        |error| match error {
            UnreadableReceipt::Receipt(why) => RelyingError::unreadable("the receipt", why),
            UnreadableReceipt::Certificate(why) => {
                RelyingError::unreadable("the service certificate of the node", why)
            }
        },
    )?;
    let txid = found.txid.map_or_else(|| "a transaction".to_owned(), |txid| txid.to_string());
    let (outcome, why) = if found.is_valid() {
        (Outcome::Passed, format!("this service committed {txid}"))
    } else {
        (Outcome::Failed, format!("this does not show that the service committed {txid}"))
    };
    verdict.push(RECEIPT, outcome, "", "", why);
    for check in found.checks {
        let outcome = match check.outcome {
            ProofOutcome::Passed => Outcome::Passed,
            ProofOutcome::Failed => Outcome::Failed,
            ProofOutcome::Skipped => Outcome::Skipped,
        };
        verdict.push(receipt_check(check.name), outcome, "", "", check.explanation);
    }
    Ok(())
}

/// The verifier of receipts names its checks for itself; beside others they need the noun.
fn receipt_check(name: &str) -> &'static str {
    match name {
        "format" => "receipt format",
        "commit evidence" => "receipt commit evidence",
        "claims" => "receipt claims",
        "root" => "receipt root",
        "node id" => "receipt node id",
        "signature" => "receipt signature",
        "certificate chain" => "receipt certificate chain",
        "validity" => "receipt validity",
        "key id" => "receipt key id",
        "data structure" => "receipt data structure",
        "order" => "receipt order",
        "endorsements" => "receipt endorsements",
        "epoch" => "receipt epoch",
        _ => "receipt check",
    }
}

/// Records whether two things are the same, in the words for either case.
fn same(
    verdict: &mut Verdict,
    name: &'static str,
    holds: bool,
    found: &str,
    wanted: &str,
    [good, bad]: [&str; 2],
) {
    let (outcome, why) = if holds { (Outcome::Passed, good) } else { (Outcome::Failed, bad) };
    verdict.push(name, outcome, found, wanted, why);
}

/// The digest of what the evidence is bound to, hex.
fn bound_digest(attestation: &Attestation) -> Option<String> {
    let digest = match attestation {
        Attestation::Snp(evidence) => {
            evidence.report.get(REPORT_DATA..REPORT_DATA + DIGEST_BYTES)?
        }
        Attestation::Virtual(evidence) => evidence.report_data.get(..DIGEST_BYTES)?,
    };
    Some(hex(digest))
}

fn hex(bytes: &[u8]) -> String {
    affiant_proof::to_hex(bytes)
}

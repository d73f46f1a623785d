//! A policy that accepts a node as it is now, to start from.
//!
//! Invariant: a policy is proposed only if the node passes it, every check of the connection and of
//! the evidence included; and it says that it trusts on first use.

use affiant_attest::{Attestation, Examination, Policy, Verdict, VirtualEvidence, examine};
use affiant_proof::to_hex;
use serde_json::{Map, Value as Json, json};

use super::judge::{Shown, Wanted, judge};
use super::{RelyingError, ServiceVerdict};

/// A policy that accepts a node as it is now.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The policy, pretty JSON.
    pub json: String,
    /// What its lines mean, and what it does not hold the node to; a sentence each.
    pub words: Vec<String>,
    /// The verdict on the node by this policy. If it is not trusted, no policy would make it so.
    pub verdict: ServiceVerdict,
}

/// The JSON and its words.
type Draft = (Map<String, Json>, Vec<String>);

/// Drafts a policy, and judges the node by it.
pub(super) fn propose(
    shown: &Shown,
    wanted: &Wanted<'_>,
    describe: impl Fn(Verdict) -> ServiceVerdict,
) -> Result<Proposal, RelyingError> {
    let draft = match &shown.attestation {
        Attestation::Virtual(evidence) => Some(of_nothing(evidence)),
        Attestation::Snp(evidence) => of_guest(&examine(evidence, wanted.policy, wanted.at_unix_s)),
    };
    let Some((fields, words)) = draft else {
        let why = "its format or its product is not known, so there is nothing to write down";
        return Err(RelyingError::unreadable("the report of the node", why));
    };
    let policy: Policy = serde_json::from_value(Json::Object(fields.clone()))
        .map_err(|why| RelyingError::unreadable("the policy that was made", why))?;
    let verdict = judge(&mut shown.clone(), &Wanted { policy: &policy, ..*wanted })?;
    let json = serde_json::to_string_pretty(&fields).unwrap_or_default();
    Ok(Proposal { json, words, verdict: describe(verdict) })
}

fn of_nothing(evidence: &VirtualEvidence) -> Draft {
    let mut fields = Map::new();
    fields.insert(
        "virtual".to_owned(),
        json!({
            "measurements": [evidence.measurement],
            "host_data": [evidence.host_data],
        }),
    );
    let words = [
        "WARNING: this node shows virtual evidence. A policy that names it accepts a machine whose \
         operator can read and change everything; use it for development only.",
        "virtual.measurements: the text that stands in for a measurement.",
        "virtual.host_data: the SHA-256 of the program, as the machine says; nobody vouches for it.",
    ];
    (fields, words.map(str::to_owned).to_vec())
}

fn of_guest(examined: &Examination) -> Option<Draft> {
    let (report, product) = (examined.report.as_ref()?, examined.product?);
    let tcb = examined.tcb?.reported;
    let minimum: Map<String, Json> =
        tcb.components().map(|(name, version)| (name.to_owned(), version.into())).collect();
    let key = report.key_flags.signing_key().name();
    let mut fields = Map::new();
    let mut words = vec![
        "This policy trusts on first use: it accepts what the node shows today. Compare the values with \
         those of whoever built the guest before you rely on it."
            .to_owned(),
    ];
    let mut line = |name: &str, value: Json, meaning: &str| {
        fields.insert(name.to_owned(), value);
        words.push(format!("{name}: {meaning}"));
    };
    line("products", json!([product.name()]), "the generation of processors, whose root is AMD's.");
    line("signing_keys", json!([key]), "the kind of key that signed the report.");
    let meaning =
        "the firmware's versions; a node on older firmware is refused, a newer one passes.";
    line("minimum_tcb", json!({ product.name(): minimum }), meaning);
    let meaning = "what was loaded at launch: firmware, kernel and what they start, before the \
                   containers. It changes with every update of the image: where the line of images is \
                   endorsed, name uvm_endorsements in its place.";
    line("measurements", json!([to_hex(&report.measurement)]), meaning);
    let meaning = "what the host gave at launch: on Azure the SHA-256 of the container policy, and so \
                   which containers may run.";
    line("host_data", json!([to_hex(&report.host_data)]), meaning);
    line("vmpl", json!(report.vmpl), "the privilege level that asked for the report.");
    if report.key_flags.mask_chip_key() || report.is_chip_id_masked() {
        let meaning = "the host hides which chip this is; then the key's certificate cannot be held \
                       against the chip.";
        line("masked_chip_id", json!(true), meaning);
    }
    words.push(format!(
        "Not in it: the chip, so that another machine with the same guest passes; to pin it, add \
         \"chip_ids\": [\"{}\"].",
        to_hex(&report.chip_id)
    ));
    words.push(
        "Not in it: a container policy's text, whose findings are refused where the node shows it."
            .to_owned(),
    );
    Some((fields, words))
}

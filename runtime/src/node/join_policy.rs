//! Which nodes may join: CCF's tables as a policy, and the evidence of a node against it.
//!
//! The tables say what governance wants; that report, chain and node belong together is checked
//! whatever they say. As in CCF, a measurement counts if it is in its table, or if somebody whom
//! another table names vouches for it; firmware must be of a processor that is named, and new enough.

use std::collections::BTreeMap;

use affiant_attest::{
    Allowed, Attestation, CcfQuote, ComponentMinimum, Evidence, Policy, Report, UvmRule, Verdict,
    VirtualRule, uvm, verify_attestation,
};
use affiant_kv::{MapName, Snapshot, Tx};
use affiant_proof::entry::SINGLETON_KEY;
use affiant_proof::{Digest, to_hex};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::attestation::{reasons, tcb_hex_to_policy};
use crate::clock::unix_seconds;
use crate::error::{RuntimeError, RuntimeResult};
use crate::log_info;
use crate::odata;
use crate::tables::{self, QuoteInfo};

const ALLOWED: &str = "AllowedToJoin";
/// Of no processor.
const NO_CPUID: &str = "00000000";

/// What governance has written about nodes that may join.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JoinPolicy {
    snp_measurements: Vec<String>,
    /// Host data to the container policy's text, or an empty one.
    snp_host_data: BTreeMap<String, String>,
    /// Issuer to feed to its row.
    snp_uvm_endorsements: BTreeMap<String, BTreeMap<String, FeedRow>>,
    snp_tcb_versions: BTreeMap<String, Json>,
    virtual_measurements: Vec<String>,
    virtual_host_data: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct FeedRow {
    svn: String,
}

/// Why a node may not join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRefusal {
    /// HTTP status: 401.
    pub status: u16,
    /// CCF's code: `InvalidQuote`.
    pub code: &'static str,
    /// For the node that wants to join; CCF's words, but for those about the TCB version.
    pub message: &'static str,
    /// Everything that was checked; empty where the evidence could not be read.
    pub verdict: Verdict,
    /// The reasons, for the log.
    pub reasons: String,
}

impl core::fmt::Display for JoinRefusal {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "{}: {}", self.message, self.reasons)
    }
}

impl core::error::Error for JoinRefusal {}

impl JoinPolicy {
    /// The policy at a point of the ledger.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        Self::read(|table| {
            let entries = snapshot.entries(table.as_str());
            entries.map(|(key, value, _)| (key.to_vec(), value.to_vec())).collect()
        })
    }

    /// The policy as a transaction sees it.
    pub fn read_in(tx: &mut Tx) -> Self {
        Self::read(|table| {
            let entries = tx.entries(table).into_iter();
            entries.map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
        })
    }

    fn read(mut rows: impl FnMut(&MapName) -> Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        // What is no text or no JSON of that shape admits nobody.
        let mut texts = |table: &MapName| -> Vec<(String, Vec<u8>)> {
            let rows = rows(table).into_iter();
            rows.filter_map(|(key, value)| Some((String::from_utf8(key).ok()?, value))).collect()
        };
        let allowed = |rows: Vec<(String, Vec<u8>)>| {
            let json = format!("\"{ALLOWED}\"");
            let rows = rows.into_iter().filter(|(_, value)| *value == json.as_bytes());
            rows.map(|(key, _)| key).collect()
        };
        Self {
            snp_measurements: allowed(texts(&tables::SNP_MEASUREMENTS)),
            snp_host_data: parsed(texts(&tables::SNP_HOST_DATA)),
            snp_uvm_endorsements: parsed(texts(&tables::SNP_UVM_ENDORSEMENTS)),
            snp_tcb_versions: parsed(texts(&tables::SNP_TCB_VERSIONS)),
            virtual_measurements: allowed(texts(&tables::VIRTUAL_MEASUREMENTS)),
            virtual_host_data: texts(&tables::VIRTUAL_HOST_DATA)
                .into_iter()
                .map(|(key, _)| key)
                .collect(),
        }
    }

    /// The tables as `GET /gov/service/join-policy` shows them.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let endorsements = self.snp_uvm_endorsements.iter().map(|(did, feeds)| {
            let feeds = feeds.iter().map(|(feed, row)| (feed.clone(), json!({"svn": row.svn})));
            (did.clone(), Json::Object(feeds.collect()))
        });
        json!({
            "sgx": {"measurements": []},
            "snp": {
                "hostData": self.snp_host_data,
                "measurements": self.snp_measurements,
                "tcbVersions": self.snp_tcb_versions,
                "uvmEndorsements": Json::Object(endorsements.collect()),
            },
            "virtual": {
                "hostData": self.virtual_host_data,
                "measurements": self.virtual_measurements,
            },
        })
    }

    /// As a policy for [`affiant_attest::verify_attestation`].
    #[must_use]
    pub fn policy(&self) -> Policy {
        // A text that governance has written must be the one that the host data is of.
        let host_data = self.snp_host_data.iter().filter(|(host_data, text)| {
            let digest = Digest::of(text.as_bytes()).to_hex();
            text.is_empty() || host_data.eq_ignore_ascii_case(&digest)
        });
        let rules = self.snp_uvm_endorsements.iter().flat_map(|(did, feeds)| {
            feeds.iter().filter_map(|(feed, row)| {
                let minimum_svn = row.svn.parse().ok()?;
                Some(UvmRule { did: did.clone(), feed: feed.clone(), minimum_svn })
            })
        });
        let tcb = self.snp_tcb_versions.iter();
        let mut minimum_tcb: BTreeMap<String, ComponentMinimum> =
            tcb.filter_map(|(cpuid, row)| Some((cpuid.clone(), minimum(row)?))).collect();
        if minimum_tcb.is_empty() {
            // In the crate's policy no list means any processor; in CCF's tables none.
            minimum_tcb.insert(NO_CPUID.to_owned(), ComponentMinimum::default());
        }
        let is_virtual = !self.virtual_measurements.is_empty();
        Policy {
            measurements: Allowed::OneOf(self.snp_measurements.clone()),
            uvm_endorsements: rules.collect(),
            host_data: Allowed::OneOf(host_data.map(|(host_data, _)| host_data.clone()).collect()),
            minimum_tcb,
            // What CCF leaves open: a guest's privilege level, firmware that is not committed yet, and
            // the time, which is the host's to tell.
            vmpl: None,
            provisional_firmware: true,
            expired_certificates: true,
            insecure_virtual: is_virtual.then(|| VirtualRule {
                measurements: Allowed::OneOf(self.virtual_measurements.clone()),
                host_data: Allowed::OneOf(self.virtual_host_data.clone()),
            }),
            ..Policy::default()
        }
    }

    /// Whether the node with that key may join.
    ///
    /// # Errors
    /// Why not.
    pub fn evaluate(&self, quote: &QuoteInfo, node_public_key: &[u8]) -> Result<(), JoinRefusal> {
        let attestation = match read_quote(quote, node_public_key) {
            Ok(attestation) => attestation,
            Err(reasons) => return Err(refusal(NOT_VERIFIED, Verdict::default(), reasons)),
        };
        let verdict = verify_attestation(&attestation, &self.policy(), unix_seconds());
        if verdict.is_trusted() {
            return Ok(());
        }
        let endorsed = quote.uvm_endorsements.as_ref().is_some_and(|cose| !cose.is_empty());
        let (message, reasons) = (message(&verdict, endorsed), reasons(&verdict));
        Err(refusal(message, verdict, reasons))
    }
}

const NOT_VERIFIED: &str = "Quote could not be verified";

fn refusal(message: &'static str, verdict: Verdict, reasons: String) -> JoinRefusal {
    JoinRefusal { status: 401, code: odata::INVALID_QUOTE, message, verdict, reasons }
}

/// CCF's words, in its order: evidence that is not genuine, then host data, measurement, TCB, key.
fn message(verdict: &Verdict, endorsed: bool) -> &'static str {
    let judged = ["host data", "measurement", "uvm endorsement", "minimum tcb", "binding"];
    let failed = |name: &str| verdict.failures().any(|check| check.name == name);
    if verdict.failures().any(|check| !judged.contains(&check.name)) {
        NOT_VERIFIED
    } else if failed("host data") {
        "Quote host data is not authorised"
    } else if (failed("measurement") || failed("uvm endorsement")) && endorsed {
        "UVM endorsements are not authorised"
    } else if failed("measurement") {
        "Quote does not contain known enclave measurement"
    } else if failed("minimum tcb") {
        "Quote TCB version is not authorised"
    } else if failed("binding") {
        "Quote report data does not contain node's public key hash"
    } else {
        NOT_VERIFIED
    }
}

fn parsed<T: for<'de> Deserialize<'de>>(rows: Vec<(String, Vec<u8>)>) -> BTreeMap<String, T> {
    let rows = rows.into_iter();
    rows.filter_map(|(key, value)| Some((key, serde_json::from_slice(&value).ok()?))).collect()
}

/// The components of a row; `None` if one of them is no version, or there is none.
fn minimum(row: &Json) -> Option<ComponentMinimum> {
    let component = |name: &str| match row.get(name) {
        None | Some(Json::Null) => Some(None),
        Some(value) => u8::try_from(value.as_u64()?).ok().map(Some),
    };
    let minimum = ComponentMinimum {
        fmc: component("fmc")?,
        boot_loader: component("boot_loader")?,
        tee: component("tee")?,
        snp: component("snp")?,
        microcode: component("microcode")?,
    };
    (minimum != ComponentMinimum::default()).then_some(minimum)
}

/// Evidence of a node's row; it is to be bound to the node's key.
fn read_quote(quote: &QuoteInfo, node_public_key: &[u8]) -> Result<Attestation, String> {
    let read = CcfQuote::from_json(&tables::to_json_bytes(quote));
    let mut attestation = read.map_err(|error| error.to_string())?.attestation;
    let bound = match &mut attestation {
        Attestation::Snp(evidence) => &mut evidence.bound,
        Attestation::Virtual(evidence) => &mut evidence.bound,
    };
    *bound = Some(node_public_key.to_vec());
    Ok(attestation)
}

/// Writes the first policy: whoever is like the first node.
pub(crate) fn admit_others_like(tx: &mut Tx, evidence: &Attestation) -> RuntimeResult<()> {
    match evidence {
        Attestation::Virtual(evidence) => {
            let measurement = evidence.measurement.as_bytes();
            tables::put_json(tx, &tables::VIRTUAL_MEASUREMENTS, measurement, &ALLOWED)?;
            let host_data = evidence.host_data.as_bytes();
            tx.put(&tables::VIRTUAL_HOST_DATA, host_data, &SINGLETON_KEY)?;
            Ok(())
        }
        Attestation::Snp(evidence) => admit_guests_like(tx, evidence),
    }
}

fn admit_guests_like(tx: &mut Tx, evidence: &Evidence) -> RuntimeResult<()> {
    let own = |what: &dyn core::fmt::Display| RuntimeError::Host {
        reason: format!("the evidence of this node cannot be the first join policy: {what}"),
    };
    let report = Report::parse(&evidence.report).map_err(|error| own(&error))?;
    // As CCF does: where somebody vouches for the measurement, newer images may join too.
    match &evidence.uvm_endorsement {
        Some(cose) => {
            let uvm = uvm::verify(cose).map_err(|error| own(&error))?;
            let row = json!({uvm.feed: {"svn": uvm.svn.to_string()}});
            tables::put_json(tx, &tables::SNP_UVM_ENDORSEMENTS, uvm.did.as_bytes(), &row)?;
        }
        None => {
            let measurement = to_hex(&report.measurement);
            tables::put_json(tx, &tables::SNP_MEASUREMENTS, measurement.as_bytes(), &ALLOWED)?;
        }
    }
    let text = match &evidence.policy_text {
        Some(text) => core::str::from_utf8(text).map_err(|error| own(&error))?,
        None => "",
    };
    let host_data = to_hex(&report.host_data);
    tables::put_json(tx, &tables::SNP_HOST_DATA, host_data.as_bytes(), &text)?;
    let Some(eax) = report.cpuid.and_then(affiant_attest::Cpuid::eax) else {
        log_info!("node", "The report names no processor: nodes join once governance names one");
        return Ok(());
    };
    let cpuid = format!("{eax:08x}");
    let tcb =
        tcb_hex_to_policy(&cpuid, &report.reported_tcb.to_hex()).map_err(|error| own(&error))?;
    let mut row = json!({"hexstring": tcb.hexstring});
    for (name, version) in tcb.components {
        row[name.to_string_lossy().as_ref()] = version.into();
    }
    tables::put_json(tx, &tables::SNP_TCB_VERSIONS, cpuid.as_bytes(), &row)
}

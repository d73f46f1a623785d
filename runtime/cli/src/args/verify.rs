//! What relying parties ask: `affiant verify`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

const HELP: &str = "\
With an address: connects, takes whatever certificate it is shown, and asks the node on that very
connection for its evidence. Checked are the key of the connection, which must be the attested one; the
evidence, to AMD's roots; the policy; the certificates of node and service; with --nonce, that the
evidence is fresh; with --service-cert, that it is the service you know; with --receipt, that this
service committed what the receipt says. Nothing but the address and the files is consulted.

With --evidence: the same checks of the evidence alone, offline. The file is what
/node/attestations/self or ccf.getAttestation() gave, an attestation sidecar's answer, a vTPM's HCL report,
or a report as it comes from the firmware; --endorsements or --security-context bring what it lacks.

A policy is JSON; what it does not name is refused. docs/attestation.md explains its fields and has one
for Azure confidential containers. --propose-policy prints one that accepts the node as it is now: it
trusts what it sees, so read it before you use it.

Examples:
  affiant verify https://127.0.0.1:8000 --policy policy.json --nonce
  affiant verify https://127.0.0.1:8000 --policy policy.json --service-cert service_cert.pem --json
  affiant verify https://127.0.0.1:8000 --propose-policy > policy.json
  affiant verify --evidence attestation.json --policy policy.json --bound node_key.der
  affiant verify --evidence report.bin --endorsements chain.pem --policy policy.json --at 1700000000

Exit codes: 0 trusted, 1 not trusted, 2 wrong usage, 3 unreachable or unreadable.";

/// `affiant verify`.
#[derive(Debug, Args)]
#[command(
    after_help = HELP,
    arg_required_else_help = true,
    override_usage = "affiant verify URL --policy FILE [OPTIONS]\n       \
                      affiant verify --evidence FILE --policy FILE [OPTIONS]",
    group(ArgGroup::new("what").required(true).args(["url", "evidence"]))
)]
pub(crate) struct VerifyArgs {
    /// The service, such as https://example.com:8000
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    /// What is accepted: JSON; - for standard input
    #[arg(long, value_name = "FILE", required_unless_present = "propose_policy")]
    pub(crate) policy: Option<PathBuf>,
    /// Print a policy that accepts what is found, and to standard error what it means
    #[arg(long, conflicts_with_all = ["policy", "json", "receipt", "save"])]
    pub(crate) propose_policy: bool,
    /// Ask for evidence made now, over random bytes or over these: 8 to 64, as hex
    #[arg(
        long,
        value_name = "HEX",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        conflicts_with = "evidence"
    )]
    pub(crate) nonce: Option<String>,
    /// The certificate of the service that it must be
    #[arg(long, value_name = "PEM", conflicts_with = "evidence")]
    pub(crate) service_cert: Option<PathBuf>,
    /// A receipt that the service must have signed, JSON or COSE
    #[arg(long, value_name = "FILE", conflicts_with = "evidence")]
    pub(crate) receipt: Option<PathBuf>,
    /// The longest that it may take, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=3600),
        conflicts_with = "evidence"
    )]
    pub(crate) timeout: u64,
    /// Keep what the node showed in this new or empty directory
    #[arg(long, value_name = "DIR", conflicts_with = "evidence")]
    pub(crate) save: Option<PathBuf>,
    /// Evidence in a file, in place of a service
    #[arg(long, value_name = "FILE", conflicts_with = "propose_policy")]
    pub(crate) evidence: Option<PathBuf>,
    /// With --evidence: what it must be bound to, such as a public key in DER
    #[arg(long, value_name = "FILE", requires = "evidence")]
    pub(crate) bound: Option<PathBuf>,
    /// With --evidence: the chain of the key that signed the report: PEM, or JSON of Azure's hosts
    #[arg(long, value_name = "FILE", requires = "evidence")]
    pub(crate) endorsements: Option<PathBuf>,
    /// With --evidence: who vouches for the measurement, COSE
    #[arg(long, value_name = "FILE", requires = "evidence")]
    pub(crate) uvm_endorsement: Option<PathBuf>,
    /// With --evidence: the container policy whose digest is the host data
    #[arg(long, value_name = "FILE", requires = "evidence")]
    pub(crate) policy_text: Option<PathBuf>,
    /// With --evidence: chain, endorsement and container policy as Azure gives them to a guest
    #[arg(
        long,
        value_name = "DIR",
        requires = "evidence",
        conflicts_with_all = ["endorsements", "uvm_endorsement", "policy_text"]
    )]
    pub(crate) security_context: Option<PathBuf>,
    /// The time for which it must hold: now, or seconds since 1970
    #[arg(long, value_name = "TIME", default_value = "now")]
    pub(crate) at: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

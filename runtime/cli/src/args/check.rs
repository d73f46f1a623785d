//! What checks and reads: `affiant ledger` and `affiant receipt`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `affiant ledger`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct LedgerArgs {
    #[command(subcommand)]
    pub(crate) command: LedgerCommand,
}

/// `affiant ledger ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Check every entry, Merkle root and signature.
    Verify(LedgerVerifyArgs),
    /// Print transactions.
    Show(LedgerShowArgs),
    /// Print figures: files, transactions, tables, signatures.
    Stat(LedgerStatArgs),
}

const VERIFY_HELP: &str = "\
Checks, from the files alone: that chunk files are whole and contiguous, that every entry is well
formed and in order, that every signed Merkle root is the root of all entries before it, that each
signature was made by a node whose certificate the service endorses, that the service key signed
each root too, and that the last entries are covered by a signature. With the ledger secret, also
that every private entry opens.

Examples:
  affiant ledger verify workspace/sandbox_0/0.ledger
  affiant ledger verify ledger/ --service-cert service_cert.pem
  affiant ledger verify ledger/ --json | jq .verified
  affiant ledger verify ledger/ --committed-only

Exit codes: 0 verified, 1 not verified, 2 wrong usage, 3 unreadable input.";

/// `affiant ledger verify`.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_HELP)]
pub(crate) struct LedgerVerifyArgs {
    /// The ledger directory
    pub(crate) dir: PathBuf,
    /// Certificate of the service that this ledger must be of
    #[arg(long, value_name = "PEM")]
    pub(crate) service_cert: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
}

/// What verify and show have in common.
#[derive(Debug, Args)]
pub(crate) struct ReadingArgs {
    /// The ledger secret, to open private entries: 32 bytes, raw, as hex or as base64; or one
    /// secret a line, each after the first seqno that it seals
    #[arg(long, value_name = "FILE")]
    pub(crate) secret: Option<PathBuf>,
    /// Read committed chunks only
    #[arg(long)]
    pub(crate) committed_only: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const SHOW_HELP: &str = "\
Prints each transaction: its id, the tables it writes and the keys. Private tables are shown by
their size, or opened with --secret. This reads, it does not verify: `affiant ledger verify` does.
With --json, one object a line.

Examples:
  affiant ledger show ledger/ --seqno 1..5
  affiant ledger show ledger/ --table public:ccf.gov.service.info
  affiant ledger show ledger/ --json | jq -c 'select(.kind == \"signature\")'

Exit codes: 0 printed, 2 wrong usage, 3 unreadable input.";

/// `affiant ledger show`.
#[derive(Debug, Args)]
#[command(after_help = SHOW_HELP)]
pub(crate) struct LedgerShowArgs {
    /// The ledger directory
    pub(crate) dir: PathBuf,
    /// Only these sequence numbers: 17, 5..9 (both included), 5.. or ..9
    #[arg(long, value_name = "A..B")]
    pub(crate) seqno: Option<String>,
    /// Only transactions that write this table, and only that table of theirs
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
}

const STAT_HELP: &str = "\
Examples:
  affiant ledger stat ledger/
  affiant ledger stat ledger/ --json | jq .transactions

Exit codes: 0 printed, 2 wrong usage, 3 unreadable input.";

/// `affiant ledger stat`.
#[derive(Debug, Args)]
#[command(after_help = STAT_HELP)]
pub(crate) struct LedgerStatArgs {
    /// The ledger directory
    pub(crate) dir: PathBuf,
    /// Read committed chunks only
    #[arg(long)]
    pub(crate) committed_only: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `affiant receipt`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct ReceiptArgs {
    #[command(subcommand)]
    pub(crate) command: ReceiptCommand,
}

/// `affiant receipt ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum ReceiptCommand {
    /// Check a receipt against a service certificate.
    Verify(ReceiptVerifyArgs),
}

const RECEIPT_HELP: &str = "\
The receipt is JSON (from /app/receipt, or an answer that holds one as its member \"receipt\") or COSE
(asked for with `Accept: application/cose`); its content tells which. The verdict names every check.
Nothing but the two files is consulted.

Examples:
  affiant receipt verify receipt.json --service-cert service_cert.pem
  affiant receipt verify receipt.cose --service-cert service_cert.pem --json
  affiant receipt verify receipt.json --service-cert service_cert.pem --claims-file message.txt
  curl ... /app/receipt?transaction_id=2.17 | affiant receipt verify - --service-cert ...

Exit codes: 0 verified, 1 not verified, 2 wrong usage, 3 unreadable input.";

/// `affiant receipt verify`.
#[derive(Debug, Args)]
#[command(after_help = RECEIPT_HELP)]
pub(crate) struct ReceiptVerifyArgs {
    /// The receipt; - for standard input
    pub(crate) file: PathBuf,
    /// The service certificate that the receipt must lead to
    #[arg(long, value_name = "PEM", required = true)]
    pub(crate) service_cert: PathBuf,
    /// The claims digest that the receipt must carry, as hex
    #[arg(long, value_name = "HEX", conflicts_with = "claims_file")]
    pub(crate) claims: Option<String>,
    /// The claims themselves: the receipt must carry the SHA-256 of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) claims_file: Option<PathBuf>,
    /// Also ask that certificates were valid at this time: now, or seconds since 1970
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

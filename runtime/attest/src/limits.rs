//! Every bound of this crate, with its unit in its name.

/// Bytes of an attestation report: exactly (AMD SEV-SNP ABI, table ATTESTATION_REPORT).
pub const REPORT_BYTES: usize = 1184;
/// Bytes of caller's data in a report.
pub const REPORT_DATA_BYTES: usize = 64;
/// Bytes of one certificate, DER, at most.
pub const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a chain of certificates, PEM, at most.
pub const CHAIN_BYTES_MAX: usize = 64 * 1024;
/// Certificates in one chain, at most.
pub const CHAIN_CERTIFICATES_MAX: usize = 8;
/// Bytes of a certificate revocation list, at most.
pub const CRL_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a UVM endorsement, at most.
pub const UVM_ENDORSEMENT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a container policy's text, at most.
pub const POLICY_TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Depth of nested values in a container policy's text, at most.
pub const POLICY_TEXT_DEPTH_MAX: usize = 16;
/// Words in a container policy's text, at most.
pub const POLICY_TEXT_TOKENS_MAX: usize = 256 * 1024;
/// Bytes of a regular expression in a container policy's text, at most; a longer one is not understood.
pub const POLICY_TEXT_PATTERN_BYTES_MAX: usize = 4 * 1024;
/// Findings in one container policy, at most; how many are left out is a finding too.
pub const POLICY_TEXT_FINDINGS_MAX: usize = 256;
/// Bytes that evidence is bound to, at most: any [`crate::Statement`] fits.
pub const BOUND_BYTES_MAX: usize = 128 * 1024;
/// Bytes of a [`crate::Statement`] in JSON, at most.
pub const STATEMENT_BYTES_MAX: usize = BOUND_BYTES_MAX;
/// Bytes that whoever asks may have in a [`crate::Statement`], at most.
pub const STATEMENT_BOUND_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a public key in a [`crate::Statement`], DER, at most.
pub const STATEMENT_KEY_BYTES_MAX: usize = 1024;
/// Bytes of evidence in any of its JSON forms, at most.
pub const EVIDENCE_JSON_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a host's certificate table, at most.
pub const CERTIFICATE_TABLE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a vTPM's HCL report, at most.
pub const HCL_REPORT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of an MAA token, at most.
pub const TOKEN_BYTES_MAX: usize = 128 * 1024;
/// Bytes of a [`crate::Policy`] in JSON, at most; it may hold revocation lists.
pub const POLICY_JSON_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Entries of one list in a [`crate::Policy`], at most.
pub const POLICY_ENTRIES_MAX: usize = 4096;
/// Bytes of a value that the kernel shows as text, at most.
pub const TSM_TEXT_BYTES_MAX: usize = 256;
/// Attempts at one request to the firmware.
pub const FIRMWARE_ATTEMPTS_MAX: u32 = 8;
/// Wait after the first attempt, in milliseconds; it doubles from one to the next.
pub const FIRMWARE_WAIT_MS_FIRST: u64 = 50;
/// Wait between two attempts, in milliseconds, at most: hosts that throttle let one request through
/// every two seconds.
pub const FIRMWARE_WAIT_MS_MAX: u64 = 2_000;
/// Bytes of one file of a security context, at most.
pub const SECURITY_CONTEXT_FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of an issuer's key set, at most.
pub const KEY_SET_BYTES_MAX: usize = 1024 * 1024;
/// Keys in an issuer's key set, at most.
pub const KEY_SET_KEYS_MAX: usize = 64;
/// Bytes of a key vault's release policy, at most.
pub const RELEASE_POLICY_BYTES_MAX: usize = 64 * 1024;

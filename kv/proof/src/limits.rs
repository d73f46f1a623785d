//! Every bound of this crate, with its unit in its name. Sizes read from a file or a receipt are
//! held against these before anything is allocated or walked.

/// Bytes of one ledger entry after its 8-byte header, at most (2^30, as the stock tools have it).
pub const ENTRY_SIZE_BYTES_MAX: u64 = 1 << 30;
/// Bytes of one chunk file, at most: the position table holds 32-bit offsets.
pub const CHUNK_BYTES_MAX: u64 = u32::MAX as u64;
/// Bytes of a ledger file name, at most.
pub const CHUNK_NAME_BYTES_MAX: usize = 255;
/// Leaves in one serialised Merkle tree, at most.
pub const TREE_LEAVES_MAX: u64 = 1 << 48;
/// Steps of a Merkle path, at most: a tree of 2^64 leaves has no longer one.
pub const PATH_STEPS_MAX: usize = 64;
/// Characters of a commit evidence text, at most; the text this project writes is shorter.
pub const COMMIT_EVIDENCE_BYTES_MAX: usize = 1024;
/// Depth of nested CBOR items, at most.
pub const CBOR_DEPTH_MAX: usize = 8;
/// Pairs or items of one CBOR map or array, at most.
pub const CBOR_ITEMS_MAX: u64 = 256;
/// Bytes of one COSE message, at most.
pub const COSE_BYTES_MAX: usize = 1 << 16;
/// Inclusion proofs in one COSE receipt, at most.
pub const COSE_PROOFS_MAX: u64 = 16;
/// Bytes of one JSON receipt, at most.
pub const RECEIPT_BYTES_MAX: usize = 1 << 18;
/// Bytes of one certificate (PEM or DER), at most.
pub const CERTIFICATE_BYTES_MAX: usize = 1 << 16;
/// Certificates in one chain of service endorsements, at most.
pub const ENDORSEMENTS_MAX: usize = 32;
/// Findings that an audit lists, at most; further ones are counted.
pub const AUDIT_FINDINGS_MAX: usize = 1000;
/// Nodes that an audit keeps track of, at most.
pub const AUDIT_NODES_MAX: usize = 1 << 16;
/// Changes of the service's identity or status that an audit lists, at most.
pub const AUDIT_SERVICES_MAX: usize = 4096;
/// Altered entries that an audit names for one signature, at most.
pub const AUDIT_ALTERED_MAX: usize = 16;
/// Changes of view that an audit keeps, at most; older ones are forgotten.
pub const AUDIT_VIEWS_MAX: usize = 1 << 16;

//! UVM endorsements.

use affiant_attest::uvm::{TransparencyService, transparency, verify};

/// What holds says who signed it, and no service that is not given has entered it.
pub fn uvm_endorsement(data: &[u8]) {
    if let Ok(endorsement) = verify(data) {
        assert!(endorsement.did.starts_with("did:x509:0:"), "{}", endorsement.did);
        assert!(endorsement.signer_valid_from_unix_s <= endorsement.signer_valid_to_unix_s);
    }
    let nobody = TransparencyService { issuer: "nobody.test".to_owned(), keys: Vec::new() };
    for shown in transparency(data, &[nobody]).unwrap_or_default() {
        assert!(!shown.verdict.is_valid(), "a ledger without keys has entered it");
    }
}

//! What a relying party accepts.

use affiant_attest::Policy;

/// What can be read is written and read again as the same.
pub fn policy(data: &[u8]) {
    let Ok(policy) = Policy::from_json(data) else { return };
    let written = serde_json::to_vec(&policy).expect("a policy serialises");
    assert_eq!(Policy::from_json(&written).as_ref(), Ok(&policy));
}

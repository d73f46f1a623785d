//! Tokens of Azure Attestation, and the documents that go with them.

use affiant_attest::maa::{MaaIssuer, MaaPolicy, MaaToken, ReleasePolicy, verify};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A token's text. Where the bytes have zeros, the two parts between them are header and claims in
/// plain and what follows is the signature: so that changes are of JSON and not of base64.
pub fn token(data: &[u8]) -> String {
    let plain: Vec<&[u8]> = data.splitn(3, |byte| *byte == 0).collect();
    match plain.as_slice() {
        [header, claims, signature] => {
            let parts = [header, claims, signature].map(|part| URL_SAFE_NO_PAD.encode(part));
            parts.join(".")
        }
        _ => String::from_utf8_lossy(data).into_owned(),
    }
}

/// No token is trusted where nobody's keys are pinned.
pub fn maa_token(data: &[u8]) {
    let text = token(data);
    let verification = verify(&text, &[], &MaaPolicy::default(), 0);
    assert!(!verification.verdict.is_trusted() && verification.claims.is_none());
    let Ok(token) = MaaToken::parse(&text) else { return };
    let open = br#"{"version":"1.0.0","anyOf":[{"authority":"https://a.test","allOf":[
        {"claim":"x-ms-isolation-tee.x-ms-compliance-status","equals":"azure-compliant-cvm"}]}]}"#;
    let policy = ReleasePolicy::from_json(open).expect("a release policy");
    let _ = policy.evaluate(&token.claims);
}

/// A key set, a release policy, a relying party's policy for tokens.
pub fn maa_documents(data: &[u8]) {
    let _ = MaaIssuer::new("https://a.test", data);
    let _ = ReleasePolicy::from_json(data);
    let _ = serde_json::from_slice::<MaaPolicy>(data);
}

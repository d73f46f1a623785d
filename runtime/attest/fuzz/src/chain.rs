//! Certificate chains and revocation lists.

use affiant_attest::{Chain, Product, RevocationList};

/// A chain says the same of itself each time.
pub fn certificate_chain(data: &[u8]) {
    let Ok(chain) = Chain::parse(data) else { return };
    let again = Chain::parse(data).expect("it was read before");
    assert_eq!(chain.leaf(), again.leaf());
    assert_eq!(chain.validity(), again.validity());
    let _ = chain.check_constraints();
    let _ = chain.check_signatures();
    for product in [Product::Milan, Product::Genoa, Product::Turin] {
        if chain.root_digest() == Chain::pin_of(product) {
            assert!(chain.is_root_of(product), "the pin of {product} is its root");
        }
    }
    serde_json::to_vec(chain.leaf()).expect("what a leaf says serialises");
}

/// A list in DER, or in text.
pub fn revocation_list(data: &[u8]) {
    let _ = RevocationList::from_der(data);
    if let Ok(text) = str::from_utf8(data) {
        let _ = RevocationList::parse(text);
    }
}

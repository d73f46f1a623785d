//! Cryptography, in round trips and against known answers.

use super::*;

type Made = *mut affiant_bytes;

/// What a function has made; it is freed.
#[track_caller]
fn made(status: affiant_status, bytes: Made) -> Vec<u8> {
    ok(status, bytes);
    let mut view = affiant_slice::EMPTY;
    // SAFETY: the output is here.
    ok(unsafe { affiant_bytes_view(bytes, &raw mut view) }, bytes);
    let copy = shown(view);
    assert_eq!(affiant_bytes_free(bytes), AFFIANT_OK);
    copy
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn generated(kind: affiant_key_kind) -> *mut affiant_key {
    let mut key = core::ptr::null_mut();
    // SAFETY: the output is here.
    assert_eq!(unsafe { affiant_key_generate(kind, &raw mut key) }, AFFIANT_OK);
    key
}

#[test]
fn hashes_are_those_of_the_standards() {
    let mut digest = [0; 32];
    // SAFETY: slice and room are here.
    assert_eq!(unsafe { affiant_sha256(text("abc"), digest.as_mut_ptr()) }, AFFIANT_OK);
    let wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hex(&digest), wanted);
    let (mut bytes, mut tag) = (core::ptr::null_mut(), core::ptr::null_mut());
    // SAFETY: slices and outputs are here.
    unsafe {
        let status = affiant_digest(AFFIANT_HASH_SHA512, text("abc"), &raw mut bytes);
        assert!(hex(&made(status, bytes)).starts_with("ddaf35a193617abacc417349ae204131"));
        // RFC 4231, test case 2.
        let (key, data) = (text("Jefe"), text("what do ya want for nothing?"));
        let status = affiant_hmac(AFFIANT_HASH_SHA256, key, data, &raw mut tag);
        let tag = made(status, tag);
        assert!(hex(&tag).starts_with("5bdcc146bf60754e6a042426089575c7"));
        let same = affiant_hmac_verify(AFFIANT_HASH_SHA256, key, data, affiant_slice::of(&tag));
        let other =
            affiant_hmac_verify(AFFIANT_HASH_SHA256, key, text("x"), affiant_slice::of(&tag));
        assert_eq!((same, other), (AFFIANT_OK, AFFIANT_NOT_VERIFIED));
        assert_eq!(affiant_digest(9, text("abc"), &raw mut bytes), AFFIANT_INVALID_ARGUMENT);
        let mut random = [0; 100];
        assert_eq!(affiant_random(random.as_mut_ptr(), random.len()), AFFIANT_OK);
        assert!(random.iter().any(|byte| *byte != random[0]));
        assert_eq!(affiant_random(random.as_mut_ptr(), 1 << 30), AFFIANT_TOO_LARGE);
        assert_eq!(affiant_random(core::ptr::null_mut(), 1), AFFIANT_NULL_ARGUMENT);
    }
}

#[test]
fn keys_sign_and_come_back_from_pem_and_jwk() {
    for kind in [AFFIANT_KEY_P256, AFFIANT_KEY_P384, AFFIANT_KEY_P521, AFFIANT_KEY_ED25519] {
        let key = generated(kind);
        let (mut signature, mut bytes) = (core::ptr::null_mut(), core::ptr::null_mut());
        // SAFETY: slices and outputs are here.
        unsafe {
            let status = affiant_key_sign(key, 0, text("paid"), &raw mut signature);
            let signature = made(status, signature);
            let read = |bytes: Vec<u8>, from_jwk: bool| {
                let mut read = core::ptr::null_mut();
                let slice = affiant_slice::of(&bytes);
                let status = if from_jwk {
                    affiant_key_from_jwk(slice, &raw mut read)
                } else {
                    affiant_key_from_pem(slice, &raw mut read)
                };
                assert_eq!(status, AFFIANT_OK);
                read
            };
            let forms = [
                (affiant_key_public_pem(key, &raw mut bytes), bytes, false, false),
                (affiant_key_private_pem(key, &raw mut bytes), bytes, false, true),
                (affiant_key_public_jwk(key, text("k1"), &raw mut bytes), bytes, true, false),
                (affiant_key_private_jwk(key, text(""), &raw mut bytes), bytes, true, true),
            ];
            for (status, bytes, from_jwk, private) in forms {
                let again = read(made(status, bytes), from_jwk);
                let (mut found, mut is_private) = (0, !private);
                ok(affiant_key_get_kind(again, &raw mut found, &raw mut is_private), again);
                assert_eq!((found, is_private), (kind, private));
                let signature = affiant_slice::of(&signature);
                ok(affiant_key_verify(again, 0, text("paid"), signature), again);
                let status = affiant_key_verify(again, 0, text("unpaid"), signature);
                assert_eq!(status, AFFIANT_NOT_VERIFIED);
                let mut none = core::ptr::dangling_mut();
                let status = affiant_key_sign(again, 0, text("x"), &raw mut none);
                assert_eq!(status == AFFIANT_OK, private);
                if private {
                    made(status, none);
                } else {
                    assert!(reason(again).contains("takes a private key") && none.is_null());
                }
                assert_eq!(affiant_key_free(again), AFFIANT_OK);
            }
        }
        assert_eq!(affiant_key_free(key), AFFIANT_OK);
    }
}

#[test]
fn what_is_no_key_is_unreadable_and_not_shown() {
    let mut key = core::ptr::dangling_mut();
    let secret = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----";
    // SAFETY: slices and output are here.
    unsafe {
        for pem in ["", "no key", secret] {
            assert_eq!(affiant_key_from_pem(text(pem), &raw mut key), AFFIANT_UNREADABLE, "{pem}");
            assert!(key.is_null());
        }
        for json in ["", "{}", r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#] {
            assert_eq!(
                affiant_key_from_jwk(text(json), &raw mut key),
                AFFIANT_UNREADABLE,
                "{json}"
            );
        }
        assert_eq!(affiant_key_generate(77, &raw mut key), AFFIANT_INVALID_ARGUMENT);
    }
}

#[test]
fn keys_are_wrapped_in_keys() {
    let aes = [7; 32];
    let (aes, secret) = (affiant_slice::of(&aes), text("a secret of any length"));
    let rsa = generated(AFFIANT_KEY_RSA2048);
    let label = text("label");
    let mut bytes = core::ptr::null_mut();
    // SAFETY: slices and outputs are here.
    unsafe {
        let status = affiant_aes_kwp_wrap(aes, secret, &raw mut bytes);
        let wrapped = made(status, bytes);
        let status = affiant_aes_kwp_unwrap(aes, affiant_slice::of(&wrapped), &raw mut bytes);
        assert_eq!(made(status, bytes), shown(secret));
        let status = affiant_rsa_oaep_wrap(rsa, secret, label, &raw mut bytes);
        let wrapped = made(status, bytes);
        let wrapped = affiant_slice::of(&wrapped);
        let status = affiant_rsa_oaep_unwrap(rsa, wrapped, label, &raw mut bytes);
        assert_eq!(made(status, bytes), shown(secret));
        let status = affiant_rsa_oaep_unwrap(rsa, wrapped, text("other"), &raw mut bytes);
        assert!(status != AFFIANT_OK && bytes.is_null());
        let long = vec![5; 10_000];
        let long = affiant_slice::of(&long);
        let status =
            affiant_rsa_oaep_aes_kwp_wrap(rsa, 256, long, affiant_slice::EMPTY, &raw mut bytes);
        let wrapped = made(status, bytes);
        let wrapped = affiant_slice::of(&wrapped);
        let status =
            affiant_rsa_oaep_aes_kwp_unwrap(rsa, wrapped, affiant_slice::EMPTY, &raw mut bytes);
        assert_eq!(made(status, bytes), shown(long));
    }
    assert_eq!(affiant_key_free(rsa), AFFIANT_OK);
}

#[test]
fn certificates_lead_to_those_that_are_trusted() {
    let (key, other) = (generated(AFFIANT_KEY_P384), generated(AFFIANT_KEY_P384));
    let certificate = |key| {
        let mut pem = core::ptr::null_mut();
        // SAFETY: slice and output are here.
        let status =
            unsafe { affiant_key_self_signed_certificate(key, text("CN=alice"), 30, &raw mut pem) };
        made(status, pem)
    };
    let (mine, theirs) = (certificate(key), certificate(other));
    let (mine, theirs) = (affiant_slice::of(&mine), affiant_slice::of(&theirs));
    // SAFETY: the slices are here.
    unsafe {
        assert_eq!(affiant_verify_certificate_chain(mine, mine, 0), AFFIANT_OK);
        assert_eq!(affiant_verify_certificate_chain(mine, theirs, 0), AFFIANT_NOT_VERIFIED);
        assert_eq!(affiant_verify_certificate_chain(mine, mine, 1), AFFIANT_NOT_VERIFIED);
        assert_eq!(affiant_verify_certificate_chain(text("x"), mine, 0), AFFIANT_UNREADABLE);
        let mut read = core::ptr::null_mut();
        assert_eq!(affiant_key_from_pem(mine, &raw mut read), AFFIANT_OK, "a certificate's key");
        assert_eq!(affiant_key_free(read), AFFIANT_OK);
        let options = options();
        ok(affiant_options_add_user(options, mine, text(r#"{"role": "trader"}"#)), options);
        drop(open_with(options));
    }
    assert_eq!((affiant_key_free(key), affiant_key_free(other)), (AFFIANT_OK, AFFIANT_OK));
}

//! With the ledger secret, recovered by the one member from the share in the ledger, private entries
//! open: in a ledger of a real CCF service and in one of our sandbox.

use std::fs;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::sandbox;
use crate::support::{affiant, fixtures, text};

const SHARES: &str = "public:ccf.internal.recovery_shares";

struct Length32;

impl KeyType for Length32 {
    fn len(&self) -> usize {
        32
    }
}

/// The share of a service's only member holds the shared secret as it is (reference: ledger format,
/// recovery shares).
fn recover(ledger: &Path, common: &Path) -> [u8; 32] {
    let shown = affiant(&["ledger", "show", text(ledger), "--table", SHARES, "--json"]).expect(0);
    let last: Json = serde_json::from_str(shown.stdout.lines().last().unwrap()).unwrap();
    let shares = &last["tables"][0]["writes"][0]["value"];
    let decode = |value: &Json| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let encrypted = shares["encrypted_shares"].as_object().unwrap().values().next().unwrap();

    let pem = fs::read_to_string(common.join("member0_enc_privk.pem")).unwrap();
    let pkcs8: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = PrivateDecryptingKey::from_pkcs8(&STANDARD.decode(pkcs8).unwrap()).unwrap();
    let key = OaepPrivateDecryptingKey::new(key).unwrap();
    let mut room = vec![0; key.min_output_size()];
    let encrypted = decode(encrypted);
    let share = key.decrypt(&OAEP_SHA256_MGF1SHA256, &encrypted, &mut room, None).unwrap();

    let shared = &share[4..];
    let mut wrapping = [0; 32];
    let extracted = Salt::new(HKDF_SHA256, &[]).extract(shared);
    extracted.expand(&[shared], Length32).unwrap().fill(&mut wrapping).unwrap();
    let wrapped = decode(&shares["wrapped_latest_ledger_secret"]);
    let (tag, rest) = wrapped.split_at(16);
    let (iv, sealed) = rest.split_at(12);
    let mut bytes = [sealed, tag].concat();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &wrapping).unwrap());
    let nonce = Nonce::try_assume_unique_for_key(iv).unwrap();
    key.open_in_place(nonce, Aad::empty(), &mut bytes).unwrap();
    bytes[..32].try_into().unwrap()
}

/// Verifies with the secret, refuses a wrong one, and returns what `show` says of the private table.
fn open(ledger: &Path, common: &Path, table: &str) -> Vec<Json> {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("secret");
    fs::write(&file, [0; 32]).unwrap();
    let verify = ["ledger", "verify", text(ledger), "--json", "--secret", text(&file)];
    let refused = affiant(&verify).expect(1).json();
    assert_eq!(refused["seals"], 0);

    let secret = recover(ledger, common);
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(&file, hex).unwrap();
    let report = affiant(&verify).expect(0).json();
    assert_eq!(report["seals"], report["entries"]);
    assert_eq!(report["findings"], serde_json::json!([]), "no byte is left unproven");
    let show =
        ["ledger", "show", text(ledger), "--json", "--secret", text(&file), "--table", table];
    let lines = affiant(&show).expect(0).stdout;
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_real_services_private_entries_open() {
    let Some(ledgers) = fixtures("ccf-ledgers") else { return };
    let service = ledgers.join("cose_flipflop_service");
    let shown = open(&service.join("ledger"), &service.join("common"), "records");
    let first = &shown[0];
    assert_eq!((first["txid"].as_str(), first["private"].as_str()), (Some("2.17"), Some("opened")));
    assert_eq!(first["tables"][0]["writes"][0]["key"], "42");
    assert_eq!(first["tables"][0]["writes"][0]["value"], "hello");
}

#[test]
fn a_sandboxs_private_entries_open_for_its_member() {
    let directory = tempfile::tempdir().unwrap();
    let (mut running, client) = sandbox::start(directory.path(), &[]);
    client.post("/app/log/private/durable", r#"{"id": 9, "msg": "whispered"}"#).expect(200);
    running.stop();
    let ledger = directory.path().join("workspace/sandbox_0/0.ledger");
    let shown = open(&ledger, &client.common, "records");
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["tables"][0]["writes"][0]["value"], "whispered");
    assert_eq!(shown[0]["tables"][0]["public"], false);
    let bytes = fs::read(ledger.join("ledger_1")).unwrap();
    let seen = bytes.windows(9).any(|window| window == b"whispered");
    assert!(!seen, "a private record stands in clear in the ledger");
}

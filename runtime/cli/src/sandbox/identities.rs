//! Certificates and keys of the sandbox's users and members: P-384, self-signed, and for members an
//! RSA key to receive recovery shares. Development keys; private ones are readable by their owner
//! only.

use std::path::PathBuf;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P384_SHA384};

use super::workspace::{Workspace, write_whole};

const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// Makes `<name>_cert.pem` and `<name>_privk.pem`; returns the certificate.
pub(crate) fn make_user(workspace: &Workspace, name: &str) -> Result<String, String> {
    make_certificate(workspace, name)
}

/// Makes what a user has, and `<name>_enc_pubk.pem` and `<name>_enc_privk.pem`.
pub(crate) fn make_member(workspace: &Workspace, name: &str) -> Result<(), String> {
    make_certificate(workspace, name)?;
    let failed = |_| format!("cannot make the encryption key of {name}");
    let key = rsa::KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
    let private: Pkcs8V1Der<'_> = key.as_der().map_err(failed)?;
    let public: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(failed)?;
    let public = pem("PUBLIC KEY", public.as_ref());
    let file = |suffix: &str| workspace.common_file(&format!("{name}_{suffix}.pem"));
    let private = pem("PRIVATE KEY", private.as_ref());
    write_whole(&file("enc_privk"), private.as_bytes(), PRIVATE)?;
    write_whole(&file("enc_pubk"), public.as_bytes(), PUBLIC)
}

fn make_certificate(workspace: &Workspace, name: &str) -> Result<String, String> {
    let failed = |error: rcgen::Error| format!("cannot make the certificate of {name}: {error}");
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map_err(failed)?;
    let mut params = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = time::OffsetDateTime::now_utc();
    params.not_before = now - time::Duration::hours(1);
    params.not_after = now + time::Duration::days(365);
    let certificate = params.self_signed(&key).map_err(failed)?.pem();
    let file = |suffix: &str| -> PathBuf { workspace.common_file(&format!("{name}_{suffix}.pem")) };
    write_whole(&file("privk"), key.serialize_pem().as_bytes(), PRIVATE)?;
    write_whole(&file("cert"), certificate.as_bytes(), PUBLIC)?;
    Ok(certificate)
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (position, character) in text.chars().enumerate() {
        if position > 0 && position % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str(&format!("\n-----END {label}-----\n"));
    pem
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_member_has_five_files_and_private_ones_are_private() {
        let root = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(root.path().to_owned());
        workspace.start_fresh().unwrap();
        make_member(&workspace, "member0").unwrap();
        let user = make_user(&workspace, "user0").unwrap();
        let read = |name: &str| fs::read_to_string(workspace.common_file(name)).unwrap();
        assert_eq!(read("user0_cert.pem"), user);
        assert!(read("member0_cert.pem").starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(read("member0_enc_pubk.pem").starts_with("-----BEGIN PUBLIC KEY-----\n"));
        for name in ["member0_privk.pem", "member0_enc_privk.pem", "user0_privk.pem"] {
            assert!(read(name).starts_with("-----BEGIN PRIVATE KEY-----"), "{name}");
            let mode = fs::metadata(workspace.common_file(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}

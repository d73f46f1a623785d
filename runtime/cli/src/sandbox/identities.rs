//! Certificates and keys of the sandbox's users and members: those that are there already, if they are
//! valid and fit each other, or new ones: P-384, self-signed, and for members an RSA key to receive
//! recovery shares. New ones are development keys; private ones are readable by their owner only.

use std::path::{Path, PathBuf};

use affiant::auth::PeerCertificate;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P384_SHA384,
    PublicKeyData as _,
};
use x509_cert::der::{Decode as _, Encode as _};

use super::constitution::read_bounded;
use super::workspace::{Workspace, write_whole};

const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;
/// Largest file of a certificate or key, in bytes.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// `<name>_cert.pem`, made with `<name>_privk.pem` if neither is there.
pub(crate) fn user(workspace: &Workspace, name: &str) -> Result<String, String> {
    let file = |suffix: &str| workspace.common_file(&format!("{name}_{suffix}.pem"));
    let (certificate, key) = (file("cert"), file("privk"));
    if certificate.exists() {
        return existing(&certificate, &key);
    }
    if key.exists() {
        return Err(lonely(&key, &certificate));
    }
    make_certificate(workspace, name)
}

/// What a user has, and `<name>_enc_pubk.pem`, made with `<name>_enc_privk.pem` if neither is there.
pub(crate) fn member(workspace: &Workspace, name: &str) -> Result<(), String> {
    user(workspace, name)?;
    let file = |suffix: &str| workspace.common_file(&format!("{name}_{suffix}.pem"));
    let (public, private) = (file("enc_pubk"), file("enc_privk"));
    if public.exists() {
        return Ok(());
    }
    if private.exists() {
        return Err(lonely(&private, &public));
    }
    make_encryption_key(workspace, name)
}

fn lonely(found: &Path, missing: &Path) -> String {
    format!(
        "{} is there, but {} is not.\nPut it beside, or remove the former to have new ones made.",
        found.display(),
        missing.display()
    )
}

/// A certificate that somebody put there. Its key may be elsewhere; if it is here, they must fit.
fn existing(certificate: &Path, key: &Path) -> Result<String, String> {
    let refused = |why: String| {
        format!(
            "{} cannot be used: {why}.\nReplace it and its key, or remove both to have new ones made.",
            certificate.display()
        )
    };
    let pem = read_bounded(certificate, PEM_BYTES_MAX).map_err(&refused)?;
    let parsed = PeerCertificate::from_pem(&pem).map_err(&refused)?;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    parsed.valid_at(now).map_err(&refused)?;
    if key.exists() {
        let private = read_bounded(key, PEM_BYTES_MAX).map_err(&refused)?;
        let pair =
            KeyPair::from_pem(&private).map_err(|error| unreadable_key(key, &error.to_string()))?;
        let certified = x509_cert::Certificate::from_der(parsed.der())
            .and_then(|parsed| parsed.tbs_certificate().subject_public_key_info().to_der())
            .map_err(|error| refused(error.to_string()))?;
        if certified != pair.subject_public_key_info() {
            return Err(refused(format!("{} is not its key", key.display())));
        }
    }
    Ok(pem)
}

fn unreadable_key(key: &Path, why: &str) -> String {
    format!(
        "{} cannot be used: {why}.\nIt must be one private key in PEM, without a password and with \
         nothing before it; `openssl pkcs8 -topk8 -nodes -in KEY` makes one of most others.",
        key.display()
    )
}

fn make_encryption_key(workspace: &Workspace, name: &str) -> Result<(), String> {
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
        member(&workspace, "member0").unwrap();
        let user = user(&workspace, "user0").unwrap();
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

    #[test]
    fn what_is_there_is_kept_if_it_is_sound() {
        let root = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(root.path().to_owned());
        workspace.start_fresh().unwrap();
        let file = |name: &str| workspace.common_file(name);
        let first = user(&workspace, "user0").unwrap();
        assert_eq!(user(&workspace, "user0").unwrap(), first);
        member(&workspace, "member0").unwrap();
        let share_key = fs::read(file("member0_enc_pubk.pem")).unwrap();
        member(&workspace, "member0").unwrap();
        assert_eq!(fs::read(file("member0_enc_pubk.pem")).unwrap(), share_key);

        // The key may be elsewhere, but not another one here.
        user(&workspace, "user1").unwrap();
        fs::copy(file("user1_privk.pem"), file("user0_privk.pem")).unwrap();
        let refusal = user(&workspace, "user0").unwrap_err();
        assert!(refusal.contains("user0_privk.pem is not its key"), "{refusal}");
        fs::remove_file(file("user0_privk.pem")).unwrap();
        assert_eq!(user(&workspace, "user0").unwrap(), first);
        fs::remove_file(file("user1_cert.pem")).unwrap();
        let refusal = user(&workspace, "user1").unwrap_err();
        assert!(refusal.contains("user1_cert.pem is not"), "{refusal}");

        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.not_before = time::OffsetDateTime::now_utc() - time::Duration::days(3);
        params.not_after = time::OffsetDateTime::now_utc() - time::Duration::days(1);
        fs::write(file("user0_cert.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        let refusal = user(&workspace, "user0").unwrap_err();
        assert!(refusal.contains("Not After"), "{refusal}");
        user(&workspace, "user2").unwrap();
        fs::write(file("user2_privk.pem"), "-----BEGIN EC PARAMETERS-----\n").unwrap();
        let refusal = user(&workspace, "user2").unwrap_err();
        assert!(refusal.contains("user2_privk.pem") && refusal.contains("openssl"), "{refusal}");
        fs::write(file("user0_cert.pem"), "nonsense").unwrap();
        assert!(user(&workspace, "user0").unwrap_err().contains("user0_cert.pem"));
    }
}

//! RSA-2048 encryption keys of members and nodes, and RSA-OAEP with SHA-256 to them.

use affiant_kv::KeyError;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use super::pem::{fault, pem_encode, public_key_der};

/// An RSA-2048 key pair for encryption.
pub struct EncryptionKey {
    key: PrivateDecryptingKey,
    public_pem: String,
}

impl EncryptionKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn generate() -> Result<Self, KeyError> {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048)
            .map_err(|_| KeyError("no RSA key could be made".to_owned()))?;
        Self::from_key(key)
    }

    /// Reads a PKCS#8 key.
    ///
    /// # Errors
    /// The bytes are no RSA key in PKCS#8.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let key = PrivateDecryptingKey::from_pkcs8(pkcs8)
            .map_err(|error| KeyError(format!("not an RSA key in PKCS#8: {error}")))?;
        Self::from_key(key)
    }

    /// Reads a PEM `PRIVATE KEY`.
    ///
    /// # Errors
    /// The text holds no RSA key in PKCS#8.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| KeyError(format!("not a PEM private key: {}", fault(&error))))?;
        Self::from_pkcs8(der.secret_pkcs8_der())
    }

    fn from_key(key: PrivateDecryptingKey) -> Result<Self, KeyError> {
        let der = key
            .public_key()
            .as_der()
            .map_err(|_| KeyError("an RSA key could not be serialised".to_owned()))?;
        Ok(Self { key, public_pem: pem_encode("PUBLIC KEY", der.as_ref()) })
    }

    /// PEM `PUBLIC KEY`.
    #[must_use]
    pub fn public_key_pem(&self) -> &str {
        &self.public_pem
    }

    /// The private key as PKCS#8.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.key
            .as_der()
            .map(|der| Zeroizing::new(der.as_ref().to_vec()))
            .map_err(|_| KeyError("an RSA key could not be serialised".to_owned()))
    }

    /// The private key as PEM `PRIVATE KEY`.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        Ok(Zeroizing::new(pem_encode("PRIVATE KEY", &self.to_pkcs8()?)))
    }

    /// Decrypts RSA-OAEP with SHA-256.
    ///
    /// # Errors
    /// It was not encrypted to this key.
    pub fn decrypt(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let failed = |_| KeyError("RSA-OAEP decryption failed".to_owned());
        let key = OaepPrivateDecryptingKey::new(self.key.clone()).map_err(failed)?;
        let mut plain = Zeroizing::new(vec![0; key.min_output_size()]);
        let length = key
            .decrypt(&OAEP_SHA256_MGF1SHA256, ciphertext, &mut plain, None)
            .map_err(failed)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}

/// Encrypts with RSA-OAEP and SHA-256 to the public key in `public_pem`.
///
/// # Errors
/// The text holds no RSA public key, or `plain` is too long for it.
pub fn rsa_encrypt(public_pem: &str, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
    let der = public_key_der(public_pem)?;
    let key = PublicEncryptingKey::from_der(&der)
        .map_err(|error| KeyError(format!("not an RSA public key: {error}")))?;
    let failed = |_| KeyError("RSA-OAEP encryption failed".to_owned());
    let key = OaepPublicEncryptingKey::new(key).map_err(failed)?;
    let mut out = vec![0; key.ciphertext_size()];
    let length = key.encrypt(&OAEP_SHA256_MGF1SHA256, plain, &mut out, None).map_err(failed)?.len();
    out.truncate(length);
    Ok(out)
}

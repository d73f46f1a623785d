//! The ledger secret: read from a file for `--secret`, and used to open private entries.
//!
//! Invariant: the secret is zeroised when dropped and never printed, also not in errors.

use std::fs;
use std::path::Path;

use affiant_proof::audit::LedgerSecret;
use affiant_proof::entry::EntryView;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize as _, Zeroizing};

use super::files::unreadable;
use crate::exit::Failure;

const SECRET_BYTES: usize = 32;
/// Bound on the size of a secret file, in bytes.
const SECRET_FILE_BYTES_MAX: usize = 1 << 16;

const FORMS: &str = "it must hold a ledger secret: 32 bytes, raw, or as 64 hex characters, or as \
                     base64; or one secret a line, each after the first seqno that it seals";

/// Reads the secrets in `path`, in order of their first seqno.
pub(crate) fn read_secrets(path: &Path) -> Result<Vec<LedgerSecret>, Failure> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error.to_string()))?;
    let bytes = Zeroizing::new(bytes);
    if bytes.len() > SECRET_FILE_BYTES_MAX {
        return Err(unreadable(path, FORMS));
    }
    let mut secrets = parse(&bytes).ok_or_else(|| unreadable(path, FORMS))?;
    secrets.sort_by_key(|secret| secret.first_seqno);
    Ok(secrets)
}

fn parse(bytes: &[u8]) -> Option<Vec<LedgerSecret>> {
    if let Ok(key) = bytes.try_into() {
        return Some(vec![LedgerSecret { first_seqno: 1, key }]);
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let secrets: Option<Vec<_>> = lines.map(parse_line).collect();
    secrets.filter(|secrets| !secrets.is_empty())
}

fn parse_line(line: &str) -> Option<LedgerSecret> {
    let (first_seqno, key) = match line.split_once([' ', ':', '\t']) {
        Some((seqno, key)) => (seqno.parse().ok()?, key.trim()),
        None => (1, line),
    };
    Some(LedgerSecret { first_seqno, key: parse_key(key)? })
}

fn parse_key(text: &str) -> Option<[u8; SECRET_BYTES]> {
    let mut key = [0; SECRET_BYTES];
    if text.len() == 2 * SECRET_BYTES {
        for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        return Some(key);
    }
    let decoded = Zeroizing::new(STANDARD.decode(text).ok()?);
    key.copy_from_slice(decoded.get(..).filter(|bytes| bytes.len() == SECRET_BYTES)?);
    Some(key)
}

/// Opens private domains.
pub(crate) struct Opener {
    /// First seqno and key, in order.
    keys: Vec<(u64, LessSafeKey)>,
}

impl Opener {
    pub(crate) fn new(secrets: &[LedgerSecret]) -> Self {
        let ready = |secret: &LedgerSecret| {
            let key = UnboundKey::new(&AES_256_GCM, &secret.key);
            (secret.first_seqno, LessSafeKey::new(key.expect("AES-256 takes 32 bytes")))
        };
        Self { keys: secrets.iter().map(ready).collect() }
    }

    /// The private domain of `entry`; none if no secret fits or the tag does not match.
    pub(crate) fn open(&self, entry: &EntryView<'_>) -> Option<Zeroizing<Vec<u8>>> {
        let seqno = entry.txid().seqno;
        let (_, key) = self.keys.iter().rev().find(|(first, _)| *first <= seqno)?;
        let mut sealed = Zeroizing::new(entry.private_ciphertext().to_vec());
        sealed.extend_from_slice(&entry.tag());
        let nonce = Nonce::assume_unique_for_key(entry.iv());
        let opened = key.open_in_place(nonce, Aad::from(entry.public_domain()), &mut sealed);
        let length = opened.ok()?.len();
        sealed[length..].zeroize();
        sealed.truncate(length);
        Some(sealed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_secret_is_read_in_every_form() {
        let key: [u8; 32] = core::array::from_fn(|position| position as u8);
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let base64 = STANDARD.encode(key);
        for file in [key.to_vec(), format!("{hex}\n").into(), base64.clone().into_bytes()] {
            let secrets = parse(&file).unwrap();
            assert_eq!((secrets[0].first_seqno, secrets[0].key), (1, key));
        }
        let two = parse(format!("1 {hex}\n\n9 {base64}\n").as_bytes()).unwrap();
        assert_eq!((two[1].first_seqno, two[1].key), (9, key));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for file in ["", "\n", "00", "x 00", "not a secret at all"] {
            assert!(parse(file.as_bytes()).is_none(), "{file:?}");
        }
    }
}

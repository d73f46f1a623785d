//! The host's certificate table, as an extended report of `/dev/sev-guest` and configfs' `auxblob` bring
//! it (AMD GHCB specification, SNP Extended Guest Request): entries of GUID, offset and length in 32
//! bits each, ended by an entry of zeros, and the certificates after them.

use super::Evidence;
use super::encoding::certificate_from_either;
use crate::limits::{CERTIFICATE_TABLE_BYTES_MAX, CRL_BYTES_MAX};
use crate::{AttestError, chain, to_pem};

const WHAT: &str = "certificate table";
const ENTRY_BYTES: usize = 24;
const ENTRIES_MAX: usize = 32;

const VCEK: Guid = guid(0x63da_758d, 0xe664, 0x4564, 0xadc5_f4b9_3be8_accd);
const VLEK: Guid = guid(0xa807_4bc2, 0xa25a, 0x483e, 0xaae6_39c0_45a0_b8a1);
const ASK: Guid = guid(0x4ab7_b379, 0xbbac, 0x4fe4, 0xa02f_05ae_f327_c782);
const ARK: Guid = guid(0xc0b4_06a4, 0xa803, 0x4952, 0x9743_3fb6_014c_d0ae);
const CRL: Guid = guid(0x92f8_1bc3, 0x5811, 0x4d3d, 0x97ff_d19f_88dc_67ea);
const END: Guid = [0; 16];

/// In the order in which it is printed. Hosts write that, or with the first three fields reversed.
type Guid = [u8; 16];

const fn guid(first: u32, second: u16, third: u16, rest: u64) -> Guid {
    let (a, b, c, d) =
        (first.to_be_bytes(), second.to_be_bytes(), third.to_be_bytes(), rest.to_be_bytes());
    [a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]]
}

fn reversed_fields(guid: Guid) -> Guid {
    let [a, b, c, d, e, f, g, h, rest @ ..] = guid;
    let mut out = [d, c, b, a, f, e, h, g, 0, 0, 0, 0, 0, 0, 0, 0];
    for (to, from) in out.iter_mut().skip(8).zip(rest) {
        *to = from;
    }
    out
}

/// What a host's certificate table holds. Entries of other GUIDs are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateTable {
    /// Of the chip, DER.
    pub vcek: Option<Vec<u8>>,
    /// Of the cloud provider, DER.
    pub vlek: Option<Vec<u8>>,
    /// Signs VCEKs, DER; where a VLEK is, the ASVK.
    pub ask: Option<Vec<u8>>,
    /// AMD's root, DER.
    pub ark: Option<Vec<u8>>,
    /// A revocation list, as it came.
    pub crl: Option<Vec<u8>>,
}

impl CertificateTable {
    /// Reads a table; of no bytes or of zeros, an empty one. Certificates may be DER or PEM.
    ///
    /// # Errors
    /// The table is too large, not ended, reaches beyond its bytes, or has an entry twice.
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestError> {
        AttestError::bound(
            "size of a certificate table",
            bytes.len(),
            CERTIFICATE_TABLE_BYTES_MAX,
        )?;
        let mut table = Self::default();
        if bytes.is_empty() {
            return Ok(table);
        }
        for entry in bytes.chunks(ENTRY_BYTES).take(ENTRIES_MAX) {
            let (Some(guid), Some(offset), Some(length)) =
                (array::<16>(entry, 0), array::<4>(entry, 16), array::<4>(entry, 20))
            else {
                return Err(AttestError::malformed(WHAT, "it is not ended"));
            };
            if guid == END {
                return Ok(table);
            }
            let data = slice(bytes, u32::from_le_bytes(offset), u32::from_le_bytes(length))
                .ok_or_else(|| AttestError::malformed(WHAT, "an entry reaches beyond its end"))?;
            table.take(guid, data)?;
        }
        Err(AttestError::malformed(WHAT, format!("it is not ended after {ENTRIES_MAX} entries")))
    }

    fn take(&mut self, guid: Guid, data: &[u8]) -> Result<(), AttestError> {
        let is = |known: Guid| guid == known || guid == reversed_fields(known);
        let field = match guid {
            _ if is(VCEK) => &mut self.vcek,
            _ if is(VLEK) => &mut self.vlek,
            _ if is(ASK) => &mut self.ask,
            _ if is(ARK) => &mut self.ark,
            _ if is(CRL) => {
                AttestError::bound("size of a revocation list", data.len(), CRL_BYTES_MAX)?;
                return match self.crl.replace(data.to_vec()) {
                    None => Ok(()),
                    Some(_) => Err(AttestError::malformed(WHAT, "an entry stands twice")),
                };
            }
            _ => return Ok(()),
        };
        match field.replace(certificate_from_either(data)?) {
            None => Ok(()),
            Some(_) => Err(AttestError::malformed(WHAT, "an entry stands twice")),
        }
    }

    /// The table in bytes.
    ///
    /// # Errors
    /// Its parts are too large together.
    pub fn to_bytes(&self) -> Result<Vec<u8>, AttestError> {
        let parts = [
            (VCEK, &self.vcek),
            (VLEK, &self.vlek),
            (ASK, &self.ask),
            (ARK, &self.ark),
            (CRL, &self.crl),
        ];
        let parts: Vec<_> = parts
            .iter()
            .filter_map(|(guid, part)| part.as_ref().map(|part| (guid, part)))
            .collect();
        let mut head = Vec::new();
        let mut data = Vec::new();
        let mut offset = ENTRY_BYTES * (parts.len() + 1);
        for (guid, part) in parts {
            let size = offset + part.len();
            AttestError::bound("size of a certificate table", size, CERTIFICATE_TABLE_BYTES_MAX)?;
            let four = |size: usize| u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
            head.extend_from_slice(guid);
            head.extend_from_slice(&four(offset));
            head.extend_from_slice(&four(part.len()));
            data.extend_from_slice(part);
            offset = size;
        }
        head.extend_from_slice(&[0; ENTRY_BYTES]);
        head.extend_from_slice(&data);
        Ok(head)
    }

    /// The table of a PEM chain: VCEK or VLEK, ASK or ASVK, ARK.
    ///
    /// # Errors
    /// The chain cannot be read, or has more than three certificates.
    pub fn from_endorsements(pem: &[u8], is_vlek: bool) -> Result<Self, AttestError> {
        let mut chain = chain::certificates(pem)?.into_iter();
        let (leaf, ask, ark) = (chain.next(), chain.next(), chain.next());
        if chain.next().is_some() {
            return Err(AttestError::malformed(WHAT, "the chain has more than three certificates"));
        }
        let (vcek, vlek) = if is_vlek { (None, leaf) } else { (leaf, None) };
        Ok(Self { vcek, vlek, ask, ark, crl: None })
    }

    /// The chain in PEM of the key that signed a report: leaf, ASK, ARK, as far as they are there.
    #[must_use]
    pub fn endorsements(&self, is_vlek: bool) -> Vec<u8> {
        let leaf = if is_vlek { &self.vlek } else { &self.vcek };
        let mut pem = String::new();
        for certificate in [leaf, &self.ask, &self.ark].into_iter().flatten() {
            pem.push_str(&to_pem(certificate));
        }
        pem.into_bytes()
    }
}

impl Evidence {
    /// The evidence of an extended report: the report, and the host's certificate table. Whether the
    /// chip's or the provider's key signed is for the report to say.
    ///
    /// # Errors
    /// The report has another size, or the table cannot be read.
    pub fn from_extended_report(report: &[u8], table: &[u8]) -> Result<Self, AttestError> {
        let table = CertificateTable::parse(table)?;
        Self::new(report.to_vec(), table.endorsements(super::is_signed_by_vlek(report)))
    }

    /// The table from which [`Evidence::from_extended_report`] takes this chain.
    ///
    /// # Errors
    /// The chain is no PEM of at most three certificates.
    pub fn to_certificate_table(&self) -> Result<Vec<u8>, AttestError> {
        let is_vlek = super::is_signed_by_vlek(&self.report);
        CertificateTable::from_endorsements(&self.endorsements, is_vlek)?.to_bytes()
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn slice(bytes: &[u8], offset: u32, length: u32) -> Option<&[u8]> {
    let offset = usize::try_from(offset).ok()?;
    bytes.get(offset..offset.checked_add(usize::try_from(length).ok()?)?)
}

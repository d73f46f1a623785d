//! The report that a virtual TPM of an Azure confidential VM keeps at NV index 0x01400001: a header, an
//! SNP report made by the paravisor, and the runtime claims (JSON) that the report is bound to. All
//! numbers are little-endian.

use super::Evidence;
use crate::AttestError;
use crate::limits::{BOUND_BYTES_MAX, HCL_REPORT_BYTES_MAX, REPORT_BYTES};

const WHAT: &str = "HCL report";
const SIGNATURE: &[u8; 4] = b"HCLA";
const HEADER_BYTES: usize = 32;
const RUNTIME_HEADER_BYTES: usize = 20;
const TYPE_SNP: u32 = 2;
const HASH_SHA256: u32 = 1;

/// An HCL report, in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HclReport {
    /// The version of the header.
    pub version: u32,
    /// The version of the runtime data.
    pub runtime_version: u32,
    /// The SNP report. Its measurement is of the paravisor, not of the guest's own code.
    pub report: Vec<u8>,
    /// The runtime claims, JSON as it came: keys of the virtual TPM, configuration, user data. Their
    /// SHA-256 is the first half of report_data.
    pub runtime_claims: Vec<u8>,
}

/// Takes numbers and bytes from the front.
struct Front<'a>(&'a [u8]);

impl<'a> Front<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], AttestError> {
        let (front, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| AttestError::malformed(WHAT, "it is cut short"))?;
        self.0 = rest;
        Ok(front)
    }

    fn number(&mut self) -> Result<u32, AttestError> {
        let bytes = self.take(4)?.try_into().map_err(|_| cut_short())?;
        Ok(u32::from_le_bytes(bytes))
    }
}

fn cut_short() -> AttestError {
    AttestError::malformed(WHAT, "it is cut short")
}

fn expect(what: &'static str, found: u32, wanted: u32) -> Result<(), AttestError> {
    if found == wanted {
        return Ok(());
    }
    Err(AttestError::Unknown { what, found: format!("{found} (this reads {wanted})") })
}

impl HclReport {
    /// Reads what the NV index holds. Zeros may follow.
    ///
    /// # Errors
    /// It is no HCL report of SEV-SNP with claims hashed by SHA-256, or cut short, or too large.
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestError> {
        AttestError::bound("size of an HCL report", bytes.len(), HCL_REPORT_BYTES_MAX)?;
        let mut front = Front(bytes);
        if front.take(4)? != SIGNATURE {
            return Err(AttestError::malformed(WHAT, "it does not begin with HCLA"));
        }
        let version = front.number()?;
        let _size = front.number()?;
        expect("type of an HCL report", front.number()?, TYPE_SNP)?;
        let _status_and_reserved = front.take(16)?;
        let report = front.take(REPORT_BYTES)?.to_vec();
        let data_size = front.number()?;
        let runtime_version = front.number()?;
        expect("type of report in an HCL report", front.number()?, TYPE_SNP)?;
        expect("hash of the claims in an HCL report", front.number()?, HASH_SHA256)?;
        let claims_size = front.number()?;
        let size = usize::try_from(claims_size).map_err(|_| cut_short())?;
        AttestError::bound("size of the runtime claims", size, BOUND_BYTES_MAX)?;
        let whole = u32::try_from(RUNTIME_HEADER_BYTES).unwrap_or_default();
        if claims_size.checked_add(whole) != Some(data_size) {
            let why = format!("runtime data of {data_size} bytes with claims of {claims_size}");
            return Err(AttestError::malformed(WHAT, why));
        }
        let runtime_claims = front.take(size)?.to_vec();
        if front.0.iter().any(|byte| *byte != 0) {
            return Err(AttestError::malformed(WHAT, "bytes follow its claims"));
        }
        serde_json::from_slice::<serde_json::Map<_, _>>(&runtime_claims)
            .map_err(|error| AttestError::malformed("runtime claims", error.to_string()))?;
        Ok(Self { version, runtime_version, report, runtime_claims })
    }

    /// The same in bytes, with nothing after the claims.
    ///
    /// # Errors
    /// The report has another size, or the claims are too large.
    pub fn to_bytes(&self) -> Result<Vec<u8>, AttestError> {
        AttestError::bound(
            "size of the runtime claims",
            self.runtime_claims.len(),
            BOUND_BYTES_MAX,
        )?;
        if self.report.len() != REPORT_BYTES {
            return Err(AttestError::malformed(WHAT, "its report has another size"));
        }
        let four = |size: usize| u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
        let data_size = RUNTIME_HEADER_BYTES + self.runtime_claims.len();
        let mut out = Vec::with_capacity(HEADER_BYTES + REPORT_BYTES + data_size);
        out.extend_from_slice(SIGNATURE);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&four(REPORT_BYTES + data_size));
        out.extend_from_slice(&TYPE_SNP.to_le_bytes());
        out.extend_from_slice(&[0; 16]);
        out.extend_from_slice(&self.report);
        out.extend_from_slice(&four(data_size));
        out.extend_from_slice(&self.runtime_version.to_le_bytes());
        out.extend_from_slice(&TYPE_SNP.to_le_bytes());
        out.extend_from_slice(&HASH_SHA256.to_le_bytes());
        out.extend_from_slice(&four(self.runtime_claims.len()));
        out.extend_from_slice(&self.runtime_claims);
        Ok(out)
    }

    /// The evidence in it: the report, bound to the runtime claims. The chain comes from elsewhere.
    ///
    /// # Errors
    /// The report has another size.
    pub fn evidence(&self) -> Result<Evidence, AttestError> {
        let mut evidence = Evidence::new(self.report.clone(), Vec::new())?;
        evidence.bound = Some(self.runtime_claims.clone());
        Ok(evidence)
    }
}

//! Evidence of an Azure confidential VM: its paravisor makes the report, and its virtual TPM hands it
//! out of an NV index. **Untested on silicon**: no machine of ours has one; a stand-in speaks here.
//!
//! Such a report's measurement is of the paravisor, not of the guest's own code, and it is bound to
//! claims of the paravisor (JSON), which in turn hold what was asked for as `user-data`. So
//! `Evidence::bound` is those claims here, other than with every other provider: a verifier compares
//! `user-data` itself. This is why it is asked only if configured by name.
//!
//! Commands are of "TPM 2.0 Library, Part 3: Commands": NV_ReadPublic, NV_Read, NV_Write, by the
//! owner with an empty password. All numbers are big-endian.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};

use affiant_attest::limits::REPORT_DATA_BYTES;
use affiant_attest::{Attestation, HclReport};
use affiant_proof::to_hex;
use parking_lot::Mutex;
use serde_json::Value as Json;

use super::collateral::Collateral;
use super::{Attestor, FORMAT_SNP, PlatformError, check_bound};
use crate::limits::{HCL_ATTEMPTS_MAX, HCL_PAUSE_MS, TPM_ANSWER_BYTES_MAX, TPM_NV_CHUNK_BYTES};

/// The kernel's device, with its resource manager.
pub(super) const TPM_DEVICE: &str = "/dev/tpmrm0";

/// Where the paravisor keeps its report.
const REPORT_INDEX: u32 = 0x0140_0001;
/// Where it takes what is to be in the next one.
const USER_DATA_INDEX: u32 = 0x0140_0002;

const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;
const NV_WRITE: u32 = 0x137;
const NV_READ: u32 = 0x14e;
const NV_READ_PUBLIC: u32 = 0x169;
const OWNER: u32 = 0x4000_0001;
const PASSWORD_SESSION: u32 = 0x4000_0009;
/// Handle of the session, empty nonce, no attributes, empty password.
const PASSWORD_BYTES: u32 = 9;
const HEAD_BYTES: usize = 10;

/// Takes a command and gives the answer.
pub(super) trait Tpm: Send {
    fn name(&self) -> String;
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, PlatformError>;
}

/// The kernel's.
pub(super) struct TpmDevice {
    path: String,
    file: File,
}

impl TpmDevice {
    pub(super) fn open(path: &str) -> Result<Self, PlatformError> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(|error| {
            let reason = format!("{error}; an Azure confidential VM has it, for root");
            PlatformError::unavailable(path, reason)
        })?;
        Ok(Self { path: path.to_owned(), file })
    }
}

impl Tpm for TpmDevice {
    fn name(&self) -> String {
        self.path.clone()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, PlatformError> {
        let failed =
            |error: std::io::Error| PlatformError::unavailable(&*self.path, error.to_string());
        // One write is one command, one read is one answer.
        self.file.write_all(command).map_err(failed)?;
        let mut answer = vec![0; TPM_ANSWER_BYTES_MAX];
        let length = self.file.read(&mut answer).map_err(failed)?;
        answer.truncate(length);
        Ok(answer)
    }
}

/// Evidence by way of the virtual TPM.
pub(super) struct VtpmAttestor {
    tpm: Mutex<Box<dyn Tpm>>,
    collateral: Collateral,
    sleep_ms: Box<dyn Fn(u64) + Send + Sync>,
}

impl VtpmAttestor {
    pub(super) fn new(
        tpm: Box<dyn Tpm>,
        collateral: Collateral,
        sleep_ms: Box<dyn Fn(u64) + Send + Sync>,
    ) -> Self {
        Self { tpm: Mutex::new(tpm), collateral, sleep_ms }
    }

    /// A report that is about this data. The paravisor needs a moment to make one.
    fn report(&self, data: &[u8; REPORT_DATA_BYTES]) -> Result<HclReport, PlatformError> {
        let mut tpm = self.tpm.lock();
        nv_write(&mut **tpm, USER_DATA_INDEX, data)?;
        let wanted = to_hex(data);
        for attempt in 1..=HCL_ATTEMPTS_MAX {
            let report = HclReport::parse(&nv_read(&mut **tpm, REPORT_INDEX)?)?;
            let claims: Json = serde_json::from_slice(&report.runtime_claims).unwrap_or_default();
            let found = claims.get("user-data").and_then(Json::as_str).unwrap_or_default();
            if found.eq_ignore_ascii_case(&wanted) {
                return Ok(report);
            }
            if attempt < HCL_ATTEMPTS_MAX {
                (self.sleep_ms)(HCL_PAUSE_MS);
            }
        }
        let reason = format!("NV index {REPORT_INDEX:#x} has no report about the data written");
        Err(PlatformError::unavailable(tpm.name(), reason))
    }
}

impl Attestor for VtpmAttestor {
    fn format(&self) -> &'static str {
        FORMAT_SNP
    }

    fn provider(&self) -> &'static str {
        "vtpm"
    }

    fn attest(&self, bound: &[u8]) -> Result<Attestation, PlatformError> {
        check_bound(bound)?;
        let hcl = self.report(&super::report_data(bound))?;
        let evidence = self.collateral.complete(&hcl.report, None, &hcl.runtime_claims)?;
        Ok(Attestation::Snp(Box::new(evidence)))
    }
}

/// The bytes of an index.
pub(super) fn nv_read(tpm: &mut dyn Tpm, index: u32) -> Result<Vec<u8>, PlatformError> {
    let size = nv_size(tpm, index)?;
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        let want = TPM_NV_CHUNK_BYTES.min(size - bytes.len());
        let mut command = by_owner(index);
        command.extend_from_slice(&(want as u16).to_be_bytes());
        command.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
        let what = "NV_Read";
        let answer = exchange(tpm, what, SESSIONS, NV_READ, &command, index)?;
        let mut answer = Answer { tpm: tpm.name(), what, bytes: &answer };
        answer.number::<4>()?;
        let data = answer.sized()?;
        if data.is_empty() || data.len() > want {
            return Err(answer.strange("a piece of another length than asked for"));
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

/// How many bytes an index has: 65,535 at most.
fn nv_size(tpm: &mut dyn Tpm, index: u32) -> Result<usize, PlatformError> {
    let what = "NV_ReadPublic";
    let command = index.to_be_bytes();
    let answer = exchange(tpm, what, NO_SESSIONS, NV_READ_PUBLIC, &command, index)?;
    let mut answer = Answer { tpm: tpm.name(), what, bytes: &answer };
    let mut public = Answer { bytes: answer.sized()?, tpm: tpm.name(), what };
    // Index, algorithm of its name, attributes, policy; then what is looked for.
    public.number::<4>()?;
    public.number::<2>()?;
    public.number::<4>()?;
    public.sized()?;
    Ok(usize::from(u16::from_be_bytes(public.number::<2>()?)))
}

fn nv_write(
    tpm: &mut dyn Tpm,
    index: u32,
    data: &[u8; REPORT_DATA_BYTES],
) -> Result<(), PlatformError> {
    let mut command = by_owner(index);
    command.extend_from_slice(&(REPORT_DATA_BYTES as u16).to_be_bytes());
    command.extend_from_slice(data);
    command.extend_from_slice(&[0, 0]);
    exchange(tpm, "NV_Write", SESSIONS, NV_WRITE, &command, index).map(drop)
}

/// The handles and the authorisation of a command by the owner about an index.
fn by_owner(index: u32) -> Vec<u8> {
    let mut command = Vec::new();
    command.extend_from_slice(&OWNER.to_be_bytes());
    command.extend_from_slice(&index.to_be_bytes());
    command.extend_from_slice(&PASSWORD_BYTES.to_be_bytes());
    command.extend_from_slice(&PASSWORD_SESSION.to_be_bytes());
    command.extend_from_slice(&[0; 5]);
    command
}

/// Sends a command; gives the answer without its head, if it is one of success.
fn exchange(
    tpm: &mut dyn Tpm,
    what: &'static str,
    tag: u16,
    code: u32,
    body: &[u8],
    index: u32,
) -> Result<Vec<u8>, PlatformError> {
    let mut command = Vec::with_capacity(HEAD_BYTES + body.len());
    command.extend_from_slice(&tag.to_be_bytes());
    command.extend_from_slice(&((HEAD_BYTES + body.len()) as u32).to_be_bytes());
    command.extend_from_slice(&code.to_be_bytes());
    command.extend_from_slice(body);
    let whole = tpm.transmit(&command)?;
    let mut answer = Answer { tpm: tpm.name(), what, bytes: &whole };
    answer.number::<2>()?;
    let length = u32::from_be_bytes(answer.number::<4>()?);
    let outcome = u32::from_be_bytes(answer.number::<4>()?);
    if length as usize != whole.len() {
        return Err(answer.strange("its length is not what it says"));
    }
    if outcome != 0 {
        let reason = format!(
            "{what} of NV index {index:#x} is refused with {outcome:#x}; is this an Azure confidential \
             VM, and is the index defined for its owner?"
        );
        return Err(PlatformError::unavailable(tpm.name(), reason));
    }
    Ok(answer.bytes.to_vec())
}

/// What is left of an answer.
struct Answer<'a> {
    tpm: String,
    what: &'static str,
    bytes: &'a [u8],
}

impl<'a> Answer<'a> {
    fn strange(&self, why: &str) -> PlatformError {
        PlatformError::unavailable(&*self.tpm, format!("the answer to {}: {why}", self.what))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], PlatformError> {
        let split = self.bytes.split_at_checked(count);
        let (taken, rest) = split.ok_or_else(|| self.strange("it is cut off"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], PlatformError> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| self.strange("it is cut off"))
    }

    /// Bytes after their length.
    fn sized(&mut self) -> Result<&'a [u8], PlatformError> {
        let length = u16::from_be_bytes(self.number()?);
        self.take(usize::from(length))
    }
}

//! Reading a report, front to back: every byte of it is either a field or held to zero.

use super::{
    COORDINATE_BYTES, Cpuid, FirmwareVersion, GuestPolicy, KeyFlags, Mitigations, PlatformInfo,
    Report, ReportSignature, SIGNATURE_HALF_BYTES, SIGNED_BYTES,
};
use crate::AttestError;
use crate::limits::REPORT_BYTES;
use crate::tcb::TcbBytes;

/// ECDSA on P-384 with SHA-384.
const ALGORITHM: u32 = 1;

/// What is left of the report.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], AttestError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(AttestError::malformed("report", "it ends early"));
        };
        self.rest = rest;
        Ok(*bytes)
    }

    fn u32(&mut self) -> Result<u32, AttestError> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, AttestError> {
        self.take().map(u64::from_le_bytes)
    }

    fn tcb(&mut self) -> Result<TcbBytes, AttestError> {
        self.take().map(TcbBytes)
    }

    /// `N` bytes that this version of the format reserves.
    fn reserved<const N: usize>(&mut self) -> Result<(), AttestError> {
        let offset = REPORT_BYTES - self.rest.len();
        let bytes = self.take::<N>()?;
        match bytes.iter().position(|byte| *byte != 0) {
            None => Ok(()),
            Some(at) => {
                let why = format!("the reserved byte at offset {:#x} is not zero", offset + at);
                Err(AttestError::malformed("report", why))
            }
        }
    }

    fn firmware(&mut self) -> Result<FirmwareVersion, AttestError> {
        let [build, minor, major] = self.take()?;
        self.reserved::<1>()?;
        Ok(FirmwareVersion { major, minor, build })
    }

    fn half_of_signature(&mut self) -> Result<[u8; COORDINATE_BYTES], AttestError> {
        let half = self.take()?;
        self.reserved::<{ SIGNATURE_HALF_BYTES - COORDINATE_BYTES }>()?;
        Ok(half)
    }
}

pub(super) fn report(bytes: &[u8]) -> Result<Report, AttestError> {
    if bytes.len() != REPORT_BYTES {
        let why = format!("it has {} bytes and a report has {REPORT_BYTES}", bytes.len());
        return Err(AttestError::malformed("report", why));
    }
    let mut reader = Reader { rest: bytes };
    let version = reader.u32()?;
    if !matches!(version, 2 | 3 | 5) {
        return Err(AttestError::Unknown { what: "report version", found: version.to_string() });
    }
    let report = Report {
        version,
        guest_svn: reader.u32()?,
        policy: GuestPolicy::read(reader.u64()?)?,
        family_id: reader.take()?,
        image_id: reader.take()?,
        vmpl: reader.u32()?,
        signature_algorithm: algorithm(reader.u32()?)?,
        current_tcb: reader.tcb()?,
        platform_info: PlatformInfo::read(reader.u64()?)?,
        key_flags: KeyFlags::read(reader.u32()?)?,
        report_data: {
            reader.reserved::<4>()?;
            reader.take()?
        },
        measurement: reader.take()?,
        host_data: reader.take()?,
        id_key_digest: reader.take()?,
        author_key_digest: reader.take()?,
        report_id: reader.take()?,
        report_id_ma: reader.take()?,
        reported_tcb: reader.tcb()?,
        cpuid: cpuid(&mut reader, version)?,
        chip_id: reader.take()?,
        committed_tcb: reader.tcb()?,
        current_firmware: reader.firmware()?,
        committed_firmware: reader.firmware()?,
        launch_tcb: reader.tcb()?,
        mitigations: mitigations(&mut reader, version)?,
        signature: ReportSignature {
            r: reader.half_of_signature()?,
            s: reader.half_of_signature()?,
        },
        signed: bytes.get(..SIGNED_BYTES).unwrap_or_default().into(),
    };
    reader.reserved::<{ REPORT_BYTES - SIGNED_BYTES - 2 * SIGNATURE_HALF_BYTES }>()?;
    Ok(report)
}

fn algorithm(found: u32) -> Result<u32, AttestError> {
    if found == ALGORITHM {
        return Ok(found);
    }
    Err(AttestError::Unknown { what: "signature algorithm of a report", found: found.to_string() })
}

/// 24 bytes: since version 3 they start with the processor's id.
fn cpuid(reader: &mut Reader<'_>, version: u32) -> Result<Option<Cpuid>, AttestError> {
    if version < 3 {
        reader.reserved::<24>()?;
        return Ok(None);
    }
    let [family, model, stepping] = reader.take()?;
    reader.reserved::<21>()?;
    Ok(Some(Cpuid { family, model, stepping }))
}

/// The 168 bytes before the signature: in version 5 they start with the mitigations.
fn mitigations(reader: &mut Reader<'_>, version: u32) -> Result<Option<Mitigations>, AttestError> {
    if version < 5 {
        reader.reserved::<168>()?;
        return Ok(None);
    }
    let (launch, current) = (reader.u64()?, reader.u64()?);
    reader.reserved::<152>()?;
    Ok(Some(Mitigations { launch, current }))
}

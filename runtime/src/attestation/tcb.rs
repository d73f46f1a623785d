//! `ccf.tcbHexToPolicy` (reference A.3): the parts of a TCB version, by processor.

use core::ffi::CStr;
use core::fmt;

use affiant_attest::{Cpuid, Product, TcbBytes, TcbVersion};
use affiant_proof::from_hex;

/// The parts of a TCB version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcbPolicy {
    /// As it was given.
    pub hexstring: String,
    /// Name and version of each component that the processor has, in CCF's order.
    pub components: Vec<(&'static CStr, u8)>,
}

/// Why a TCB version cannot be taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TcbRefused {
    /// It is not the hex that it must be.
    NotHex {
        /// The argument.
        what: &'static str,
        /// How many digits it must have.
        digits: usize,
    },
    /// The processor is not known, or has no such version.
    Unknown(String),
}

impl fmt::Display for TcbRefused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHex { what, digits } => {
                write!(out, "{what} must be a string of {digits} hex digits")
            }
            Self::Unknown(reason) => out.write_str(reason),
        }
    }
}

impl core::error::Error for TcbRefused {}

/// Takes a TCB version apart: `cpuid` as CPUID function 1 gives it in EAX, 8 hex digits; `tcb_version`
/// with its last byte first, 16 hex digits.
///
/// # Errors
/// As [`TcbRefused`] says.
pub fn tcb_hex_to_policy(cpuid: &str, tcb_version: &str) -> Result<TcbPolicy, TcbRefused> {
    let eax = u32::from_be_bytes(exact(cpuid, "cpuid")?);
    let mut bytes: [u8; 8] = exact(tcb_version, "tcb_version")?;
    bytes.reverse();
    let cpuid = Cpuid::from_eax(eax);
    let product = cpuid.and_then(|cpuid| Product::from_cpuid(cpuid.family, cpuid.model));
    let product = product.ok_or_else(|| {
        let reason = format!("cpuid {eax:08x} is of no processor with SEV-SNP that is known");
        TcbRefused::Unknown(reason)
    })?;
    let version = TcbVersion::from_bytes(product, TcbBytes(bytes))
        .map_err(|error| TcbRefused::Unknown(error.to_string()))?;
    let mut components = vec![
        (c"microcode", version.microcode),
        (c"snp", version.snp),
        (c"tee", version.tee),
        (c"boot_loader", version.boot_loader),
    ];
    components.extend(version.fmc.map(|fmc| (c"fmc", fmc)));
    Ok(TcbPolicy { hexstring: tcb_version.to_owned(), components })
}

fn exact<const N: usize>(text: &str, what: &'static str) -> Result<[u8; N], TcbRefused> {
    let bytes = from_hex(text).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(TcbRefused::NotHex { what, digits: 2 * N })
}

//! Who is asked for evidence, and what seals: as configured, or the best that is there.

use std::path::Path;
use std::sync::Arc;

use affiant_attest::guest::{Firmware, SNP_PROVIDER, SevGuest, TSM_ROOT, Tsm};

use super::collateral::Collateral;
use super::context::{Context, Surroundings};
use super::endorsements::Pace;
use super::guest::GuestAttestor;
use super::queue::QueuedAttestor;
use super::settings::{EndorsementServer, PlatformSettings, Provider, ServerKind};
use super::sidecar::SidecarAttestor;
use super::vtpm::{TPM_DEVICE, TpmDevice, VtpmAttestor};
use super::{Attestor, PlatformError, Sidecar, SnpDerivedKey, VirtualAttestor, sleep_ms};
use crate::clock::Clock;
use crate::node::{InsecureFileKey, SealingKey};
use crate::{log_fail, log_info};

/// What seals a node's identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SealingKind {
    /// The secure processor, if its device is there and no key file is; or else a key file.
    #[default]
    Auto,
    /// A key in a plain file.
    InsecureFile,
    /// A key that the secure processor derives.
    SnpDerived,
}

/// What seals, by kind: with a key in `key_file`, or with the secure processor's, whose versions are
/// in `versions_file`.
#[must_use]
pub fn choose_sealing(
    kind: SealingKind,
    key_file: &Path,
    versions_file: &Path,
) -> Arc<dyn SealingKey> {
    choose_sealing_with(kind, key_file, versions_file, SevGuest::is_there())
}

fn choose_sealing_with(
    kind: SealingKind,
    key_file: &Path,
    versions_file: &Path,
    device_is_there: bool,
) -> Arc<dyn SealingKey> {
    let derived = match kind {
        SealingKind::SnpDerived => true,
        SealingKind::InsecureFile => false,
        // A service that was sealed with a file before its node came into a guest goes on with it.
        SealingKind::Auto => device_is_there && !key_file.exists(),
    };
    if derived {
        Arc::new(SnpDerivedKey::new(versions_file))
    } else {
        Arc::new(InsecureFileKey::new(key_file))
    }
}

/// Who makes evidence of the platform under this process. What asks hardware has
/// a bounded queue before it: [`PlatformError::Busy`].
///
/// # Errors
/// What is configured by name is not there.
pub fn detect(settings: &PlatformSettings) -> Result<Arc<dyn Attestor>, PlatformError> {
    let tsm_root = settings.tsm_root.as_deref().unwrap_or(TSM_ROOT);
    let tsm = || -> Box<dyn Firmware> { Box::new(Tsm::new(tsm_root)) };
    let device = || SevGuest::open().map(|device| Box::new(device) as Box<dyn Firmware>);
    match settings.provider {
        Provider::Virtual => Ok(Arc::new(VirtualAttestor)),
        Provider::Tsm => match Tsm::new(tsm_root).provider()? {
            Some(provider) if provider == SNP_PROVIDER => asking("configfs-tsm", tsm(), settings),
            found => {
                let found = found.unwrap_or_else(|| "nobody".to_owned());
                let reason = format!(
                    "{found} provides reports there, instead of {SNP_PROVIDER}: this machine is no \
                     SEV-SNP guest, or its kernel is older than 6.7 or has no driver for it"
                );
                Err(PlatformError::unavailable(tsm_root, reason))
            }
        },
        Provider::SevGuest => asking("sev-guest", device()?, settings),
        Provider::Sidecar => by_sidecar(settings),
        Provider::Vtpm => by_vtpm(settings),
        Provider::Auto if tsm_is_snps(tsm_root) => asking("configfs-tsm", tsm(), settings),
        Provider::Auto if SevGuest::is_there() => match device() {
            Ok(device) => asking("sev-guest", device, settings),
            Err(error) => {
                log_fail!("node", "{error}");
                without_device(settings)
            }
        },
        Provider::Auto => without_device(settings),
    }
}

fn without_device(settings: &PlatformSettings) -> Result<Arc<dyn Attestor>, PlatformError> {
    match settings.sidecar_url {
        Some(_) => by_sidecar(settings),
        None => Ok(Arc::new(VirtualAttestor)),
    }
}

/// Whether the kernel makes reports of SEV-SNP through configfs. It may have the directory without
/// any provider, or with another technology's.
fn tsm_is_snps(root: &str) -> bool {
    match Tsm::new(root).provider() {
        Ok(Some(provider)) if provider == SNP_PROVIDER => true,
        Ok(Some(provider)) => {
            log_info!("node", "{root} is of {provider}, which this version does not know");
            false
        }
        Ok(None) => false,
        Err(error) => {
            log_fail!("node", "{error}");
            false
        }
    }
}

fn asking(
    provider: &'static str,
    firmware: Box<dyn Firmware>,
    settings: &PlatformSettings,
) -> Result<Arc<dyn Attestor>, PlatformError> {
    let collateral = Collateral::new(settings, Surroundings::default(), pace())?;
    Ok(queued(GuestAttestor::new(provider, firmware, settings.vmpl, collateral)))
}

fn by_sidecar(settings: &PlatformSettings) -> Result<Arc<dyn Attestor>, PlatformError> {
    let url = settings.sidecar_url.as_deref().ok_or_else(|| {
        PlatformError::unavailable("sidecar", "no URL is configured for it (sidecar_url)")
    })?;
    Ok(queued(SidecarAttestor::new(
        Sidecar::new(url),
        Context::new(settings, Surroundings::default()),
    )))
}

fn by_vtpm(settings: &PlatformSettings) -> Result<Arc<dyn Attestor>, PlatformError> {
    let path = settings.tpm_device.as_deref().unwrap_or(TPM_DEVICE);
    let tpm = TpmDevice::open(path)?;
    let mut settings = settings.clone();
    if settings.endorsement_servers.is_empty() {
        // A VM has the metadata service beside it.
        settings.endorsement_servers = vec![EndorsementServer::usual(ServerKind::Thim)];
    }
    let collateral = Collateral::new(&settings, Surroundings::default(), pace())?;
    Ok(queued(VtpmAttestor::new(Box::new(tpm), collateral, Box::new(sleep_ms))))
}

fn queued(attestor: impl Attestor + 'static) -> Arc<dyn Attestor> {
    Arc::new(QueuedAttestor::new(Arc::new(attestor)))
}

fn pace() -> Pace {
    let clock = Clock::start();
    Pace { now_ms: Box::new(move || clock.now_ms()), sleep_ms: Box::new(sleep_ms) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_sidecar_is_asked_before_nobody_is() {
        if SevGuest::is_there() || Path::new(TSM_ROOT).exists() {
            println!("this machine has hardware for it: what is without cannot be tested");
            return;
        }
        let settings = PlatformSettings::default();
        assert_eq!(detect(&settings).unwrap().provider(), "insecure-virtual");
        let url = Some("http://localhost:8080".to_owned());
        let settings = PlatformSettings { sidecar_url: url.clone(), ..settings };
        assert_eq!(detect(&settings).unwrap().provider(), "sidecar");
        let settings = PlatformSettings { provider: Provider::Virtual, ..settings };
        assert_eq!(detect(&settings).unwrap().provider(), "insecure-virtual");
        for provider in [Provider::Tsm, Provider::SevGuest, Provider::Vtpm] {
            let tpm_device = Some("/a/fake/path".to_owned());
            let settings = PlatformSettings { provider, tpm_device, ..settings.clone() };
            assert!(detect(&settings).is_err(), "{provider:?}");
        }
        let settings = PlatformSettings { provider: Provider::Tsm, ..settings };
        let error = detect(&settings).err().unwrap().to_string();
        assert!(error.contains("nobody provides reports there"), "{error}");
    }

    #[test]
    fn sealing_is_by_the_secure_processor_where_there_is_one() {
        let directory = tempfile::tempdir().unwrap();
        let (key, versions) = (directory.path().join("key"), directory.path().join("versions"));
        let chosen = |kind, device| choose_sealing_with(kind, &key, &versions, device).kind();
        assert_eq!(chosen(SealingKind::Auto, false), "insecure-file");
        assert_eq!(chosen(SealingKind::Auto, true), "snp-derived");
        assert_eq!(chosen(SealingKind::InsecureFile, true), "insecure-file");
        assert_eq!(chosen(SealingKind::SnpDerived, false), "snp-derived");
        std::fs::write(&key, [0; 32]).unwrap();
        assert_eq!(chosen(SealingKind::Auto, true), "insecure-file");
        assert_eq!(chosen(SealingKind::SnpDerived, true), "snp-derived");
    }
}

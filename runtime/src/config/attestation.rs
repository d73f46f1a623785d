//! `attestation`, which is CCF's, and `affiant.attestation`, which has what CCF has no word for.

use super::section::Section;
use crate::error::RuntimeResult;
use crate::limits::ENDORSEMENT_SERVERS_MAX;
use crate::limits::{
    ENDORSEMENT_ATTEMPTS_DEFAULT, ENDORSEMENT_ATTEMPTS_MAX, ENDORSEMENT_BYTES_MAX,
};
use crate::platform::{
    ContextVariables, EndorsementServer, PlatformSettings, Provider, ServerKind,
};

pub(super) fn read(
    root: &mut Section<'_>,
    affiant: &mut Section<'_>,
) -> RuntimeResult<PlatformSettings> {
    let mut ours = affiant.object("attestation")?;
    let provider = ours.choice(
        "provider",
        &[
            ("auto", Provider::Auto),
            ("configfs-tsm", Provider::Tsm),
            ("sev-guest", Provider::SevGuest),
            ("sidecar", Provider::Sidecar),
            ("vtpm", Provider::Vtpm),
            ("insecure-virtual", Provider::Virtual),
        ],
        Some(Provider::Auto),
    )?;
    let vmpl = match ours.any("vmpl") {
        None => None,
        Some(_) => match ours.number("vmpl", 0)? {
            vmpl @ 0..=3 => u32::try_from(vmpl).ok(),
            _ => return Err(ours.wrong("vmpl", "must be a privilege level from 0 to 3")),
        },
    };
    let sidecar_url = ours.optional_text("sidecar_url")?;
    if provider == Provider::Sidecar && sidecar_url.is_none() {
        let reason = "is missing; the sidecar usually answers at \"http://localhost:8080\"";
        return Err(ours.wrong("sidecar_url", reason));
    }
    let settings = PlatformSettings {
        provider,
        vmpl,
        sidecar_url,
        tsm_root: ours.optional_text("tsm_root")?,
        tpm_device: ours.optional_text("tpm_device")?,
        ..ccfs(root)?
    };
    ours.finish()?;
    Ok(settings)
}

fn ccfs(root: &mut Section<'_>) -> RuntimeResult<PlatformSettings> {
    let mut section = root.object("attestation")?;
    let usual = ContextVariables::default();
    let mut environment = section.object("environment")?;
    let variables = ContextVariables {
        security_policy: environment.text("security_policy", &usual.security_policy)?,
        uvm_endorsements: environment.text("uvm_endorsements", &usual.uvm_endorsements)?,
        report_endorsements: match environment.optional_text("report_endorsements")? {
            Some(name) => name,
            None => environment.text("snp_endorsements", &usual.report_endorsements)?,
        },
    };
    environment.optional_text("snp_endorsements")?;
    environment.finish()?;
    let mut servers = Vec::new();
    for mut server in section.objects("snp_endorsements_servers")? {
        servers.push(endorsement_server(&mut server)?);
        server.finish()?;
    }
    if servers.len() > ENDORSEMENT_SERVERS_MAX {
        let reason = format!("must be at most {ENDORSEMENT_SERVERS_MAX} servers");
        return Err(section.wrong("snp_endorsements_servers", reason));
    }
    let file = |text: Option<String>| text.filter(|text| !text.is_empty());
    let settings = PlatformSettings {
        endorsement_servers: servers,
        security_policy_file: file(section.optional_text("snp_security_policy_file")?),
        uvm_endorsements_file: file(section.optional_text("snp_uvm_endorsements_file")?),
        endorsements_file: file(section.optional_text("snp_endorsements_file")?),
        environment: variables,
        ..PlatformSettings::default()
    };
    section.finish()?;
    Ok(settings)
}

fn endorsement_server(section: &mut Section<'_>) -> RuntimeResult<EndorsementServer> {
    let kind = section.choice(
        "type",
        &[("Azure", ServerKind::Azure), ("AMD", ServerKind::Amd), ("THIM", ServerKind::Thim)],
        Some(ServerKind::Azure),
    )?;
    let attempts = section.number("max_retries_count", u64::from(ENDORSEMENT_ATTEMPTS_DEFAULT))?;
    let attempts_max = u32::try_from(attempts).unwrap_or(u32::MAX);
    if attempts_max > ENDORSEMENT_ATTEMPTS_MAX {
        let reason = format!("must be at most {ENDORSEMENT_ATTEMPTS_MAX}");
        return Err(section.wrong("max_retries_count", reason));
    }
    // CCF's bound is 100 MB. No chain is that long, so a larger bound than ours means ours.
    let bytes = section.size("max_client_response_size", ENDORSEMENT_BYTES_MAX as u64)?;
    Ok(EndorsementServer {
        kind,
        url: section.optional_text("url")?.filter(|url| !url.is_empty()),
        attempts_max: attempts_max.max(1),
        answer_bytes_max: usize::try_from(bytes).unwrap_or(usize::MAX).min(ENDORSEMENT_BYTES_MAX),
    })
}

//! The chain of a chip's key, from the servers that give it out: AMD's, Azure's cache of it, and the
//! host's own (THIM).
//!
//! **Their TLS certificates are not checked**, as in CCF. Nothing secret is sent, and a chain is
//! believed for one thing only: that it ends in AMD's pinned key and signed this very report. That is
//! checked here before a chain is kept, and by every verifier. A guest needs no store of authorities
//! for it, and no server's certificate can expire under it.

use std::sync::Arc;

use affiant_attest::{Chain, HostCertificates, Product, Report, SigningKey, to_pem};
use bytes::Bytes;
use rustls::ClientConfig;

use super::PlatformError;
use super::service::refusal;
use super::settings::{EndorsementServer, ServerKind, expand};
use crate::client::{Access, Answer, Ask, Bounds, Failure, Plain, any_server, blocking};
use crate::limits::{
    ENDORSEMENT_ANSWER_MS_MAX, ENDORSEMENT_PAUSE_MS, ENDORSEMENT_PAUSE_MS_MAX,
    ENDORSEMENT_WHOLE_MS_MAX, SERVICE_HEADER_BYTES_MAX,
};
use crate::{log_fail, log_info};

const AZURE_VERSION: &str = "2020-10-15-preview";

/// Time, as it passes and as it is waited for; a test's own.
pub(super) struct Pace {
    /// Milliseconds since some start.
    pub(super) now_ms: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Blocks for milliseconds.
    pub(super) sleep_ms: Box<dyn Fn(u64) + Send + Sync>,
}

/// Fetches chains.
pub(super) struct EndorsementClient {
    servers: Vec<EndorsementServer>,
    tls: Arc<ClientConfig>,
    pace: Pace,
    answer_ms: u64,
}

/// What to ask a server for, one after the other; together they are the chain.
struct Question {
    base: String,
    host: String,
    paths: Vec<String>,
    headers: &'static [(&'static str, &'static str)],
}

/// How asking one server ended, if not well.
enum Refused {
    /// Asking it again may help, after so many milliseconds.
    Later(u64, String),
    /// It will not.
    Never(String),
}

impl EndorsementClient {
    /// Without servers, Azure's is asked, as in CCF.
    pub(super) fn new(servers: &[EndorsementServer], pace: Pace) -> Result<Self, PlatformError> {
        let servers = match servers {
            [] => vec![EndorsementServer::usual(ServerKind::Azure)],
            servers => servers.to_vec(),
        };
        let tls =
            any_server().map_err(|error| PlatformError::unavailable("TLS", error.to_string()))?;
        let tls = Arc::new(tls.with_no_client_auth());
        Ok(Self { servers, tls, pace, answer_ms: ENDORSEMENT_ANSWER_MS_MAX })
    }

    #[cfg(test)]
    pub(super) fn with_answer_ms(self, answer_ms: u64) -> Self {
        Self { answer_ms, ..self }
    }

    pub(super) fn now_ms(&self) -> u64 {
        (self.pace.now_ms)()
    }

    /// The chain, PEM, of the key that signed this report.
    ///
    /// # Errors
    /// No server has it: what each of them said.
    pub(super) fn fetch(
        &self,
        report: &Report,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<u8>, PlatformError> {
        let what = "endorsement servers";
        if report.key_flags.signing_key() == SigningKey::Vlek {
            let reason = "the report is signed by the cloud provider's key (VLEK), whose certificate \
                          only the host has: ask its operator for it";
            return Err(PlatformError::unavailable(what, reason));
        }
        if report.is_chip_id_masked() {
            let reason = "the host hides the chip's id, by which servers know its certificate: ask its \
                          operator for the certificate";
            return Err(PlatformError::unavailable(what, reason));
        }
        let until_ms = self.now_ms().saturating_add(ENDORSEMENT_WHOLE_MS_MAX);
        let mut said = Vec::new();
        for server in &self.servers {
            match self.ask(server, report, variable, until_ms) {
                Ok(chain) => return Ok(chain),
                Err(reason) => {
                    log_fail!("node", "Endorsements from {reason}");
                    said.push(reason);
                }
            }
        }
        Err(PlatformError::unavailable(what, said.join("; ")))
    }

    fn ask(
        &self,
        server: &EndorsementServer,
        report: &Report,
        variable: &dyn Fn(&str) -> Option<String>,
        until_ms: u64,
    ) -> Result<Vec<u8>, String> {
        let kind = server.kind.as_str();
        let question =
            question(server, report, variable).map_err(|why| format!("{kind}: {why}"))?;
        let place = format!("{kind} {}", question.base);
        let mut attempt = 1;
        loop {
            let (pause_ms, why) = match self.chain(server, &question, report) {
                Ok(chain) => {
                    log_info!("node", "Endorsements fetched from {place}: {} bytes", chain.len());
                    return Ok(chain);
                }
                Err(Refused::Never(why)) => return Err(format!("{place}: {why}")),
                Err(Refused::Later(pause_ms, why)) => (pause_ms, why),
            };
            if attempt >= server.attempts_max {
                return Err(format!("{place}: {why}; {attempt} attempts"));
            }
            if self.now_ms().saturating_add(pause_ms) >= until_ms {
                return Err(format!("{place}: {why}; no time for another attempt"));
            }
            (self.pace.sleep_ms)(pause_ms);
            attempt += 1;
        }
    }

    fn chain(
        &self,
        server: &EndorsementServer,
        question: &Question,
        report: &Report,
    ) -> Result<Vec<u8>, Refused> {
        let mut parts = Vec::new();
        for path in &question.paths {
            parts.push(self.get(server, question, path)?);
        }
        let chain = assemble(server.kind, &parts).map_err(Refused::Never)?;
        signed(report, &chain)
            .map_err(|why| Refused::Never(format!("its chain is none for this report: {why}")))?;
        Ok(chain)
    }

    fn get(
        &self,
        server: &EndorsementServer,
        question: &Question,
        path: &str,
    ) -> Result<Bytes, Refused> {
        let bounds = Bounds {
            answer_ms: self.answer_ms,
            body_bytes: server.answer_bytes_max,
            header_bytes: SERVICE_HEADER_BYTES_MAX,
        };
        let access = Access {
            tls: Some(self.tls.clone()),
            plain: Plain::LocalAnd(vec![question.host.clone()]),
        };
        let ask = Ask { headers: question.headers, ..Ask::get() };
        let answer = blocking(&format!("{}{path}", question.base), &access, bounds, ask).map_err(
            |error| match error.failure {
                Failure::Connect | Failure::Tls | Failure::Http | Failure::Deadline => {
                    Refused::Later(ENDORSEMENT_PAUSE_MS, error.reason)
                }
                Failure::Url | Failure::TooLarge => Refused::Never(error.reason),
            },
        )?;
        match answer.status.as_u16() {
            200 => Ok(answer.body),
            429 => Err(Refused::Later(retry_after_ms(&answer), refusal(&answer))),
            500.. => Err(Refused::Later(ENDORSEMENT_PAUSE_MS, refusal(&answer))),
            _ => Err(Refused::Never(refusal(&answer))),
        }
    }
}

/// How long a busy server wants to be left alone; within bounds.
fn retry_after_ms(answer: &Answer) -> u64 {
    let said = answer.headers.get("retry-after").and_then(|value| value.to_str().ok());
    said.and_then(|seconds| seconds.trim().parse::<u64>().ok())
        .map_or(3 * ENDORSEMENT_PAUSE_MS, |seconds| seconds.saturating_mul(1_000))
        .clamp(ENDORSEMENT_PAUSE_MS, ENDORSEMENT_PAUSE_MS_MAX)
}

fn question(
    server: &EndorsementServer,
    report: &Report,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Question, String> {
    let address = match &server.url {
        None => server.kind.usual_address().to_owned(),
        Some(url) => expand(url, variable)?,
    };
    let base = match (address.contains("://"), server.kind) {
        (true, _) => address,
        (false, ServerKind::Thim) => format!("http://{address}"),
        (false, ServerKind::Amd | ServerKind::Azure) => format!("https://{address}"),
    };
    let base = base.strip_suffix('/').unwrap_or(&base).to_owned();
    let host = base.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    let host = host.ok_or_else(|| format!("{base:?} is no address"))?;
    // Reports of version 2 do not name their product; only the first one ever made them.
    let product = report.product().unwrap_or(Product::Milan);
    // Later chips have eight bytes of id, and zeros after them.
    let short = if product == Product::Turin { 8 } else { report.chip_id.len() };
    let chip = affiant_proof::to_hex(report.chip_id.get(..short).unwrap_or_default());
    let whole_chip = affiant_proof::to_hex(&report.chip_id);
    let tcb = report.reported_tcb.to_hex();
    let mut headers: &[(&str, &str)] = &[];
    let paths = match server.kind {
        ServerKind::Azure => {
            vec![format!("/SevSnpVM/certificates/{chip}/{tcb}?api-version={AZURE_VERSION}")]
        }
        ServerKind::Thim => {
            headers = &[("metadata", "true")];
            let path = "/metadata/THIM/amd/certification";
            vec![format!("{path}?platformId={whole_chip}&tcbVersion={tcb}")]
        }
        ServerKind::Amd => {
            let tcb = report.tcb(product).map_err(|error| error.to_string())?.reported;
            let fmc = tcb.fmc.map(|fmc| format!("&fmcSPL={fmc:02}")).unwrap_or_default();
            let versions = format!(
                "blSPL={:02}&teeSPL={:02}&snpSPL={:02}&ucodeSPL={:02}{fmc}",
                tcb.boot_loader, tcb.tee, tcb.snp, tcb.microcode
            );
            vec![
                format!("/vcek/v1/{product}/{chip}?{versions}"),
                format!("/vcek/v1/{product}/cert_chain"),
            ]
        }
    };
    Ok(Question { base, host, paths, headers })
}

/// The chain in PEM from what a server sent.
fn assemble(kind: ServerKind, parts: &[Bytes]) -> Result<Vec<u8>, String> {
    match (kind, parts) {
        (ServerKind::Amd, [leaf, authorities]) => {
            let mut chain = to_pem(leaf).into_bytes();
            chain.extend_from_slice(authorities);
            Ok(chain)
        }
        (ServerKind::Thim, [json]) => {
            let host = HostCertificates::from_json(json).map_err(|error| error.to_string())?;
            Ok(host.endorsements())
        }
        (ServerKind::Azure, [chain]) => Ok(chain.to_vec()),
        _ => Err("it has not answered everything".to_owned()),
    }
}

/// Whether the chain ends in AMD's key and signed this report: it is neither of another chip nor of
/// another version of the firmware then.
pub(super) fn signed(report: &Report, chain: &[u8]) -> Result<(), String> {
    let read = Chain::parse(chain).map_err(|error| error.to_string())?;
    let product = report.product().unwrap_or_else(|| read.leaf().product);
    if !read.is_root_of(product) {
        return Err(format!("it does not end in AMD's root for {product}"));
    }
    read.check_signatures().map_err(|error| error.to_string())?;
    read.check_report_signature(report.signed_bytes(), &report.signature.to_fixed())
        .map_err(|error| error.to_string())
}

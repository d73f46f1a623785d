//! Makes evidence of a report: the chain of the key that signed it, and what the host handed over.
//!
//! The chain is looked for in memory, in the host's table, in the security context, and at servers, in
//! this order; the first that signed the report is taken, and kept for its chip and firmware. After an
//! update of its firmware a host may still hand over the certificates of before: they are noticed by
//! that, and said in the log.

use std::collections::VecDeque;

use affiant_attest::{Evidence, Report, TcbBytes};
use parking_lot::Mutex;

use super::PlatformError;
use super::context::{Context, Surroundings};
use super::endorsements::{EndorsementClient, Pace, signed};
use super::settings::PlatformSettings;
use crate::limits::{ENDORSEMENT_CHAINS_KEPT_MAX, ENDORSEMENT_FAILED_MS};
use crate::{log_fail, log_info};

/// What completes reports.
pub(super) struct Collateral {
    context: Context,
    servers: EndorsementClient,
    kept: Mutex<VecDeque<Kept>>,
    failed: Mutex<Option<Failed>>,
}

struct Kept {
    chip_id: [u8; 64],
    tcb: TcbBytes,
    chain: Vec<u8>,
}

/// Servers that had nothing are not asked at once again: callers would wait for the same.
struct Failed {
    chip_id: [u8; 64],
    tcb: TcbBytes,
    until_ms: u64,
    error: PlatformError,
}

impl Collateral {
    pub(super) fn new(
        settings: &PlatformSettings,
        surroundings: Surroundings,
        pace: Pace,
    ) -> Result<Self, PlatformError> {
        Ok(Self {
            context: Context::new(settings, surroundings),
            servers: EndorsementClient::new(&settings.endorsement_servers, pace)?,
            kept: Mutex::new(VecDeque::new()),
            failed: Mutex::new(None),
        })
    }

    #[cfg(test)]
    pub(super) fn with_answer_ms(self, answer_ms: u64) -> Self {
        Self { servers: self.servers.with_answer_ms(answer_ms), ..self }
    }

    /// The evidence of a report that is bound to these bytes.
    ///
    /// # Errors
    /// The report or what the host handed over cannot be read, or there is no chain for it.
    pub(super) fn complete(
        &self,
        report: &[u8],
        table: Option<&[u8]>,
        bound: &[u8],
    ) -> Result<Evidence, PlatformError> {
        let read = Report::parse(report)?;
        let mut context = self.context.files().as_context();
        let from_context = context.host_certificates();
        // They are looked at on their own: what is wrong with them must not cost the rest.
        context.host_certificates = None;
        let mut evidence = context.evidence(report)?;
        evidence.bound = Some(bound.to_vec());
        evidence.endorsed_tcb = Some(read.reported_tcb.to_hex());
        if let Some(chain) = self.kept(&read) {
            evidence.endorsements = chain;
            return Ok(evidence);
        }
        let mut candidates = Vec::new();
        if let Some(table) = table {
            match Evidence::from_extended_report(report, table) {
                Ok(found) if found.endorsements.is_empty() => {}
                Ok(found) => candidates.push(("The host's table", found.endorsements)),
                Err(error) => log_fail!("node", "The host's table of certificates: {error}"),
            }
        }
        match from_context {
            Ok(None) => {}
            Ok(Some(host)) => {
                if !host.are_for(report) {
                    log_info!(
                        "node",
                        "The security context has certificates for TCB {}, the report is of TCB {}: \
                         the host's firmware has been updated since",
                        host.tcbm,
                        read.reported_tcb.to_hex()
                    );
                }
                candidates.push(("The security context", host.endorsements()));
            }
            Err(error) => log_fail!("node", "The host's certificates: {error}"),
        }
        for (place, chain) in candidates {
            match signed(&read, &chain) {
                Ok(()) => return Ok(self.with_chain(&read, evidence, chain)),
                Err(why) => log_info!("node", "{place} has no chain for this report: {why}"),
            }
        }
        let chain = self.fetch(&read)?;
        Ok(self.with_chain(&read, evidence, chain))
    }

    fn fetch(&self, report: &Report) -> Result<Vec<u8>, PlatformError> {
        if let Some(failed) = &*self.failed.lock() {
            let same = failed.chip_id == report.chip_id && failed.tcb == report.reported_tcb;
            if same && self.servers.now_ms() < failed.until_ms {
                return Err(failed.error.clone());
            }
        }
        let fetched = self.servers.fetch(report, self.context.variable());
        *self.failed.lock() = fetched.as_ref().err().map(|error| Failed {
            chip_id: report.chip_id,
            tcb: report.reported_tcb,
            until_ms: self.servers.now_ms().saturating_add(ENDORSEMENT_FAILED_MS),
            error: error.clone(),
        });
        fetched
    }

    fn kept(&self, report: &Report) -> Option<Vec<u8>> {
        let kept = self.kept.lock();
        let found = kept
            .iter()
            .find(|kept| kept.chip_id == report.chip_id && kept.tcb == report.reported_tcb)?;
        // Cloud providers may change their key while chip and firmware stay.
        signed(report, &found.chain).is_ok().then(|| found.chain.clone())
    }

    fn with_chain(&self, report: &Report, evidence: Evidence, chain: Vec<u8>) -> Evidence {
        let mut kept = self.kept.lock();
        kept.retain(|kept| kept.chip_id != report.chip_id || kept.tcb != report.reported_tcb);
        if kept.len() >= ENDORSEMENT_CHAINS_KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Kept {
            chip_id: report.chip_id,
            tcb: report.reported_tcb,
            chain: chain.clone(),
        });
        Evidence { endorsements: chain, ..evidence }
    }
}

//! A thread that keeps the keys of issuers with `auto_refresh` up to date (reference C.3): the
//! issuer's OpenID configuration, the key set that it names, and a transaction if anything changed.
//!
//! Invariants
//! * Nothing here runs on a thread that serves requests or syncs.
//! * An issuer that does not answer delays no other for longer than one request's bound.
//! * Nothing that an issuer sent reaches the log but the reason why it was refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use affiant_kv::{CommitOutcome, Snapshot};
use serde_json::Value as Json;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::fetch;
use super::trust::client_config;
use crate::limits::{
    COMMIT_ATTEMPTS_MAX, ISSUERS_AT_ONCE_MAX, JWT_REFRESH_LOOK_MS, JWT_REFRESH_RETRY_MS,
};
use crate::node::Node;
use crate::tables::{self, CA_CERT_BUNDLES, JWT_ISSUERS, JwtIssuer};
use crate::{log_debug, log_fail};

/// What refreshing has done since the node started.
#[derive(Debug, Default)]
pub(crate) struct RefreshCounters {
    pub(crate) attempts: AtomicU64,
    pub(crate) successes: AtomicU64,
    pub(crate) failures: AtomicU64,
}

/// The running thread; dropping it ends it, whatever it waits for.
pub(crate) struct Refresher {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Refresher {
    pub(crate) fn start(
        node: Arc<Node>,
        counters: Arc<RefreshCounters>,
        interval_ms: u64,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let interval = Duration::from_millis(interval_ms.max(JWT_REFRESH_LOOK_MS));
        let thread =
            std::thread::Builder::new().name("jwt-refresh".to_owned()).spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = stopped => {}
                        () = refresh_for_ever(&node, &counters, interval) => {}
                    }
                });
                // A name that is being resolved holds a thread of its own; nobody waits for it.
                runtime.shutdown_background();
            })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic has been reported by itself.
            let _ = thread.join();
        }
    }
}

async fn refresh_for_ever(node: &Arc<Node>, counters: &Arc<RefreshCounters>, interval: Duration) {
    let mut seen = (0, 0);
    let mut due = Instant::now() + interval;
    loop {
        tokio::time::sleep(Duration::from_millis(JWT_REFRESH_LOOK_MS)).await;
        if node.store().sequencing_view().is_none() {
            continue;
        }
        let snapshot = node.snapshot();
        let now = (
            snapshot.version_of_map(JWT_ISSUERS.as_str()),
            snapshot.version_of_map(CA_CERT_BUNDLES.as_str()),
        );
        if now == seen && Instant::now() < due {
            continue;
        }
        seen = now;
        // A state that is held makes every write to it keep the old one: so only the rows are.
        let issuers = refreshable(&snapshot);
        drop(snapshot);
        let all_well = refresh_all(node, counters, issuers).await;
        let retry = Duration::from_millis(JWT_REFRESH_RETRY_MS);
        due = Instant::now() + if all_well { interval } else { interval.min(retry) };
    }
}

/// An issuer whose keys are to be fetched, and the name and text of the bundle to believe.
struct Refreshable {
    issuer: String,
    bundle: Option<(String, Option<String>)>,
}

fn refreshable(snapshot: &Snapshot) -> Vec<Refreshable> {
    snapshot
        .entries(JWT_ISSUERS.as_str())
        .filter_map(|(issuer, row, _)| {
            let row: JwtIssuer = serde_json::from_slice(row).ok()?;
            let issuer = core::str::from_utf8(issuer).ok()?.to_owned();
            let bundle = row.ca_cert_bundle_name.map(|name| {
                let pem = tables::read_json::<String>(snapshot, &CA_CERT_BUNDLES, name.as_bytes());
                (name, pem)
            });
            row.auto_refresh.then_some(Refreshable { issuer, bundle })
        })
        .collect()
}

/// Refreshes the issuers, several at a time; false if one failed.
async fn refresh_all(
    node: &Arc<Node>,
    counters: &Arc<RefreshCounters>,
    issuers: Vec<Refreshable>,
) -> bool {
    let mut all_well = true;
    let mut running: JoinSet<bool> = JoinSet::new();
    for Refreshable { issuer, bundle } in issuers {
        if running.len() >= ISSUERS_AT_ONCE_MAX {
            all_well &= running.join_next().await.is_none_or(|done| done.unwrap_or(false));
        }
        let (node, counters) = (node.clone(), counters.clone());
        running.spawn(async move {
            counters.attempts.fetch_add(1, Ordering::Relaxed);
            let refreshed = refresh(&node, &issuer, bundle).await;
            let counter = match &refreshed {
                Ok(()) => &counters.successes,
                Err(Failure { url, reason }) => {
                    log_fail!("jwt", "JWT key auto-refresh: issuer {issuer}: {url}: {reason}");
                    &counters.failures
                }
            };
            counter.fetch_add(1, Ordering::Relaxed);
            refreshed.is_ok()
        });
    }
    while let Some(done) = running.join_next().await {
        all_well &= done.unwrap_or(false);
    }
    all_well
}

/// Where refreshing an issuer's keys failed, and why.
struct Failure {
    url: String,
    reason: String,
}

async fn refresh(
    node: &Node,
    issuer: &str,
    bundle: Option<(String, Option<String>)>,
) -> Result<(), Failure> {
    // A terminating slash is not part of it (OpenID Connect Discovery 1.0, 4.1).
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let url = format!("{base}/.well-known/openid-configuration");
    let failed = |url: &str, reason: String| Failure { url: url.to_owned(), reason };
    let config = match bundle {
        None => Err("the issuer names no CA certificate bundle".to_owned()),
        Some((name, None)) => Err(format!("there is no CA certificate bundle {name}")),
        Some((name, Some(pem))) => {
            client_config(&pem).map_err(|why| format!("CA certificate bundle {name}: {why}"))
        }
    }
    .map_err(|reason| failed(&url, reason))?;
    let metadata = fetch::get(&config, &url).await.map_err(|reason| failed(&url, reason))?;
    let metadata = Metadata::parse(&metadata).map_err(|reason| failed(&url, reason))?;
    let url = metadata.jwks_uri;
    let jwks = fetch::get(&config, &url).await.map_err(|reason| failed(&url, reason))?;
    let mut jwks: Json = serde_json::from_slice(&jwks)
        .map_err(|error| failed(&url, format!("not JSON: {error}")))?;
    if let Some(constraint) = metadata.issuer {
        constrain(&mut jwks, &constraint);
    }
    store(node, issuer, &jwks).map_err(|reason| failed(&url, reason))
}

/// What is of interest in an OpenID configuration.
struct Metadata {
    jwks_uri: String,
    issuer: Option<String>,
}

impl Metadata {
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let json: Json =
            serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))?;
        let text = |field: &str| match json.get(field) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("{field} must be a string")),
        };
        let jwks_uri = text("jwks_uri")?.ok_or_else(|| "jwks_uri is missing".to_owned())?;
        Ok(Self { jwks_uri, issuer: text("issuer")? })
    }
}

/// Gives every key that names no issuer this one.
fn constrain(jwks: &mut Json, issuer: &str) {
    let keys = jwks.get_mut("keys").and_then(Json::as_array_mut);
    for key in keys.into_iter().flatten().filter_map(Json::as_object_mut) {
        let own = key.entry("issuer").or_insert(Json::Null);
        if own.is_null() {
            *own = Json::String(issuer.to_owned());
        }
    }
}

fn store(node: &Node, issuer: &str, jwks: &Json) -> Result<(), String> {
    for _ in 0..COMMIT_ATTEMPTS_MAX {
        let mut tx = node.begin();
        let row: Option<Json> = tables::get_json(&mut tx, &JWT_ISSUERS, issuer.as_bytes());
        let Some(row) = row else {
            return Err("the issuer has been removed meanwhile".to_owned());
        };
        super::set_public_signing_keys(&mut tx, issuer, &row, jwks)
            .map_err(|error| error.to_string())?;
        let changed = tx.has_writes();
        match node.commit(tx) {
            CommitOutcome::Sequenced(_) | CommitOutcome::ReadOnly(_) => {
                if changed {
                    log_debug!("jwt", "JWT key auto-refresh: issuer {issuer} has new keys");
                }
                return Ok(());
            }
            CommitOutcome::Conflict => {}
            CommitOutcome::NotPrimary => return Err("this node is not the primary".to_owned()),
            CommitOutcome::TooManyPending => {
                return Err("too many transactions wait for commit".to_owned());
            }
            CommitOutcome::Poisoned(reason) => return Err(reason),
        }
    }
    Err(format!("the transaction conflicted {COMMIT_ATTEMPTS_MAX} times"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_without_an_issuer_get_the_metadatas() {
        let mut jwks =
            json!({"keys": [{"kid": "a"}, {"kid": "b", "issuer": "own"}, {"issuer": null}, 7]});
        constrain(&mut jwks, "common");
        assert_eq!(
            jwks,
            json!({"keys": [
                {"kid": "a", "issuer": "common"}, {"kid": "b", "issuer": "own"},
                {"issuer": "common"}, 7
            ]})
        );
        for mut odd in [json!(null), json!([]), json!({"keys": {}})] {
            let before = odd.clone();
            constrain(&mut odd, "common");
            assert_eq!(odd, before);
        }
    }

    #[test]
    fn metadata_names_the_key_set() {
        let metadata =
            Metadata::parse(br#"{"jwks_uri":"https://a/b","issuer":"https://a"}"#).unwrap();
        assert_eq!(metadata.jwks_uri, "https://a/b");
        assert_eq!(metadata.issuer.as_deref(), Some("https://a"));
        for bad in
            [&b"{}"[..], b"7", b"<html>", br#"{"jwks_uri":7}"#, br#"{"jwks_uri":"x","issuer":[]}"#]
        {
            assert!(Metadata::parse(bad).is_err());
        }
    }
}

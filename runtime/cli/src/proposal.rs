//! Proposals from files, applied when a sandbox starts as if its members had accepted them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use affiant::governance::Governance;
use affiant::node::Node;
use affiant::{RuntimeError, RuntimeResult, log_info};
use serde_json::Value as Json;

use crate::app::Apps;
use crate::sandbox::read_bounded;

/// Largest proposal, in bytes: it may hold an app.
const PROPOSAL_BYTES_MAX: u64 = 64 << 20;

/// A proposal in CCF's form: `{"actions": [{"name", "args"}]}`.
pub(crate) struct Proposal {
    path: PathBuf,
    text: String,
    /// The names of its actions.
    names: Vec<String>,
}

impl Proposal {
    /// Reads a proposal; whether its actions exist is the constitution's to say.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let failed = |why: String| format!("--apply {}: {why}", path.display());
        let text = read_bounded(path, PROPOSAL_BYTES_MAX).map_err(failed)?;
        let parsed: Json =
            serde_json::from_str(&text).map_err(|error| failed(format!("not JSON: {error}")))?;
        let actions = parsed.get("actions").and_then(Json::as_array);
        let names: Option<Vec<String>> = actions.and_then(|actions| {
            actions.iter().map(|action| Some(action.get("name")?.as_str()?.to_owned())).collect()
        });
        match names {
            Some(names) if !names.is_empty() => Ok(Self { path: path.to_owned(), text, names }),
            _ => Err(failed(
                "no proposal; it must be {\"actions\": [{\"name\": ..., \"args\": {...}}]}"
                    .to_owned(),
            )),
        }
    }
}

/// Validates and applies each proposal in a transaction of its own, in order, by the constitution in
/// the tables.
pub(crate) fn enact(node: &Arc<Node>, proposals: &[Proposal], apps: &Apps) -> RuntimeResult<()> {
    let governance = Governance::new(node.clone(), apps.constitution());
    for proposal in proposals {
        let Proposal { path, text, names } = proposal;
        let (path, names) = (path.display(), names.join(", "));
        let txid = governance.enact(text).map_err(|error| {
            let trace = match &error {
                RuntimeError::Proposal { trace: Some(trace), .. } => format!("\n{trace}"),
                _ => String::new(),
            };
            let reason = format!("--apply {path} ({names}): {error}{trace}");
            RuntimeError::Host { reason: reason.trim_end().to_owned() }
        })?;
        match txid {
            Some(txid) => log_info!("gov", "{path} ({names}) applied by transaction {txid}"),
            None => log_info!("gov", "{path} ({names}) applied; it wrote nothing"),
        }
    }
    Ok(())
}

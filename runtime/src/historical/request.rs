//! The transaction that a request of an endpoint with mode `historical` names (reference B.8).

use std::sync::Arc;

use affiant_kv::TxStatus;
use affiant_proof::TxId;

use super::HistoricalState;
use crate::limits::RETRY_AFTER_S;
use crate::node::Node;
use crate::odata;
use crate::request::{Request, Response};

const TXID: &str = "x-ms-ccf-transaction-id";

/// The answer about a transaction that is not committed; `status` says what it is instead.
pub(crate) fn refuse_uncommitted(txid: TxId, status: TxStatus) -> Response {
    let status_text = status.as_str();
    let message =
        format!("Only committed transactions can be queried. Transaction {txid} is {status_text}");
    if status == TxStatus::Invalid {
        return odata::error(404, odata::TRANSACTION_INVALID, &message);
    }
    odata::error(404, odata::TRANSACTION_PENDING_OR_UNKNOWN, &message)
        .with_header("cache-control", "no-cache")
}

impl Node {
    /// The transaction named in the request's header, or the answer in its place. May wait for a moment
    /// (`HISTORICAL_WAIT_MS`): not for threads that serve connections.
    pub(crate) fn state_for(
        &self,
        request: &Request,
    ) -> Result<Arc<HistoricalState>, Box<Response>> {
        let Some(txid) = request.header(TXID).and_then(|text| text.parse::<TxId>().ok()) else {
            let message = "Could not extract Transaction Id";
            return Err(Box::new(odata::error(404, odata::TRANSACTION_INVALID, message)));
        };
        let status = self.store().status(txid);
        if status != TxStatus::Committed {
            return Err(Box::new(refuse_uncommitted(txid, status)));
        }
        match self.historical().for_request(txid.seqno) {
            Ok(Some(state)) => Ok(state),
            Ok(None) => {
                let message = format!("Historical transaction {txid} is not currently available.");
                let response = Response::text(202, message);
                Err(Box::new(response.with_header("retry-after", RETRY_AFTER_S.to_string())))
            }
            Err(error) => {
                let message = format!("Historical transaction {txid} failed with error: {error}.");
                Err(Box::new(odata::error(500, odata::INTERNAL_ERROR, &message)))
            }
        }
    }
}

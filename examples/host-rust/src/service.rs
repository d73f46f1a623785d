//! The endpoints: what clients see of the ledger over HTTPS.

use affiant::{AppError, Caller, EndpointOptions, Respond, Response, RuntimeBuilder, odata};
use serde_json::json;

use crate::custody::{Custody, Refusal};

/// Adds the endpoints to a runtime.
pub fn endpoints(builder: RuntimeBuilder, custody: &Custody) -> RuntimeBuilder {
    let by_users = EndpointOptions::native().policies(&["user_cert"]);
    // 200 means: on disk, signed, and here is the proof.
    let anybody = EndpointOptions::native().read_only();
    let proven = by_users.respond(Respond::WithReceipt);
    let (custody, reading) = (custody.clone(), custody.clone());
    builder
        .endpoint("POST", "/samples/{sample}/handover", proven, move |request, tx| {
            let Some(Caller::UserCert(user)) = request.caller() else {
                return Err(AppError::internal("The policy admits users only."));
            };
            let name = user.data["name"].as_str().unwrap_or(&user.id);
            let body = request.json()?;
            let to = body["to"].as_str().ok_or_else(|| {
                AppError::new(400, odata::INVALID_INPUT, "The body is {\"to\": \"NAME\"}.")
            })?;
            let sample = request.param("sample").unwrap_or_default();
            custody.hand_over(tx, sample, name, to)?;
            Ok(Response::json(200, &json!({"sample": sample, "from": name, "to": to})))
        })
        .endpoint("GET", "/samples/{sample}", anybody, move |request, tx| {
            let sample = request.param("sample").unwrap_or_default();
            let steps = reading.history(tx, sample);
            let last = steps.last().ok_or(Refusal::Unknown)?;
            Ok(Response::json(200, &json!({"holder": last["to"], "steps": steps})))
        })
}

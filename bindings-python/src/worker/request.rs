//! A request on its way to a worker, and back into one.

use affiant::auth::{CertCaller, JwtCaller};
use affiant::{Caller as Admitted, Request};
use serde_json::Value as Json;

use super::protocol::{Caller, Known, RequestParts};
use super::{Blob, Text};

fn json<'a>(value: &Json) -> Text<'a> {
    Text::from(value.to_string())
}

fn known(caller: &CertCaller) -> Known<'_> {
    Known { id: Text::from(&*caller.id), data: json(&caller.data), cert: Text::from(&*caller.cert) }
}

fn caller(admitted: &Admitted) -> Caller<'_> {
    match admitted {
        Admitted::NoAuth => Caller::NoAuth,
        Admitted::UserCert(user) => Caller::UserCert(known(user)),
        Admitted::MemberCert(member) => Caller::MemberCert(known(member)),
        Admitted::AnyCert { cert } => Caller::AnyCert(Text::from(&**cert)),
        Admitted::Jwt(token) => Caller::Jwt {
            key_issuer: Text::from(&*token.key_issuer),
            header: json(&token.header),
            payload: json(&token.payload),
        },
        Admitted::UserCoseSign1 { user, content } => {
            Caller::UserCoseSign1 { user: known(user), content: Blob::from(&**content) }
        }
        Admitted::AllOf(parts) => {
            let parts = parts.iter().map(|(name, part)| (Text::from(name.as_str()), caller(part)));
            Caller::AllOf(parts.collect())
        }
    }
}

/// What of a request travels: all of it.
pub(super) fn parts(endpoint: usize, request: &Request) -> RequestParts<'_> {
    let target = match request.raw_query() {
        Some(query) => Text::from(format!("{}?{query}", request.path())),
        None => Text::from(request.path()),
    };
    let headers = request.header_lines();
    let params = request.params();
    RequestParts {
        endpoint: u32::try_from(endpoint).unwrap_or(u32::MAX),
        method: Text::from(request.method()),
        target,
        headers: headers.map(|(name, value)| (Text::from(name), Blob::from(value))).collect(),
        body: Blob::from(&**request.body()),
        route: Text::from(request.route()),
        params: params.map(|(name, value)| (Text::from(name), Text::from(value))).collect(),
        caller: request.caller().map(caller),
    }
}

fn parsed(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn cert_caller(known: &Known<'_>) -> Result<CertCaller, String> {
    Ok(CertCaller {
        id: (&*known.id).into(),
        data: parsed(&known.data)?,
        cert: (&*known.cert).into(),
    })
}

fn admitted(caller: &Caller<'_>) -> Result<Admitted, String> {
    Ok(match caller {
        Caller::NoAuth => Admitted::NoAuth,
        Caller::UserCert(user) => Admitted::UserCert(cert_caller(user)?),
        Caller::MemberCert(member) => Admitted::MemberCert(cert_caller(member)?),
        Caller::AnyCert(cert) => Admitted::AnyCert { cert: (&**cert).into() },
        Caller::Jwt { key_issuer, header, payload } => Admitted::Jwt(JwtCaller {
            key_issuer: (&**key_issuer).into(),
            header: parsed(header)?,
            payload: parsed(payload)?,
        }),
        Caller::UserCoseSign1 { user, content } => Admitted::UserCoseSign1 {
            user: cert_caller(user)?,
            content: bytes::Bytes::copy_from_slice(content),
        },
        Caller::AllOf(parts) => {
            let parts = parts.iter().map(|(name, part)| Ok((name.to_string(), admitted(part)?)));
            Admitted::AllOf(parts.collect::<Result<_, String>>()?)
        }
    })
}

/// The request that `parts` was made of.
///
/// # Errors
/// It is none.
pub(super) fn request(parts: &RequestParts<'_>) -> Result<Request, String> {
    let bad = |error: affiant::InvalidRequest| error.to_string();
    let mut request = Request::new(&parts.method, &parts.target).map_err(bad)?;
    for (name, value) in &parts.headers {
        request = request.with_header_line(name, value).map_err(bad)?;
    }
    let params: Vec<_> = parts.params.iter().map(|(name, value)| (&**name, &**value)).collect();
    let caller = parts.caller.as_ref().map(admitted).transpose()?;
    Ok(request
        .with_body(bytes::Bytes::copy_from_slice(&parts.body))
        .with_route(&parts.route, &params)
        .with_caller(caller))
}

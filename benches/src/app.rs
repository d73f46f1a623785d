//! The applications under test in Rust: the private write and read of CCF's logging sample, and the
//! records of the kill harness.

use std::ops::Bound;

use affiant::{
    AppError, EndpointOptions, KvError, MapName, Request, Respond, Response, RuntimeBuilder, Tx,
};
use affiant_proof::Digest;
use serde::Deserialize;

/// Records in one answer of `/dump`.
pub const DUMP_RECORDS_MAX: usize = 10_000;

#[derive(Deserialize)]
struct LogRecord<'a> {
    id: u64,
    #[serde(borrow)]
    msg: std::borrow::Cow<'a, str>,
}

#[derive(Deserialize)]
struct KillRecord<'a> {
    number: u64,
    writer: u64,
    #[serde(borrow)]
    text: std::borrow::Cow<'a, str>,
}

/// Adds `POST` and `GET /log/private`, answered early as CCF does, for users with a certificate.
///
/// # Errors
/// None; map names are constants.
pub fn add_logging(builder: RuntimeBuilder) -> Result<RuntimeBuilder, KvError> {
    let (written, read) = (MapName::new("records")?, MapName::new("records")?);
    let options = EndpointOptions::native().policies(&["user_cert"]).respond(Respond::AtOnce);
    let reading = options.clone().read_only();
    Ok(builder
        .endpoint("POST", "/log/private", options, move |request, tx| {
            let record: LogRecord<'_> = parse(request)?;
            if record.msg.is_empty() {
                return Err(refused(400, "InvalidInput", "Cannot record an empty log message."));
            }
            tx.put(&written, &record.id.to_le_bytes(), record.msg.as_bytes())?;
            Ok(Response::typed(200, "application/json", "true"))
        })
        .endpoint("GET", "/log/private", reading, move |request, tx| {
            let id: u64 = request
                .query_parameter("id")
                .and_then(|id| id.parse().ok())
                .ok_or_else(|| refused(400, "InvalidInput", "Write ?id=1."))?;
            match tx.get(&read, &id.to_le_bytes()) {
                None => Err(refused(404, "ResourceNotFound", "No such record.")),
                Some(message) => {
                    let message = String::from_utf8_lossy(&message);
                    let mut body = br#"{"msg":"#.to_vec();
                    serde_json::to_writer(&mut body, &message)
                        .map_err(|error| AppError::internal(error.to_string()))?;
                    body.push(b'}');
                    Ok(Response::typed(200, "application/json", body))
                }
            }
        }))
}

/// Adds `POST /record` and `GET /dump`. A record's transaction writes its text to a private map, the
/// text's digest to a public one, and adds one to its writer's count, which it reads.
///
/// # Errors
/// None; map names are constants.
pub fn add_records(builder: RuntimeBuilder) -> Result<RuntimeBuilder, KvError> {
    let maps = Maps::new()?;
    let dumped = Maps::new()?;
    let options = EndpointOptions::native().policies(&["user_cert"]);
    let reading = options.clone().read_only().respond(Respond::AtOnce);
    Ok(builder
        .endpoint("POST", "/record", options, move |request, tx| {
            let record: KillRecord<'_> = parse(request)?;
            let key = record.number.to_be_bytes();
            let digest = Digest::of(record.text.as_bytes()).to_hex();
            tx.put(&maps.texts, &key, record.text.as_bytes())?;
            tx.put(&maps.digests, &key, digest.as_bytes())?;
            let count = read_count(tx, &maps.counts, record.writer) + 1;
            tx.put(&maps.counts, &record.writer.to_be_bytes(), &count.to_be_bytes())?;
            Ok(Response::typed(200, "application/json", "true"))
        })
        .endpoint("GET", "/dump", reading, move |request, tx| dump(request, tx, &dumped)))
}

struct Maps {
    texts: MapName,
    digests: MapName,
    counts: MapName,
}

impl Maps {
    fn new() -> Result<Self, KvError> {
        Ok(Self {
            texts: MapName::new("kill.texts")?,
            digests: MapName::new("public:kill.digests")?,
            counts: MapName::new("kill.counts")?,
        })
    }
}

fn read_count(tx: &mut Tx, counts: &MapName, writer: u64) -> u64 {
    tx.get(counts, &writer.to_be_bytes())
        .and_then(|count| count.as_ref().try_into().ok())
        .map_or(0, u64::from_be_bytes)
}

/// Lines `number seqno seqno-of-the-digest digest text` from the record `from` on, and one last line
/// `total <sum of the writers' counts> digests <records in the public map>`.
fn dump(request: &Request, tx: &mut Tx, maps: &Maps) -> Result<Response, AppError> {
    let from: u64 = request.query_parameter("from").and_then(|from| from.parse().ok()).unwrap_or(0);
    let from = from.to_be_bytes();
    let mut out = String::new();
    let start = Bound::Included(&from[..]);
    for (key, text) in tx.range(&maps.texts, start, Bound::Unbounded, DUMP_RECORDS_MAX) {
        let number = key.as_ref().try_into().map_or(0, u64::from_be_bytes);
        let seqno = tx.version_of_previous_write(&maps.texts, &key).unwrap_or(0);
        let digest_seqno = tx.version_of_previous_write(&maps.digests, &key).unwrap_or(0);
        let digest = tx.get(&maps.digests, &key).unwrap_or_default();
        let (digest, text) = (String::from_utf8_lossy(&digest), String::from_utf8_lossy(&text));
        out.push_str(&format!("{number} {seqno} {digest_seqno} {digest} {text}\n"));
    }
    let total: u64 = tx
        .entries(&maps.counts)
        .iter()
        .filter_map(|(_, count)| count.as_ref().try_into().ok().map(u64::from_be_bytes))
        .sum();
    out.push_str(&format!("total {total} digests {}\n", tx.len(&maps.digests)));
    Ok(Response::text(200, out))
}

fn parse<'a, T: Deserialize<'a>>(request: &'a Request) -> Result<T, AppError> {
    serde_json::from_slice(request.body())
        .map_err(|error| refused(400, "InvalidInput", &format!("the body: {error}")))
}

fn refused(status: u16, code: &str, message: &str) -> AppError {
    AppError::new(status, code, message)
}

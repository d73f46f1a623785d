//! Who has which sample: the rules of the service, on any transaction. Endpoints and the program's own
//! commands call the same functions.

use std::fmt;
use std::ops::Bound;

use affiant::{AppError, KvError, LedgerError, MapName, Snapshot, Tx, odata};
use serde_json::{Value as Json, json};

/// Sample to who has it and how often it changed hands. Anyone with the ledger's files can read it.
const HOLDERS: &str = "public:custody.holders";
/// Sample, a zero byte and the step's number (4 bytes, big-endian) to the step: in the order of keys the
/// steps of one sample lie one behind the other.
const STEPS: &str = "public:custody.steps";
const SAMPLE_BYTES_MAX: usize = 64;

/// The maps.
#[derive(Clone)]
pub struct Custody {
    holders: MapName,
    steps: MapName,
}

impl Custody {
    pub fn new() -> Result<Self, KvError> {
        Ok(Self { holders: MapName::new(HOLDERS)?, steps: MapName::new(STEPS)? })
    }

    /// A sample comes into the house.
    pub fn register(&self, tx: &mut Tx, sample: &str, holder: &str) -> Result<(), Refusal> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if sample.is_empty() || sample.len() > SAMPLE_BYTES_MAX || !sample.bytes().all(plain) {
            return Err(Refusal::NoName);
        }
        if tx.has(&self.holders, sample.as_bytes()) {
            return Err(Refusal::Known);
        }
        self.step(tx, sample, 0, &json!({"to": holder}))
    }

    /// A sample goes from whoever has it to somebody else.
    pub fn hand_over(
        &self,
        tx: &mut Tx,
        sample: &str,
        from: &str,
        to: &str,
    ) -> Result<(), Refusal> {
        let row = tx.get(&self.holders, sample.as_bytes()).ok_or(Refusal::Unknown)?;
        let row = parse(&row);
        if row["holder"] != from {
            return Err(Refusal::NotYours);
        }
        let steps = row["steps"].as_u64().and_then(|steps| u32::try_from(steps).ok());
        self.step(tx, sample, steps.unwrap_or(u32::MAX), &json!({"from": from, "to": to}))
    }

    /// Every step of a sample, the first one first; empty if nobody knows it.
    pub fn history(&self, tx: &mut Tx, sample: &str) -> Vec<Json> {
        let (first, mut end) = (prefix(sample), prefix(sample));
        end.extend([u8::MAX; size_of::<u32>()]);
        let (from, to) = (Bound::Included(&first[..]), Bound::Included(&end[..]));
        let steps = tx.range(&self.steps, from, to, usize::MAX);
        steps.iter().map(|(_, step)| parse(step)).collect()
    }

    fn step(&self, tx: &mut Tx, sample: &str, number: u32, step: &Json) -> Result<(), Refusal> {
        let mut key = prefix(sample);
        key.extend_from_slice(&number.to_be_bytes());
        tx.put(&self.steps, &key, step.to_string().as_bytes())?;
        let row = json!({"holder": step["to"], "steps": u64::from(number) + 1});
        tx.put(&self.holders, sample.as_bytes(), row.to_string().as_bytes())?;
        Ok(())
    }
}

/// Every sample with who has it, from a state of the ledger that nobody changes any more.
pub fn inventory(snapshot: &Snapshot) -> impl Iterator<Item = (String, Json)> {
    let all = snapshot.range(HOLDERS, Bound::Unbounded, Bound::Unbounded);
    all.map(|(sample, row)| {
        (String::from_utf8_lossy(sample).into_owned(), parse(row)["holder"].take())
    })
}

fn prefix(sample: &str) -> Vec<u8> {
    [sample.as_bytes(), b"\0"].concat()
}

/// What this program wrote itself is JSON.
fn parse(bytes: &[u8]) -> Json {
    serde_json::from_slice(bytes).unwrap_or_default()
}

/// Why something is not done.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    NoName,
    Known,
    Unknown,
    NotYours,
    Store(KvError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => write!(
                f,
                "A sample's name has 1 to {SAMPLE_BYTES_MAX} letters, digits and hyphens."
            ),
            Self::Known => f.write_str("This sample is registered already."),
            Self::Unknown => f.write_str("There is no such sample."),
            Self::NotYours => f.write_str("Only who has a sample can hand it over."),
            Self::Store(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<KvError> for Refusal {
    fn from(error: KvError) -> Self {
        Self::Store(error)
    }
}

/// For a client: status, code, message.
impl From<Refusal> for AppError {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match &refusal {
            Refusal::NoName => (400, odata::INVALID_INPUT),
            Refusal::Known => (409, odata::INVALID_INPUT),
            Refusal::Unknown => (404, odata::RESOURCE_NOT_FOUND),
            Refusal::NotYours => (403, odata::AUTHORIZATION_FAILED),
            Refusal::Store(_) => (500, odata::INTERNAL_ERROR),
        };
        Self::new(status, code, refusal.to_string())
    }
}

/// For `Runtime::run`: the transaction is given up.
impl From<Refusal> for LedgerError {
    fn from(refusal: Refusal) -> Self {
        Self::aborted(refusal)
    }
}

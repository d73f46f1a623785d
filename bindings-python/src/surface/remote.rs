//! A request in a worker process: what it asks is asked of the node, over a socket.
//!
//! Writes are gathered and go along with the next question, so that every answer knows of them, or with
//! the response. The store's bounds are checked here, for an error belongs to the call that caused it.

use std::collections::BTreeMap;
use std::sync::Arc;

use affiant::{KvError, MapName};
use affiant_kv::limits::{KEY_BYTES_MAX, TX_BYTES_MAX, VALUE_BYTES_MAX};
use affiant_proof::TxId;

use super::past::PastCopy;
use super::{Failure, Local, Outcome, Pair, Past, Span, Surface, Value};
use crate::worker::limits::{GATHERED_WRITES_BYTES_MAX, GATHERED_WRITES_COUNT_MAX};
use crate::worker::protocol::{Answer, FromWorker, Past as PastParts, Question, ToWorker, Write};
use crate::worker::{Blob, Link, Text, Wait, frame};

/// Bytes of a write in the ledger besides its map, key and value, about; the node counts exactly.
const WRITE_OVERHEAD_BYTES: usize = 16;
const STATUSES: [&str; 4] = ["Unknown", "Pending", "Committed", "Invalid"];

/// The worker's end of the socket, for one request.
pub(crate) struct Remote {
    pub(crate) link: Link,
    pub(crate) writes: Vec<Write<'static>>,
    pub(crate) apply_writes: Option<bool>,
    /// Of `writes`.
    gathered_bytes: usize,
    /// Of all writes of the request.
    written_bytes: usize,
    /// The process that serves; in a child that it forks nobody may speak for it.
    process: u32,
    /// What was found to be the past transaction of the request.
    state: Option<Option<Past>>,
}

impl Remote {
    pub(crate) fn new(link: Link) -> Self {
        Self {
            link,
            writes: Vec::new(),
            apply_writes: None,
            gathered_bytes: 0,
            written_bytes: 0,
            process: std::process::id(),
            state: None,
        }
    }

    fn present(&self) -> Outcome<()> {
        if self.process == std::process::id() {
            return Ok(());
        }
        let reason = "a process forked from a worker has no way to the ledger";
        Err(Failure::Other(reason.to_owned()))
    }

    /// Asks the node; `take` finds in the answer what was asked for.
    fn ask<R>(
        &mut self,
        question: Question<'_>,
        take: impl FnOnce(Answer<'_>) -> Option<R>,
    ) -> Outcome<R> {
        self.present()?;
        let writes = core::mem::take(&mut self.writes);
        self.gathered_bytes = 0;
        let asked = frame(&FromWorker::Ask { writes, question });
        let asked = asked.map_err(|reason| Failure::Other(format!("too large: {reason}")))?;
        let gone = |_| Failure::Other("the node is gone".to_owned());
        self.link.send(&asked, Wait::Forever).map_err(gone)?;
        match self.link.receive(Wait::Forever).map_err(gone)? {
            ToWorker::Answer(Answer::Failed(reason)) => Err(Failure::Other(reason.to_string())),
            ToWorker::Answer(answer) => take(answer)
                .ok_or_else(|| Failure::Other("the node answered something else".to_owned())),
            _ => Err(Failure::Other("the node did not answer".to_owned())),
        }
    }

    /// Gathers a write of so many bytes of key and value.
    fn gather(&mut self, write: Write<'static>, bytes: usize) -> Outcome<()> {
        self.present()?;
        let size = self.written_bytes.saturating_add(bytes + WRITE_OVERHEAD_BYTES);
        bounded("the writes of one transaction", size, TX_BYTES_MAX)?;
        self.written_bytes = size;
        self.gathered_bytes += bytes;
        self.writes.push(write);
        if self.writes.len() >= GATHERED_WRITES_COUNT_MAX
            || self.gathered_bytes >= GATHERED_WRITES_BYTES_MAX
        {
            self.gathered_bytes = 0;
            let writes = core::mem::take(&mut self.writes);
            let sent = frame(&FromWorker::Writes(writes)).map_err(Failure::Other)?;
            let gone = |_| Failure::Other("the node is gone".to_owned());
            self.link.send(&sent, Wait::Forever).map_err(gone)?;
        }
        Ok(())
    }
}

fn bounded(what: &'static str, size: usize, limit: usize) -> Result<(), KvError> {
    if size > limit { Err(KvError::TooLarge { what, size, limit }) } else { Ok(()) }
}

fn name(map: &MapName) -> Text<'_> {
    Text::from(map.as_str())
}

fn owned(map: &MapName) -> Text<'static> {
    Text::from(map.as_str().to_owned())
}

fn flag(answer: Answer<'_>) -> Option<bool> {
    match answer {
        Answer::Flag(flag) => Some(flag),
        _ => None,
    }
}

fn number(answer: Answer<'_>) -> Option<Option<u64>> {
    match answer {
        Answer::Number(number) => Some(number),
        _ => None,
    }
}

fn past(parts: &PastParts<'_>) -> Past {
    let maps = parts.maps.iter().map(|(name, pairs)| {
        let pairs = pairs.iter().map(|(key, value)| (key.to_vec(), value.to_vec()));
        (name.to_string(), pairs.collect())
    });
    Past::Copy(Arc::new(PastCopy {
        txid: TxId::new(parts.view, parts.seqno),
        receipt: parts.receipt.to_string(),
        maps: maps.collect::<BTreeMap<_, _>>(),
    }))
}

impl Surface for Remote {
    fn waits(&self) -> bool {
        true
    }

    fn into_local(self: Box<Self>) -> Option<Local> {
        None
    }

    fn into_remote(self: Box<Self>) -> Option<Remote> {
        Some(*self)
    }

    fn get(&mut self, map: &MapName, key: &[u8]) -> Outcome<Option<Value>> {
        let question = Question::Get { map: name(map), key: Blob::from(key) };
        self.ask(question, |answer| match answer {
            Answer::Value(value) => Some(value.map(|value| Value::Owned(value.0.into_owned()))),
            _ => None,
        })
    }

    fn has(&mut self, map: &MapName, key: &[u8]) -> Outcome<bool> {
        self.ask(Question::Has { map: name(map), key: Blob::from(key) }, flag)
    }

    fn version_of_previous_write(&mut self, map: &MapName, key: &[u8]) -> Outcome<Option<u64>> {
        self.ask(Question::Version { map: name(map), key: Blob::from(key) }, number)
    }

    fn put(&mut self, map: &MapName, key: &[u8], value: &[u8]) -> Outcome<()> {
        bounded("a key", key.len(), KEY_BYTES_MAX)?;
        bounded("a value", value.len(), VALUE_BYTES_MAX)?;
        let write = Write::Put {
            map: owned(map),
            key: Blob::from(key.to_vec()),
            value: Blob::from(value.to_vec()),
        };
        self.gather(write, key.len() + value.len())
    }

    fn remove(&mut self, map: &MapName, key: &[u8]) -> Outcome<()> {
        bounded("a key", key.len(), KEY_BYTES_MAX)?;
        let write = Write::Remove { map: owned(map), key: Blob::from(key.to_vec()) };
        self.gather(write, key.len())
    }

    fn clear(&mut self, map: &MapName) -> Outcome<()> {
        self.gather(Write::Clear { map: owned(map) }, 0)
    }

    fn len(&mut self, map: &MapName) -> Outcome<usize> {
        self.ask(Question::Len { map: name(map) }, |answer| usize::try_from(number(answer)??).ok())
    }

    fn range(&mut self, map: &MapName, span: Span<'_>) -> Outcome<Vec<Pair>> {
        let mut found: Vec<Pair> = Vec::new();
        let mut from = span.from.map(<[u8]>::to_vec);
        loop {
            let left = span.count_max - found.len();
            let question = Question::Range {
                map: name(map),
                from: from.as_deref().map(Blob::from),
                to: span.to.map(Blob::from),
                count_max: left as u64,
            };
            let before = found.len();
            let more = self.ask(question, |answer| match answer {
                Answer::Pairs { pairs, more } => {
                    let pairs = pairs.iter().take(left);
                    found.extend(pairs.map(|(key, value)| (key.to_vec(), value.to_vec())));
                    Some(more)
                }
                _ => None,
            })?;
            let last = found.get(before..).and_then(<[Pair]>::last);
            match last {
                Some((key, _)) if more && found.len() < span.count_max => {
                    // The least key above it.
                    let mut next = key.clone();
                    next.push(0);
                    from = Some(next);
                }
                _ => return Ok(found),
            }
        }
    }

    fn set_claims_digest(&mut self, digest: [u8; 32]) -> Outcome<()> {
        self.gather(Write::Claims(digest), digest.len())
    }

    fn set_apply_writes(&mut self, apply: bool) -> Outcome<()> {
        self.apply_writes = Some(apply);
        Ok(())
    }

    fn last_committed(&mut self) -> Outcome<TxId> {
        self.ask(Question::LastCommitted, |answer| match answer {
            Answer::TxId(view, seqno) => Some(TxId::new(view, seqno)),
            _ => None,
        })
    }

    fn status(&mut self, txid: TxId) -> Outcome<&'static str> {
        self.ask(Question::Status(txid.view, txid.seqno), |answer| match answer {
            Answer::Text(text) => STATUSES.into_iter().find(|status| **status == *text),
            _ => None,
        })
    }

    fn view_of(&mut self, seqno: u64) -> Outcome<Option<u64>> {
        self.ask(Question::ViewOf(seqno), number)
    }

    fn historical_state(&mut self) -> Outcome<Option<Past>> {
        if let Some(known) = &self.state {
            return Ok(known.clone());
        }
        let found = self.ask(Question::HistoricalState, |answer| match answer {
            Answer::Past(found) => Some(found.as_ref().map(past)),
            _ => None,
        })?;
        self.state = Some(found.clone());
        Ok(found)
    }

    fn state_range(
        &mut self,
        handle: u64,
        first: u64,
        last: u64,
        expiry_s: u64,
    ) -> Outcome<Option<Vec<Past>>> {
        let Some(count) =
            self.ask(Question::StateRange { handle, first, last, expiry_s }, number)?
        else {
            return Ok(None);
        };
        let mut states = Vec::new();
        while (states.len() as u64) < count {
            let from = u32::try_from(states.len()).unwrap_or(u32::MAX);
            let before = states.len();
            self.ask(Question::States(from), |answer| match answer {
                Answer::States(page) => {
                    states.extend(page.iter().map(past));
                    Some(())
                }
                _ => None,
            })?;
            if states.len() == before {
                return Err(Failure::Other("the node kept back past transactions".to_owned()));
            }
        }
        Ok(Some(states))
    }

    fn drop_cached_states(&mut self, handle: u64) -> Outcome<bool> {
        self.ask(Question::DropStates(handle), flag)
    }

    fn attestation(&mut self, bound: &[u8]) -> Outcome<String> {
        self.ask(Question::Attestation(Blob::from(bound)), |answer| match answer {
            Answer::Text(json) => Some(json.to_string()),
            _ => None,
        })
    }
}

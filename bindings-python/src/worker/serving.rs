//! One request while a worker has it: the node's answers to what the worker asks, and the writes that
//! it hands over. The worker is not trusted: what its own checks would have refused ends it.

use std::ops::Bound;

use affiant::hosting::ExecutionContext;
use affiant::limits::STATEMENT_BOUND_BYTES_MAX;
use affiant::{KvError, MapName};
use affiant_proof::TxId;

use super::limits::{PAGE_BYTES_MAX, PAGE_COUNT_MAX};
use super::link::frame;
use super::protocol::{Answer, Past as PastParts, Question, ToWorker, Write};
use super::{Blob, Text};
use crate::surface::{Failure, Local, Outcome, Past, Span, Surface as _};

/// What an honest worker never sends.
pub(super) type Refused = String;

/// The transaction of one request, lent to a worker.
pub(super) struct Serving {
    pub(super) local: Local,
    context: ExecutionContext,
    /// The range of past transactions that was asked for last.
    states: Vec<Past>,
    /// What the store refused of the writes.
    pub(super) refused_write: Option<KvError>,
}

impl Serving {
    pub(super) fn new(local: Local, context: ExecutionContext) -> Self {
        Self { local, context, states: Vec::new(), refused_write: None }
    }

    fn map(&self, name: &str, write: bool) -> Result<MapName, Refused> {
        let map = MapName::new(name).map_err(|error| error.to_string())?;
        let method = if write { "set" } else { "get" };
        self.context.permit(&map, method, write).map_err(|refusal| refusal.to_string())?;
        Ok(map)
    }

    /// Does what a handler did.
    pub(super) fn write(&mut self, writes: &[Write<'_>]) -> Result<(), Refused> {
        for write in writes {
            let done = match write {
                Write::Put { map, key, value } => {
                    let map = self.map(map, true)?;
                    self.local.put(&map, key, value)
                }
                Write::Remove { map, key } => {
                    let map = self.map(map, true)?;
                    self.local.remove(&map, key)
                }
                Write::Clear { map } => {
                    let map = self.map(map, true)?;
                    self.local.clear(&map)
                }
                Write::Claims(digest) => self.local.set_claims_digest(*digest),
            };
            match done {
                Ok(()) => {}
                Err(Failure::Store(refused)) => {
                    self.refused_write.get_or_insert(refused);
                }
                Err(Failure::Other(reason)) => return Err(reason),
            }
        }
        Ok(())
    }

    /// The frame that answers a question.
    pub(super) fn answer(&mut self, question: &Question<'_>) -> Result<Vec<u8>, Refused> {
        match question {
            Question::Get { map, key } => {
                let map = self.map(map, false)?;
                match self.local.get(&map, key) {
                    Ok(found) => respond(Ok(Answer::Value(found.as_deref().map(Blob::from)))),
                    Err(failure) => respond(Err(failure)),
                }
            }
            Question::Has { map, key } => {
                let map = self.map(map, false)?;
                respond(self.local.has(&map, key).map(Answer::Flag))
            }
            Question::Version { map, key } => {
                let map = self.map(map, false)?;
                let version = self.local.version_of_previous_write(&map, key);
                respond(version.map(Answer::Number))
            }
            Question::Len { map } => {
                let map = self.map(map, false)?;
                let count = self.local.len(&map);
                respond(count.map(|count| Answer::Number(u64::try_from(count).ok())))
            }
            Question::Range { map, from, to, count_max } => {
                let map = self.map(map, false)?;
                let count_max = usize::try_from(*count_max).unwrap_or(usize::MAX);
                let span = Span { from: from.as_deref(), to: to.as_deref(), count_max };
                self.page(&map, span)
            }
            Question::LastCommitted => respond(self.local.last_committed().map(id)),
            Question::Status(view, seqno) => {
                let status = self.local.status(TxId::new(*view, *seqno));
                respond(status.map(|status| Answer::Text(Text::from(status))))
            }
            Question::ViewOf(seqno) => respond(self.local.view_of(*seqno).map(Answer::Number)),
            past @ (Question::HistoricalState
            | Question::StateRange { .. }
            | Question::States(_)
            | Question::DropStates(_)) => self.past(past),
            Question::Attestation(bound) => {
                if bound.len() > STATEMENT_BOUND_BYTES_MAX {
                    return Err("evidence that is bound to too much".to_owned());
                }
                let evidence = self.local.attestation(bound);
                respond(evidence.map(|json| Answer::Text(Text::from(json))))
            }
        }
    }

    /// The first entries of a range.
    fn page(&mut self, map: &MapName, span: Span<'_>) -> Result<Vec<u8>, Refused> {
        let from = span.from.map_or(Bound::Unbounded, Bound::Included);
        let to = span.to.map_or(Bound::Unbounded, Bound::Excluded);
        let count_max = span.count_max.min(PAGE_COUNT_MAX);
        let found = self.local.tx.range(map, from, to, count_max);
        let mut bytes = 0;
        let mut pairs = Vec::with_capacity(found.len());
        for (key, value) in &found {
            if bytes >= PAGE_BYTES_MAX {
                break;
            }
            bytes += key.len() + value.len();
            pairs.push((Blob::from(&**key), Blob::from(&**value)));
        }
        let more =
            pairs.len() < found.len() || (found.len() == count_max && count_max < span.count_max);
        respond(Ok(Answer::Pairs { pairs, more }))
    }

    fn past(&mut self, question: &Question<'_>) -> Result<Vec<u8>, Refused> {
        match question {
            Question::HistoricalState => {
                let state = self.local.historical_state();
                let answer =
                    state.map(|state| Answer::Past(state.as_ref().map(|past| self.visible(past))));
                respond(answer)
            }
            Question::StateRange { handle, first, last, expiry_s } => {
                let found = self.local.state_range(*handle, *first, *last, *expiry_s);
                let answer = found.map(|found| {
                    let count = found.as_ref().map(|states| states.len() as u64);
                    self.states = found.unwrap_or_default();
                    Answer::Number(count)
                });
                respond(answer)
            }
            Question::States(from) => {
                let from = usize::try_from(*from).unwrap_or(usize::MAX);
                let mut bytes = 0;
                let mut page = Vec::new();
                for past in self.states.iter().skip(from) {
                    if bytes >= PAGE_BYTES_MAX {
                        break;
                    }
                    let parts = self.visible(past);
                    let pairs = parts.maps.iter().flat_map(|(_, pairs)| pairs);
                    bytes += parts.receipt.len();
                    bytes += pairs.map(|(key, value)| key.len() + value.len()).sum::<usize>();
                    page.push(parts);
                }
                respond(Ok(Answer::States(page)))
            }
            Question::DropStates(handle) => {
                respond(self.local.drop_cached_states(*handle).map(Answer::Flag))
            }
            _ => Err("no question about the past".to_owned()),
        }
    }

    /// What of a past transaction an app may see.
    fn visible(&self, past: &Past) -> PastParts<'static> {
        let everything = Span { from: None, to: None, count_max: usize::MAX };
        let txid = past.txid();
        let mut maps = Vec::new();
        for name in past.map_names() {
            let Ok(name) = MapName::new(&name) else { continue };
            if self.context.permit_in_past(&name, "get", false).is_ok() {
                let pairs = past.range(&name, everything).into_iter();
                let pairs = pairs.map(|(key, value)| (Blob::from(key), Blob::from(value)));
                maps.push((Text::from(name.as_str().to_owned()), pairs.collect()));
            }
        }
        PastParts { view: txid.view, seqno: txid.seqno, receipt: Text::from(past.receipt()), maps }
    }
}

fn id<'a>(txid: TxId) -> Answer<'a> {
    Answer::TxId(txid.view, txid.seqno)
}

/// The frame of an answer, or of why there is none.
fn respond(outcome: Outcome<Answer<'_>>) -> Result<Vec<u8>, Refused> {
    let reason = match outcome {
        Ok(answer) => match frame(&ToWorker::Answer(answer)) {
            Ok(frame) => return Ok(frame),
            Err(reason) => format!("too large for a worker process: {reason}"),
        },
        Err(Failure::Other(reason)) => reason,
        Err(Failure::Store(error)) => error.to_string(),
    };
    frame(&ToWorker::Answer(Answer::Failed(Text::from(reason))))
}

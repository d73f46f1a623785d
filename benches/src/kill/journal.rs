//! What the kill harness knows of every record it ever submitted, and the check of what a restarted
//! node holds against it. Lives in the harness, outside the process that is killed.
//!
//! The promises checked (RELIABILITY.md):
//! * a transaction that was reported committed is there, exactly, at its id, for ever;
//! * nothing is there that was not submitted;
//! * a transaction that was not reported committed may be lost, but then its id is never reported
//!   committed, and once it is lost it never comes back;
//! * no two records share a seqno.

use std::collections::BTreeMap;

use affiant_proof::TxId;

/// How far a record has come, as the node told us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Sent; nothing was heard.
    Submitted,
    /// The answer left before commit.
    Early(TxId),
    /// Reported committed.
    Committed(TxId),
    /// Found after a restart although nothing was heard of it: final at that seqno.
    Found(u64),
    /// Not found after a restart: it never was.
    Lost(Option<TxId>),
}

/// A record as a restarted node holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The record's number.
    pub number: u64,
    /// Seqno of the transaction that wrote it.
    pub seqno: u64,
    /// Whether both maps that the transaction writes hold exactly what belongs there, written by the
    /// same transaction.
    pub intact: bool,
}

/// A broken promise, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

/// What is known of every record.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    records: BTreeMap<u64, Said>,
}

/// Counts of records by how far they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ever submitted.
    pub submitted: u64,
    /// Reported committed.
    pub committed: u64,
    /// There, without any answer before the kill.
    pub found: u64,
    /// Lost, and never reported committed.
    pub lost: u64,
    /// Lost after an early answer.
    pub lost_after_answer: u64,
}

impl Journal {
    /// A record is about to be sent.
    ///
    /// # Panics
    /// Its number was used before.
    pub fn submitted(&mut self, number: u64) {
        let before = self.records.insert(number, Said::Submitted);
        assert!(before.is_none(), "record {number} is submitted once");
    }

    /// The answer to a record came before its commit.
    pub fn answered(&mut self, number: u64, txid: TxId) {
        self.records.insert(number, Said::Early(txid));
    }

    /// A record was reported committed.
    pub fn committed(&mut self, number: u64, txid: TxId) {
        self.records.insert(number, Said::Committed(txid));
    }

    /// Ids whose status the check needs: those reported, and not known to be final yet.
    #[must_use]
    pub fn undecided(&self) -> Vec<TxId> {
        self.records
            .values()
            .filter_map(|said| match said {
                Said::Early(txid) => Some(*txid),
                _ => None,
            })
            .collect()
    }

    /// Ids reported committed, or lost after an answer: the node's verdict must never change.
    #[must_use]
    pub fn decided(&self) -> Vec<TxId> {
        self.records
            .values()
            .filter_map(|said| match said {
                Said::Committed(txid) | Said::Lost(Some(txid)) => Some(*txid),
                _ => None,
            })
            .collect()
    }

    /// Counts the records.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { submitted: self.records.len() as u64, ..Counts::default() };
        for said in self.records.values() {
            match said {
                Said::Committed(_) => counts.committed += 1,
                Said::Found(_) => counts.found += 1,
                Said::Lost(txid) => {
                    counts.lost += 1;
                    counts.lost_after_answer += u64::from(txid.is_some());
                }
                Said::Submitted | Said::Early(_) => {}
            }
        }
        counts
    }

    /// Checks everything that a restarted node holds, once a transaction of its own is committed,
    /// and settles what was undecided. `is_committed` is the node's word on an id: `Committed` or
    /// not; asked for [`Self::undecided`] and for whichever of [`Self::decided`] the caller chose.
    pub fn check(&mut self, held: &[Held], is_committed: &BTreeMap<TxId, bool>) -> Vec<Violation> {
        let mut violations = Vec::new();
        let by_number = index(held, &mut violations);
        for Held { number, seqno, .. } in held {
            if !self.records.contains_key(number) {
                violations.push(Violation(format!(
                    "record {number} at seqno {seqno} was never submitted"
                )));
            }
        }
        for (number, said) in &mut self.records {
            let held = by_number.get(number).copied();
            match settle(*said, held, is_committed) {
                Ok(settled) => *said = settled,
                Err(what) => violations.push(Violation(format!("record {number}: {what}"))),
            }
        }
        violations
    }
}

fn index<'a>(held: &'a [Held], violations: &mut Vec<Violation>) -> BTreeMap<u64, &'a Held> {
    let mut by_number = BTreeMap::new();
    let mut by_seqno = BTreeMap::new();
    for held in held {
        let Held { number, seqno, intact } = held;
        if !intact {
            violations.push(Violation(format!(
                "record {number} at seqno {seqno} does not hold what was submitted"
            )));
        }
        if let Some(other) = by_seqno.insert(seqno, number) {
            violations.push(Violation(format!("records {other} and {number} share seqno {seqno}")));
        }
        if by_number.insert(*number, held).is_some() {
            violations.push(Violation(format!("record {number} is listed twice")));
        }
    }
    by_number
}

fn settle(
    said: Said,
    held: Option<&Held>,
    is_committed: &BTreeMap<TxId, bool>,
) -> Result<Said, String> {
    let status = |txid: TxId| is_committed.get(&txid).copied();
    match (said, held) {
        (Said::Early(txid), held) => settle_early(txid, held, status(txid)),
        (Said::Committed(txid), None) => {
            Err(format!("reported committed at {txid}, and is not there"))
        }
        (Said::Committed(txid), Some(held)) if held.seqno != txid.seqno => {
            Err(format!("reported committed at {txid}, and is at seqno {}", held.seqno))
        }
        (Said::Committed(txid), Some(_)) if status(txid) == Some(false) => {
            Err(format!("reported committed at {txid}, which is no longer said to be committed"))
        }
        (Said::Submitted, Some(held)) => Ok(Said::Found(held.seqno)),
        (Said::Submitted, None) => Ok(Said::Lost(None)),
        (Said::Found(seqno), None) => {
            Err(format!("was there at seqno {seqno} after an earlier restart, and is gone"))
        }
        (Said::Found(seqno), Some(held)) if held.seqno != seqno => {
            Err(format!("was at seqno {seqno} after an earlier restart, and is at {}", held.seqno))
        }
        (Said::Lost(_), Some(held)) => {
            Err(format!("was not there after an earlier restart, and is at seqno {}", held.seqno))
        }
        (Said::Lost(Some(txid)), None) if status(txid) == Some(true) => {
            Err(format!("was lost, and its id {txid} is said to be committed"))
        }
        (same, _) => Ok(same),
    }
}

fn settle_early(txid: TxId, held: Option<&Held>, status: Option<bool>) -> Result<Said, String> {
    let committed = status.ok_or_else(|| format!("the status of {txid} was not asked"))?;
    match held {
        Some(held) if held.seqno != txid.seqno => {
            Err(format!("answered with {txid}, and is at seqno {}", held.seqno))
        }
        Some(_) if committed => Ok(Said::Committed(txid)),
        Some(_) => Err(format!(
            "answered with {txid} and is there, but the id is not said to be committed"
        )),
        None if committed => {
            Err(format!("answered with {txid}, which is said to be committed, and is not there"))
        }
        None => Ok(Said::Lost(Some(txid))),
    }
}

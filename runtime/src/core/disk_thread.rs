//! The thread that performs the replica's large disk batches, one after the other.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use affiant_kv::{Disk, DiskBatch, Event};
use parking_lot::Mutex;

use super::{Message, Shared, guarded};
use crate::limits::DISK_BATCHES_COUNT_MAX;

/// The disk, performed upon by one batch at a time.
pub(super) type SharedDisk = Arc<Mutex<Box<dyn Disk>>>;

/// Starts the thread; it ends when the sender is dropped.
pub(super) fn spawn(
    disk: SharedDisk,
    shared: Arc<Shared>,
) -> std::io::Result<(SyncSender<DiskBatch>, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(DISK_BATCHES_COUNT_MAX);
    let thread = std::thread::Builder::new().name("affiant-disk".to_owned()).spawn(move || {
        guarded(&shared, "disk thread", || run(&disk, &shared, &receiver));
        // After a panic the core must not be left waiting for an acknowledgement.
        if shared.waiters.failed().is_some() {
            shared.post(Message::Abandon);
        }
    })?;
    Ok((sender, thread))
}

fn run(disk: &SharedDisk, shared: &Shared, batches: &Receiver<DiskBatch>) {
    let mut failed = false;
    while let Ok(batch) = batches.recv() {
        if failed {
            continue;
        }
        let event = perform(disk, shared, &batch);
        // Nothing after a failed operation may reach the disk.
        failed = matches!(event, Event::DiskFailed { .. });
        shared.post(Message::Acknowledged(event));
    }
}

/// Performs a batch, and gives what the replica must be told of it.
pub(super) fn perform(disk: &SharedDisk, shared: &Shared, batch: &DiskBatch) -> Event {
    let started = Instant::now();
    match batch.perform(&mut **disk.lock()) {
        Ok(()) => {
            let took = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            shared.counters.batches.fetch_add(1, Ordering::Relaxed);
            shared.counters.bytes.fetch_add(batch.bytes() as u64, Ordering::Relaxed);
            shared.counters.sync_us.fetch_add(took, Ordering::Relaxed);
            Event::Synced { batch: batch.id }
        }
        Err(error) => Event::DiskFailed { batch: batch.id, error },
    }
}

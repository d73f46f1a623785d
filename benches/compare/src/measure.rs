//! What is measured, and how: threads that do nothing but call the engine, until the time is over.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::engines::{self, Engine, Kind};
use crate::process::{cpu, resident_bytes};
use crate::work::{self, Draw, Key};

/// Reads of one snapshot, where a snapshot serves many.
pub(crate) const READS_PER_SNAPSHOT: usize = 100;
/// Time that is not counted at the start of each measurement.
const WARM_UP: Duration = Duration::from_millis(200);
/// Keys of a batch while everything is read once.
const WARM_BATCH: u64 = 1_000;
/// Syncs of the probe.
const PROBES: usize = 200;
/// Bytes that the probe writes before each sync: about a small ledger entry.
const PROBE_BYTES: usize = 300;

/// What one process is to do.
#[derive(Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) engine: Kind,
    pub(crate) directory: PathBuf,
    pub(crate) keys: u64,
    pub(crate) threads: Vec<usize>,
    pub(crate) seconds: f64,
    /// Load the keys and measure nothing.
    pub(crate) load: bool,
}

/// What came out.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) open_s: f64,
    /// More resident memory than before the database was opened, after every key was read.
    pub(crate) resident_bytes: u64,
    pub(crate) runs: Vec<Run>,
}

/// The figures with one number of threads.
#[derive(Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) threads: usize,
    pub(crate) writes: Rate,
    pub(crate) write_p50_us: f64,
    pub(crate) write_p99_us: f64,
    /// Median of one append and `fdatasync` in the same directory, right before.
    pub(crate) probe_us: f64,
    /// With [`READS_PER_SNAPSHOT`] in each snapshot.
    pub(crate) reads: Rate,
    /// With one in each.
    pub(crate) lone_reads: Rate,
}

/// Operations per second, and CPU time of the whole process for each.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Rate {
    pub(crate) per_s: f64,
    pub(crate) cpu_ns: f64,
}

/// Does the job.
pub(crate) fn perform(job: &Job) -> Outcome<Measured> {
    if job.load {
        engines::load(job.engine, &job.directory, job.keys)?;
        return Ok(Measured::default());
    }
    let (before, started) = (resident_bytes()?, Instant::now());
    let engine = engines::open(job.engine, &job.directory)?;
    let open_s = started.elapsed().as_secs_f64();
    read_all(&*engine, job.keys)?;
    let resident_bytes = resident_bytes()?.saturating_sub(before);
    let mut runs = Vec::new();
    for threads in &job.threads {
        let reads = measure_reads(&*engine, job, *threads, READS_PER_SNAPSHOT)?;
        let lone_reads = measure_reads(&*engine, job, *threads, 1)?;
        let probe_us = probe(&job.directory)?;
        let (writes, mut took) = measure_writes(&*engine, job, *threads)?;
        took.sort_unstable();
        runs.push(Run {
            threads: *threads,
            writes,
            write_p50_us: percentile_us(&took, 0.5),
            write_p99_us: percentile_us(&took, 0.99),
            probe_us,
            reads,
            lone_reads,
        });
    }
    engine.close()?;
    Ok(Measured { open_s, resident_bytes, runs })
}

/// Reads each key once, so that every cache holds what it will hold.
fn read_all(engine: &dyn Engine, keys: u64) -> Outcome<()> {
    let mut session = engine.session()?;
    let mut batch = Vec::new();
    for first in (0..keys).step_by(WARM_BATCH as usize) {
        batch.clear();
        batch.extend((first..keys.min(first + WARM_BATCH)).map(work::key));
        check(session.read(&batch)?, &batch)?;
    }
    Ok(())
}

fn measure_reads(
    engine: &dyn Engine,
    job: &Job,
    threads: usize,
    per_snapshot: usize,
) -> Outcome<Rate> {
    let (rate, _) = on_threads(job, threads, |thread| {
        let mut session = engine.session()?;
        let mut draw = Draw::new(thread, job.keys);
        let mut batch = [Key::default(); READS_PER_SNAPSHOT];
        Ok(move || {
            batch.fill_with(|| work::key(draw.next()));
            for keys in batch.chunks(per_snapshot) {
                check(session.read(keys)?, keys)?;
            }
            Ok(batch.len())
        })
    })?;
    Ok(rate)
}

fn measure_writes(engine: &dyn Engine, job: &Job, threads: usize) -> Outcome<(Rate, Vec<u64>)> {
    on_threads(job, threads, |thread| {
        let mut session = engine.session()?;
        let mut draw = Draw::new(1_000 + thread, job.keys);
        let mut round = thread << 32;
        Ok(move || {
            round += 1;
            session.write(&work::key(draw.next()), &work::value(round))?;
            Ok(1)
        })
    })
}

fn check(found: usize, batch: &[Key]) -> Outcome<()> {
    let expected = batch.len() * size_of::<work::Value>();
    if found == expected {
        Ok(())
    } else {
        Err(format!("{found} bytes read, not {expected}").into())
    }
}

/// Runs what `prepare` gives each thread over and over; gives the rate, and how long each call took, in
/// nanoseconds, after the warming up.
fn on_threads<A: FnMut() -> Outcome<usize>>(
    job: &Job,
    threads: usize,
    prepare: impl Fn(u64) -> Outcome<A> + Sync,
) -> Outcome<(Rate, Vec<u64>)> {
    let (stop, counting) = (AtomicBool::new(false), AtomicBool::new(false));
    let ready = Barrier::new(threads + 1);
    let (elapsed, used, results) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads as u64)
            .map(|thread| {
                let (prepare, stop, counting, ready) = (&prepare, &stop, &counting, &ready);
                scope.spawn(move || {
                    let prepared = prepare(thread);
                    ready.wait();
                    repeat(prepared?, stop, counting)
                })
            })
            .collect();
        ready.wait();
        std::thread::sleep(WARM_UP);
        let (started, cpu_before) = (Instant::now(), cpu());
        counting.store(true, Ordering::Relaxed);
        std::thread::sleep(Duration::from_secs_f64(job.seconds));
        stop.store(true, Ordering::Relaxed);
        let (elapsed, used) = (started.elapsed(), cpu() - cpu_before);
        let panicked = |_| Err("a measuring thread panicked".into());
        let results: Vec<Outcome<(usize, Vec<u64>)>> =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(panicked)).collect();
        (elapsed, used, results)
    });
    let (mut operations, mut took) = (0, Vec::new());
    for result in results {
        let (count, own) = result?;
        operations += count;
        took.extend(own);
    }
    let per_s = operations as f64 / elapsed.as_secs_f64();
    let cpu_ns = used.as_nanos() as f64 / operations.max(1) as f64;
    Ok((Rate { per_s, cpu_ns }, took))
}

fn repeat(
    mut act: impl FnMut() -> Outcome<usize>,
    stop: &AtomicBool,
    counting: &AtomicBool,
) -> Outcome<(usize, Vec<u64>)> {
    let (mut operations, mut took) = (0, Vec::new());
    let mut before = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let counts = counting.load(Ordering::Relaxed);
        let count = act()?;
        let now = Instant::now();
        if counts {
            operations += count;
            took.push(u64::try_from((now - before).as_nanos()).unwrap_or(u64::MAX));
        }
        before = now;
    }
    Ok((operations, took))
}

fn percentile_us(sorted: &[u64], part: f64) -> f64 {
    let position = (sorted.len() as f64 * part) as usize;
    sorted.get(position).map_or(f64::NAN, |nanoseconds| *nanoseconds as f64 / 1e3)
}

/// What the disk alone takes: the median of an append and its sync.
fn probe(directory: &Path) -> Outcome<f64> {
    let path = directory.join("probe");
    let mut file = OpenOptions::new().create_new(true).append(true).open(&path)?;
    let mut took = Vec::with_capacity(PROBES);
    for _ in 0..PROBES {
        let started = Instant::now();
        file.write_all(&[7; PROBE_BYTES])?;
        file.sync_data()?;
        took.push(u64::try_from(started.elapsed().as_nanos())?);
    }
    std::fs::remove_file(&path)?;
    took.sort_unstable();
    Ok(percentile_us(&took, 0.5))
}

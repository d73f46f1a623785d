//! `affiant-embedded`: small durable private transactions per second in one process, without HTTP:
//! a node on the real disk, threads that commit, and the wait until the last is synced.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use affiant::node::{Node, NodeSettings};
use affiant::{CommitNotice, MapName};
use affiant_bench::cpu;
use affiant_kv::CommitOutcome;
use affiant_proof::TxId;
use clap::Parser;

/// Transactions per second that the design asks for.
const TARGET_PER_S: f64 = 400_000.0;
/// CPU of the whole process per transaction that the design allows, in microseconds.
const TARGET_CPU_US: f64 = 2.5;

/// Measures embedded durable transactions.
#[derive(Parser)]
#[command(name = "affiant-embedded")]
struct Arguments {
    /// Numbers of threads that commit, one measurement each.
    #[arg(long, value_delimiter = ',', default_values_t = [1_usize, 2])]
    threads: Vec<usize>,
    /// Transactions of each measurement.
    #[arg(long, default_value_t = 2_000_000)]
    transactions: u64,
    /// Different keys.
    #[arg(long, default_value_t = 100_000)]
    keys: u64,
    /// Bytes of each value.
    #[arg(long, default_value_t = 64)]
    value_bytes: usize,
    /// Read the key first, in the same transaction.
    #[arg(long)]
    read: bool,
    /// Where the data goes; a temporary directory if not given.
    #[arg(long)]
    data: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    for threads in &arguments.threads {
        if let Err(error) = measure(&arguments, (*threads).max(1)) {
            eprintln!("affiant-embedded: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(arguments: &Arguments, threads: usize) -> io::Result<()> {
    let temporary = tempfile::Builder::new().prefix("affiant-embedded-").tempdir()?;
    let root = arguments.data.clone().unwrap_or_else(|| temporary.path().join("node"));
    let mut settings = NodeSettings::in_directory(root);
    settings.uncommitted_count_max = 200_000;
    let node = Node::start(settings).map_err(io::Error::other)?;
    let (cpu_before, started) = (cpu::of_this_process(), Instant::now());
    let share = arguments.transactions / threads as u64;
    let ended: Vec<io::Result<(TxId, u64)>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads as u64)
            .map(|thread| {
                let node = node.clone();
                scope.spawn(move || write(&node, arguments, thread, share))
            })
            .collect();
        let panicked = |_| Err(io::Error::other("a writing thread panicked"));
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(panicked)).collect()
    });
    let sequenced = started.elapsed();
    let (mut last, mut refused) = (TxId::default(), 0);
    for ended in ended {
        let (txid, waits) = ended?;
        last = last.max(txid);
        refused += waits;
    }
    match node.wait_committed_blocking(last) {
        CommitNotice::Committed { .. } => {}
        other => return Err(io::Error::other(format!("transaction {last}: {other:?}"))),
    }
    let (elapsed, cpu) = (started.elapsed(), cpu::of_this_process() - cpu_before);
    node.shutdown().map_err(io::Error::other)?;
    report(threads, share * threads as u64, sequenced, elapsed, cpu, refused);
    Ok(())
}

fn write(
    node: &Arc<Node>,
    arguments: &Arguments,
    thread: u64,
    count: u64,
) -> io::Result<(TxId, u64)> {
    let map = MapName::new("records").map_err(io::Error::other)?;
    let mut value = vec![7_u8; arguments.value_bytes];
    let (mut last, mut refused) = (TxId::default(), 0);
    for index in 0..count {
        // Spread over the keys, each thread on its own.
        let key = (index.wrapping_mul(7_919) % arguments.keys) * 64 + thread;
        if let Some(start) = value.get_mut(..8) {
            start.copy_from_slice(&index.to_le_bytes());
        }
        loop {
            let mut tx = node.begin();
            if arguments.read {
                std::hint::black_box(tx.get(&map, &key.to_le_bytes()));
            }
            tx.put(&map, &key.to_le_bytes(), &value).map_err(io::Error::other)?;
            match node.commit(tx) {
                CommitOutcome::Sequenced(txid) => {
                    last = txid;
                    break;
                }
                CommitOutcome::Conflict => {}
                CommitOutcome::TooManyPending => {
                    refused += 1;
                    std::thread::sleep(Duration::from_micros(200));
                }
                other => return Err(io::Error::other(format!("a commit ended as {other:?}"))),
            }
        }
    }
    Ok((last, refused))
}

fn report(
    threads: usize,
    transactions: u64,
    sequenced: Duration,
    elapsed: Duration,
    cpu: Duration,
    refused: u64,
) {
    let per_s = transactions as f64 / elapsed.as_secs_f64();
    let cpu_us = cpu.as_secs_f64() * 1e6 / transactions as f64;
    let verdict = |met: bool| if met { "met" } else { "MISSED" };
    println!(
        "{threads} thread(s): {transactions} transactions sequenced in {:.2} s, synced and committed \
         in {:.2} s: {per_s:.0}/s (target {TARGET_PER_S:.0}: {}), {cpu_us:.2} us of CPU each (target \
         {TARGET_CPU_US}: {}); {refused} waits for the disk",
        sequenced.as_secs_f64(),
        elapsed.as_secs_f64(),
        verdict(per_s >= TARGET_PER_S),
        verdict(cpu_us <= TARGET_CPU_US),
    );
}

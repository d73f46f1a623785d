//! `affiant-compare`: Affiant as an embedded database beside what one would link instead. One run, one
//! machine, one directory, the same durability for all: a write is one transaction with one put that is
//! synced before the call returns; a read is of a present key in a snapshot.
//!
//! The program runs itself again for every engine and size, so that each is measured in a fresh
//! process, alone.

mod arguments;
mod calls;
mod engines;
mod measure;
mod process;
mod report;
mod work;

use std::fs;
use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;
use engines::Kind;
use measure::Job;

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        Some(process::CHILD) => process::child(),
        _ => run(&Arguments::parse()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("affiant-compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What went wrong, in words.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn run(arguments: &Arguments) -> Outcome<()> {
    if arguments.calls {
        report::print_calls(&calls::measure()?);
        return Ok(());
    }
    let mut rows = Vec::new();
    for keys in &arguments.keys {
        // Engines that are called differently, but keep the same data, share what was loaded.
        let mut stores: Vec<&str> = arguments.engines.iter().map(|kind| kind.store()).collect();
        stores.dedup();
        for store in stores {
            let directory = arguments.data.join(format!("{store}-{keys}"));
            if directory.exists() {
                fs::remove_dir_all(&directory)?;
            }
            fs::create_dir_all(&directory)?;
            let kinds = arguments.engines.iter().filter(|kind| kind.store() == store);
            let kinds: Vec<Kind> = kinds.copied().collect();
            rows.extend(measure_store(arguments, *keys, &kinds, &directory)?);
            fs::remove_dir_all(&directory)?;
        }
    }
    report::print(arguments, &rows);
    Ok(())
}

fn measure_store(
    arguments: &Arguments,
    keys: u64,
    kinds: &[Kind],
    directory: &std::path::Path,
) -> Outcome<Vec<report::Row>> {
    let job = |kind: Kind, load: bool| Job {
        engine: kind,
        directory: directory.to_owned(),
        keys,
        threads: arguments.threads.clone(),
        seconds: arguments.seconds,
        load,
    };
    let mut rows = Vec::new();
    if let Some(first) = kinds.first() {
        eprintln!("loading {keys} keys into {}", first.store());
        process::run(&job(*first, true))?;
    }
    let disk_bytes = process::bytes_below(directory)?;
    for kind in kinds {
        eprintln!("measuring {} with {keys} keys", kind.name());
        let measured = process::run(&job(*kind, false))?;
        rows.push(report::Row { engine: *kind, keys, disk_bytes, measured });
    }
    Ok(rows)
}

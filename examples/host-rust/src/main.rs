//! A chain of custody: a program of its own with a ledger inside. It writes to the ledger itself, serves
//! it over HTTPS, and checks receipts without it.

mod custody;
mod service;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::io::Read as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs, io, process};

use affiant::crypto::{CertificateRequest, Curve, SigningKey, SubjectName};
use affiant::genesis::set_user;
use affiant::proof::{VerifyOptions, verify_receipt};
use affiant::{Receipt, Runtime};
use custody::{Custody, inventory};
use serde_json::json;

type Outcome = Result<(), Box<dyn Error>>;

const WAIT: Duration = Duration::from_secs(10);
const USAGE: &str = "usage:
  custody person NAME                       make NAME_cert.pem and NAME_privk.pem
  custody register DIRECTORY SAMPLE HOLDER  write to the ledger in DIRECTORY, and check the receipt
  custody list DIRECTORY                    who has which sample
  custody serve DIRECTORY ADDRESS NAME...   serve it to these persons until standard input ends
  custody verify RECEIPT SERVICE_CERT       check a receipt, or an answer that holds one, offline";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match *arguments {
        ["person", name] => person(name),
        ["register", directory, sample, holder] => register(directory, sample, holder),
        ["list", directory] => list(directory),
        ["serve", directory, address, ref names @ ..] => serve(directory, address, names),
        ["verify", receipt, certificate] => verify(receipt, certificate),
        _ => {
            eprintln!("{USAGE}");
            process::exit(2);
        }
    };
    if let Err(error) = outcome {
        eprintln!("custody: {error}");
        process::exit(1);
    }
}

/// Opens the ledger, or makes it. The key file beside it makes the directory as secret as its contents.
fn open(directory: &str) -> Result<Runtime, Box<dyn Error>> {
    Ok(Runtime::builder().directory(directory).key_file().start()?)
}

fn register(directory: &str, sample: &str, holder: &str) -> Outcome {
    let (runtime, custody) = (open(directory)?, Custody::new()?);
    let ((), txid) = runtime.run(|tx| Ok(custody.register(tx, sample, holder)?))?;
    println!("{sample} is registered as transaction {txid}, on disk and signed");
    let receipt: Receipt = runtime.receipt(txid, WAIT)?;
    let verdict = receipt.verify(&runtime.service_certificate())?;
    println!("{verdict}");
    runtime.stop()?;
    if verdict.is_valid() { Ok(()) } else { Err("the receipt does not hold".into()) }
}

fn list(directory: &str) -> Outcome {
    let runtime = open(directory)?;
    for (sample, holder) in inventory(&runtime.snapshot()) {
        println!("{sample} {}", holder.as_str().unwrap_or("?"));
    }
    runtime.stop()?;
    Ok(())
}

fn serve(directory: &str, address: &str, names: &[&str]) -> Outcome {
    let builder = Runtime::builder().directory(directory).key_file().listen(address);
    let runtime = service::endpoints(builder, &Custody::new()?).start()?;
    for name in names {
        let certificate = fs::read_to_string(format!("{name}_cert.pem"))?;
        runtime.run(|tx| Ok(set_user(tx, &certificate, &json!({"name": name}))?))?;
    }
    fs::write("service_cert.pem", runtime.service_certificate())?;
    for address in runtime.addresses() {
        println!("https://{address}");
    }
    io::stdin().read_to_end(&mut Vec::new())?;
    runtime.stop()?;
    Ok(())
}

fn verify(receipt: &str, certificate: &str) -> Outcome {
    let (receipt, certificate) = (fs::read(receipt)?, fs::read_to_string(certificate)?);
    let (_, verdict) = verify_receipt(&receipt, &certificate, &VerifyOptions::default())?;
    println!("{verdict}");
    if verdict.is_valid() { Ok(()) } else { Err("the receipt does not hold".into()) }
}

/// A key and a certificate for somebody who will call.
fn person(name: &str) -> Outcome {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let key = SigningKey::generate(Curve::P384)?;
    let request = CertificateRequest {
        subject: SubjectName::common(name),
        subject_alt_names: Vec::new(),
        valid_from_unix_s: now.saturating_sub(3_600),
        validity_days: 365,
    };
    fs::write(format!("{name}_cert.pem"), request.self_signed_person(&key)?.pem)?;
    fs::write(format!("{name}_privk.pem"), key.to_pem()?.as_bytes())?;
    Ok(())
}

//! `affiant verify`: is this service, or this evidence, what the policy accepts?
//!
//! Invariant: exit code 0 means that every check that was asked for was made and held. What cannot be
//! reached or read (3) is told apart from what does not hold (1).

use std::fs;
use std::path::Path;
use std::time::Duration;

use affiant::relying::{
    Nonce, Options, Pieces, Policy, RelyingError, SecurityContextFiles, ServiceVerdict, Verdict,
    propose_policy, read_policy, table, verify_evidence, verify_service,
};
use affiant_proof::from_hex;
use serde_json::json;

use crate::args::VerifyArgs;
use crate::exit::{self, Failure};
use crate::input::{parse_time, read, unreadable};
use crate::output::{Output, complain};

/// Bound on the size of any of the files, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

pub(crate) fn run(arguments: &VerifyArgs) -> Result<u8, Failure> {
    let at_unix_s = parse_time("--at", &arguments.at)?;
    match (&arguments.url, &arguments.evidence) {
        (_, Some(evidence)) => offline(arguments, evidence, at_unix_s),
        (Some(url), None) if arguments.propose_policy => propose(arguments, url, at_unix_s),
        (Some(url), None) => service(arguments, url, at_unix_s),
        (None, None) => Err(Failure::new(exit::USAGE, "verify: name a URL, or --evidence FILE")),
    }
}

fn service(arguments: &VerifyArgs, url: &str, at_unix_s: u64) -> Result<u8, Failure> {
    let policy = policy(arguments.policy.as_deref())?;
    let options = options(arguments, at_unix_s)?;
    if let Some(directory) = &arguments.save {
        prepare(directory)?;
    }
    let verdict = verify_service(url, &policy, &options).map_err(failure)?;
    if let Some(directory) = &arguments.save {
        save(directory, &verdict)?;
    }
    let mut output = Output::new();
    if arguments.json {
        output.line(serde_json::to_string(&verdict).unwrap_or_default());
    } else {
        output.raw(verdict.to_string().as_bytes());
    }
    Ok(code(verdict.is_trusted()))
}

fn options(arguments: &VerifyArgs, at_unix_s: u64) -> Result<Options, Failure> {
    let nonce = match arguments.nonce.as_deref() {
        None => Nonce::None,
        Some("") => Nonce::Random,
        Some(hex) => Nonce::Given(from_hex(hex).ok_or_else(|| {
            Failure::new(exit::USAGE, format!("--nonce={hex}: an even number of hex digits"))
        })?),
    };
    let certificate = match &arguments.service_cert {
        // What is no text is no certificate either, which the verifier says.
        Some(path) => Some(String::from_utf8(read(path, FILE_BYTES_MAX)?).unwrap_or_default()),
        None => None,
    };
    let receipt = match &arguments.receipt {
        Some(path) => Some(read(path, FILE_BYTES_MAX)?),
        None => None,
    };
    Ok(Options {
        nonce,
        service_certificate_pem: certificate,
        receipt,
        at_unix_s: Some(at_unix_s),
        timeout: Duration::from_secs(arguments.timeout),
    })
}

fn propose(arguments: &VerifyArgs, url: &str, at_unix_s: u64) -> Result<u8, Failure> {
    let options = options(arguments, at_unix_s)?;
    let proposal = propose_policy(url, &options).map_err(failure)?;
    if !proposal.verdict.is_trusted() {
        complain(proposal.verdict.to_string().trim_end());
        complain(
            "affiant: no policy is proposed: what failed is nothing that a policy should let pass",
        );
        return Ok(exit::FAILURE);
    }
    for line in &proposal.words {
        complain(line);
    }
    Output::new().line(&proposal.json);
    Ok(exit::SUCCESS)
}

fn offline(arguments: &VerifyArgs, evidence: &Path, at_unix_s: u64) -> Result<u8, Failure> {
    let policy = policy(arguments.policy.as_deref())?;
    let optional = |path: &Option<std::path::PathBuf>| match path {
        Some(path) => read(path, FILE_BYTES_MAX).map(Some),
        None => Ok(None),
    };
    let pieces = Pieces {
        evidence: read(evidence, FILE_BYTES_MAX)?,
        endorsements: optional(&arguments.endorsements)?,
        uvm_endorsement: optional(&arguments.uvm_endorsement)?,
        policy_text: optional(&arguments.policy_text)?,
        security_context: arguments.security_context.as_deref().map(context).transpose()?,
        bound: optional(&arguments.bound)?,
    };
    let verdict = verify_evidence(pieces, &policy, at_unix_s).map_err(failure)?;
    let trusted = verdict.is_trusted();
    let mut output = Output::new();
    if arguments.json {
        output.line(
            json!({"trusted": trusted, "at": at_unix_s, "checks": verdict.checks}).to_string(),
        );
    } else {
        explain(&mut output, evidence, &verdict);
    }
    Ok(code(trusted))
}

/// The three files of a security context directory; one that is missing is no fault by itself.
fn context(directory: &Path) -> Result<SecurityContextFiles, Failure> {
    let file = |name: &str| {
        let path = directory.join(name);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read(&path, FILE_BYTES_MAX)?;
        let text = String::from_utf8(bytes).map_err(|_| unreadable(&path, "it is no text"))?;
        Ok(Some(text))
    };
    let files = SecurityContextFiles {
        host_certificates: file(SecurityContextFiles::HOST_CERTIFICATES)?,
        policy: file(SecurityContextFiles::POLICY)?,
        reference_info: file(SecurityContextFiles::REFERENCE_INFO)?,
    };
    if files == SecurityContextFiles::default() {
        return Err(unreadable(directory, "it has none of the files of a security context"));
    }
    Ok(files)
}

fn explain(output: &mut Output, file: &Path, verdict: &Verdict) {
    let file = file.display();
    output.line(if verdict.is_trusted() {
        format!("Trusted: the policy accepts the guest of {file}. Nothing is said of who shows it.")
    } else {
        format!("NOT TRUSTED: the policy does not accept the evidence of {file}.")
    });
    output.raw(table(verdict).as_bytes());
}

fn policy(path: Option<&Path>) -> Result<Policy, Failure> {
    let Some(path) = path else {
        return Err(Failure::new(exit::USAGE, "verify: --policy FILE is missing"));
    };
    read_policy(&read(path, FILE_BYTES_MAX)?)
        .map_err(|error| Failure::new(exit::UNREADABLE, format!("{}: {error}", path.display())))
}

fn prepare(directory: &Path) -> Result<(), Failure> {
    let failed = |why: String| {
        Failure::new(exit::UNREADABLE, format!("--save {}: {why}", directory.display()))
    };
    fs::create_dir_all(directory).map_err(|error| failed(error.to_string()))?;
    let mut entries = fs::read_dir(directory).map_err(|error| failed(error.to_string()))?;
    if entries.next().is_some() {
        return Err(failed("it is not empty, and nothing is overwritten".to_owned()));
    }
    Ok(())
}

/// What somebody else needs to judge again, offline.
fn save(directory: &Path, verdict: &ServiceVerdict) -> Result<(), Failure> {
    let verdict_json = serde_json::to_vec_pretty(verdict).unwrap_or_default();
    let files: [(&str, &[u8]); 3] = [
        ("attestation.json", &verdict.evidence_json),
        ("service_cert.pem", verdict.service_certificate_pem.as_bytes()),
        ("verdict.json", &verdict_json),
    ];
    for (name, content) in files {
        let path = directory.join(name);
        fs::write(&path, content).map_err(|error| {
            Failure::new(exit::UNREADABLE, format!("cannot write {}: {error}", path.display()))
        })?;
    }
    Ok(())
}

fn failure(error: RelyingError) -> Failure {
    let code = match error {
        RelyingError::Usage { .. } => exit::USAGE,
        _ => exit::UNREADABLE,
    };
    Failure::new(code, error.to_string())
}

const fn code(trusted: bool) -> u8 {
    if trusted { exit::SUCCESS } else { exit::FAILURE }
}

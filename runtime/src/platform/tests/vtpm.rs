//! A stand-in for the virtual TPM of an Azure confidential VM.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use affiant_attest::{Attestation, HclReport};
use affiant_proof::{Digest, to_hex};
use proptest::prelude::*;
use serde_json::json;

use super::{Reply, StandIn, recorded};
use crate::limits::HCL_ATTEMPTS_MAX;
use crate::platform::collateral::Collateral;
use crate::platform::context::Surroundings;
use crate::platform::endorsements::Pace;
use crate::platform::vtpm::{Tpm, VtpmAttestor, nv_read};
use crate::platform::{
    Attestor, EndorsementServer, PlatformError, PlatformSettings, ServerKind, report_data,
};

/// What the stand-in does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// It needs this many readings to make a new report.
    Slow(usize),
    /// It refuses what it is asked, with this code.
    Refuses(u32),
    /// Its answers lack their last byte.
    Short,
    /// It gives nothing of an index.
    Empty,
}

/// A stand-in for a TPM with the paravisor's two indices.
struct StandInTpm {
    fault: Fault,
    report: Vec<u8>,
    written: Vec<u8>,
    readings: usize,
    commands: Arc<AtomicUsize>,
}

impl StandInTpm {
    fn index(&mut self, begins: bool) -> Vec<u8> {
        self.readings += usize::from(begins);
        let shown = match self.fault {
            Fault::Slow(readings) if self.readings <= readings => to_hex(&[0xee; 64]),
            _ => to_hex(&self.written).to_uppercase(),
        };
        let claims = json!({"keys": [], "user-data": shown}).to_string().into_bytes();
        let report = self.report.clone();
        let hcl = HclReport { version: 1, runtime_version: 1, report, runtime_claims: claims };
        let mut bytes = hcl.to_bytes().unwrap();
        bytes.resize(2_600, 0);
        bytes
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

impl Tpm for StandInTpm {
    fn name(&self) -> String {
        "stand-in TPM".to_owned()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, PlatformError> {
        self.commands.fetch_add(1, Ordering::SeqCst);
        assert_eq!(number(&command[2..6]), command.len());
        let by_owner = [&0x4000_0001_u32.to_be_bytes()[..], &[1, 0x40, 0, 1]].concat();
        let session = [0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0];
        let answer = match number(&command[6..10]) {
            0x137 => {
                assert_eq!(
                    (&command[..2], &command[14..18]),
                    (&[0x80, 2][..], &[1, 0x40, 0, 2][..])
                );
                assert_eq!(&command[18..31], &session);
                self.written = command[33..33 + number(&command[31..33])].to_vec();
                assert_eq!(&command[97..], [0, 0]);
                Vec::new()
            }
            0x169 => {
                assert_eq!(&command[10..], [1, 0x40, 0, 1]);
                let size = 2_600_u16;
                let fields = [&[1, 0x40, 0, 1, 0, 11, 0, 0, 0, 0][..], &sized(&[7; 32])].concat();
                sized(&[&fields[..], &size.to_be_bytes()].concat())
            }
            0x14e => {
                assert_eq!(&command[10..18], &by_owner);
                assert_eq!(&command[18..31], &session);
                let (size, offset) = (number(&command[31..33]), number(&command[33..35]));
                let index = self.index(offset == 0);
                let data =
                    if self.fault == Fault::Empty { &[] } else { &index[offset..offset + size] };
                let parameters = sized(data);
                let length = (parameters.len() as u32).to_be_bytes();
                [&length[..], &parameters, &[0, 0, 1, 0, 0]].concat()
            }
            code => panic!("command {code:#x}"),
        };
        let (outcome, answer) = match self.fault {
            Fault::Refuses(outcome) => (outcome, Vec::new()),
            Fault::Short if !answer.is_empty() => (0, answer[..answer.len() - 10].to_vec()),
            _ => (0, answer),
        };
        let length = (10 + answer.len()) as u32;
        Ok([&command[..2], &length.to_be_bytes(), &outcome.to_be_bytes(), &answer].concat())
    }
}

/// Asks for evidence of a recorded report, with a stand-in for the server of its chain.
fn ask(fault: Fault) -> Option<(Result<Attestation, PlatformError>, usize)> {
    let report = recorded("aci-milan/snp_report.bin")?;
    let chain = recorded("aci-milan/uvm_host_amd_certificate.json")?;
    let stand_in = StandIn::start([Reply::bytes(chain)]);
    let thim = EndorsementServer {
        url: Some(stand_in.url()),
        ..EndorsementServer::usual(ServerKind::Thim)
    };
    let settings = PlatformSettings { endorsement_servers: vec![thim], ..Default::default() };
    let surroundings =
        Surroundings { variable: Box::new(|_| None), root: PathBuf::from("/a/fake/path") };
    let pace = Pace { now_ms: Box::new(|| 0), sleep_ms: Box::new(|_| {}) };
    let collateral = Collateral::new(&settings, surroundings, pace).unwrap();
    let tpm = StandInTpm {
        fault,
        report,
        written: Vec::new(),
        readings: 0,
        commands: Arc::new(AtomicUsize::new(0)),
    };
    let waits = Arc::new(AtomicUsize::new(0));
    let counted = waits.clone();
    let sleep_ms = Box::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let attestor = VtpmAttestor::new(Box::new(tpm), collateral, sleep_ms);
    let answer = attestor.attest(b"bytes");
    Some((answer, waits.load(Ordering::SeqCst)))
}

#[test]
fn evidence_is_bound_to_claims_that_hold_what_was_asked_for() {
    for (fault, waits) in [(Fault::None, 0), (Fault::Slow(3), 3)] {
        let Some((answer, waited)) = ask(fault) else { return };
        let Attestation::Snp(evidence) = answer.unwrap() else { panic!("virtual") };
        assert_eq!(waited, waits);
        let claims = String::from_utf8(evidence.bound.unwrap()).unwrap();
        let asked = to_hex(&report_data(b"bytes")).to_uppercase();
        assert!(claims.contains(&asked), "{claims}");
        assert!(asked.starts_with(&Digest::of(b"bytes").to_hex().to_uppercase()));
        assert!(!evidence.endorsements.is_empty());
    }
}

/// A stand-in for a TPM that answers with whatever bytes it was given.
struct Babbler(Vec<u8>);

impl Tpm for Babbler {
    fn name(&self) -> String {
        "stand-in TPM".to_owned()
    }

    fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, PlatformError> {
        Ok(self.0.clone())
    }
}

proptest! {
    #[test]
    fn whatever_a_tpm_answers_is_read_or_refused(
        tail in proptest::collection::vec(any::<u8>(), 0..200),
        fits in any::<bool>(),
    ) {
        // With the right length and success, so that what follows is looked at.
        let length = if fits { (10 + tail.len()) as u32 } else { 7 };
        let answer = [&[0x80, 2][..], &length.to_be_bytes(), &[0; 4], &tail].concat();
        prop_assert!(fits || nv_read(&mut Babbler(answer.clone()), 1).is_err());
        // An index of no bytes is read as that; nothing else of this can be an index.
        let read = nv_read(&mut Babbler(answer), 1);
        prop_assert!(read.is_err() || read.is_ok_and(|bytes| bytes.len() < 65_536));
    }
}

#[test]
fn what_a_tpm_does_wrong_is_said() {
    for (fault, words) in [
        (Fault::Refuses(0x18b), "NV_Write of NV index 0x1400002 is refused with 0x18b"),
        (Fault::Short, "cut off"),
        (Fault::Empty, "another length"),
        (Fault::Slow(100), "no report about the data written"),
    ] {
        let Some((answer, waited)) = ask(fault) else { return };
        let error = answer.unwrap_err().to_string();
        assert!(error.contains(words), "{fault:?}: {error}");
        let all = HCL_ATTEMPTS_MAX as usize - 1;
        assert_eq!(waited, if matches!(fault, Fault::Slow(_)) { all } else { 0 });
    }
}

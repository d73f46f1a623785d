//! Stand-ins for the kernel's configfs and for the firmware, and what is asked of them.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use zeroize::Zeroizing;

use super::tsm::Files;
use super::*;
use crate::limits::{CERTIFICATE_TABLE_BYTES_MAX, REPORT_BYTES};

/// What the stand-in for configfs does wrong, one item per request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Somebody else writes between the report and the last look at the generation.
    Raced,
    /// The kernel notices such a writer itself.
    WouldBlock,
    /// The host throttles.
    Throttled,
    /// Another technology's provider.
    Provider,
    /// The report is cut off.
    Short,
    /// The report is too long.
    Long,
    /// The table is too long.
    LongTable,
    /// Another request's report.
    Foreign,
    /// The request cannot be removed.
    Stuck,
    /// There is nobody to make reports.
    Nobody,
}

#[derive(Default)]
struct StandInState {
    faults: VecDeque<Fault>,
    fault: Option<Fault>,
    entries: BTreeMap<PathBuf, u64>,
    made: Vec<PathBuf>,
    data: Vec<u8>,
    levels: Vec<Vec<u8>>,
    floor: Option<&'static str>,
    table: Option<Vec<u8>>,
}

/// A stand-in for the kernel's configfs: the same files with the same generations.
#[derive(Clone, Default)]
struct StandInConfigfs(Arc<Mutex<StandInState>>);

impl Files for StandInConfigfs {
    fn is_directory(&mut self, _: &Path) -> bool {
        true
    }

    fn make_directory(&mut self, path: &Path) -> Result<(), Error> {
        let mut state = self.0.lock().unwrap();
        assert!(!state.made.contains(&path.to_owned()), "{path:?} is asked for twice");
        state.made.push(path.to_owned());
        state.fault = state.faults.pop_front();
        if state.fault == Some(Fault::Nobody) {
            return Err(Error::from_raw_os_error(6));
        }
        state.entries.insert(path.to_owned(), 7);
        Ok(())
    }

    fn remove_directory(&mut self, path: &Path) -> Result<(), Error> {
        let mut state = self.0.lock().unwrap();
        if state.fault == Some(Fault::Stuck) {
            return Err(ErrorKind::ResourceBusy.into());
        }
        assert!(state.entries.remove(path).is_some(), "{path:?} is removed twice");
        Ok(())
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let mut state = self.0.lock().unwrap();
        *state.entries.get_mut(path.parent().unwrap()).unwrap() += 1;
        match path.file_name().unwrap().to_str().unwrap() {
            "inblob" => state.data = bytes.to_vec(),
            "privlevel" => state.levels.push(bytes.to_vec()),
            name => panic!("{name} is written"),
        }
        Ok(())
    }

    fn read(&mut self, path: &Path, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let mut state = self.0.lock().unwrap();
        let fault = state.fault.unwrap_or(Fault::None);
        let mut bytes = match path.file_name().unwrap().to_str().unwrap() {
            "provider" if fault == Fault::Provider => b"tdx_guest\n".to_vec(),
            "provider" => b"sev_guest\n".to_vec(),
            "generation" => format!("{}\n", state.entries[path.parent().unwrap()]).into_bytes(),
            "privlevel_floor" => match state.floor {
                None => return Err(ErrorKind::NotFound.into()),
                Some(floor) => floor.as_bytes().to_vec(),
            },
            "outblob" => match fault {
                Fault::WouldBlock => return Err(ErrorKind::WouldBlock.into()),
                Fault::Throttled => return Err(ErrorKind::ResourceBusy.into()),
                Fault::Short => made_up_report(&state.data)[..1000].to_vec(),
                Fault::Long => vec![0; REPORT_BYTES + 100],
                Fault::Foreign => made_up_report(&[0xee; 64]),
                _ => made_up_report(&state.data),
            },
            "auxblob" if fault == Fault::LongTable => vec![1; CERTIFICATE_TABLE_BYTES_MAX + 100],
            "auxblob" => match &state.table {
                None => return Err(ErrorKind::NotFound.into()),
                Some(table) => table.clone(),
            },
            name => panic!("{name} is read"),
        };
        if fault == Fault::Raced && path.ends_with("outblob") {
            *state.entries.get_mut(path.parent().unwrap()).unwrap() += 1;
        }
        bytes.truncate(bytes_max + 1);
        Ok(bytes)
    }
}

/// No report of any hardware: the length of one, and the data in their place.
fn made_up_report(data: &[u8]) -> Vec<u8> {
    let mut report = vec![0; REPORT_BYTES];
    report[0x50..0x50 + data.len()].copy_from_slice(data);
    report
}

fn configfs(faults: &[Fault]) -> (StandInConfigfs, Tsm) {
    let stand_in = StandInConfigfs::default();
    stand_in.0.lock().unwrap().faults = faults.iter().copied().collect();
    let tsm = Tsm::with_files("/stand-in", Box::new(stand_in.clone()));
    (stand_in, tsm)
}

/// Asks, and tells what came back, the waits, and how many requests stayed behind.
fn ask(
    stand_in: &StandInConfigfs,
    tsm: &mut Tsm,
) -> (Result<GuestReport, AttestError>, Vec<u64>, usize) {
    let mut waits = Vec::new();
    let answer = report(tsm, &[5; 64], None, &mut |wait_ms| waits.push(wait_ms));
    let left = stand_in.0.lock().unwrap().entries.len();
    (answer, waits, left)
}

#[test]
fn a_report_comes_through_configfs() {
    let (stand_in, mut tsm) = configfs(&[]);
    let (answer, waits, left) = ask(&stand_in, &mut tsm);
    let expected = GuestReport { report: made_up_report(&[5; 64]), certificate_table: None };
    assert_eq!((answer.unwrap(), waits.len(), left), (expected, 0, 0));
    // With a table, an empty one, and below a paravisor that keeps level 0 to itself.
    for (table, found) in [(vec![1, 2], Some(vec![1, 2])), (Vec::new(), None)] {
        let (stand_in, mut tsm) = configfs(&[]);
        stand_in.0.lock().unwrap().table = Some(table);
        stand_in.0.lock().unwrap().floor = Some("2\n");
        assert_eq!(ask(&stand_in, &mut tsm).0.unwrap().certificate_table, found);
        assert_eq!(stand_in.0.lock().unwrap().levels, [b"2"]);
    }
    let (stand_in, mut tsm) = configfs(&[]);
    stand_in.0.lock().unwrap().floor = Some("0\n");
    tsm.report(&[5; 64], None).unwrap();
    tsm.report(&[5; 64], Some(3)).unwrap();
    assert_eq!(stand_in.0.lock().unwrap().levels, [b"3"]);
}

#[test]
fn what_others_or_the_host_disturb_is_asked_again() {
    let faults = [Fault::Raced, Fault::WouldBlock, Fault::Throttled];
    let (stand_in, mut tsm) = configfs(&faults);
    let (answer, waits, left) = ask(&stand_in, &mut tsm);
    assert_eq!(answer.unwrap().report, made_up_report(&[5; 64]));
    assert_eq!((waits, left), (vec![50, 100, 200], 0));
    assert_eq!(stand_in.0.lock().unwrap().made.len(), 4);

    // Not for ever.
    let (stand_in, mut tsm) = configfs(&[Fault::Throttled; 100]);
    let (answer, waits, left) = ask(&stand_in, &mut tsm);
    let error = answer.unwrap_err().to_string();
    assert_eq!(waits, [50, 100, 200, 400, 800, 1_600, 2_000]);
    assert!(error.contains("8 attempts in 5150 ms"), "{error}");
    assert!(error.contains("outblob"), "{error}");
    assert_eq!(left, 0);
}

#[test]
fn what_is_wrong_is_said_at_once() {
    for (fault, words) in [
        (Fault::Provider, "tdx_guest"),
        (Fault::Short, "1000 bytes instead of 1184"),
        (Fault::Long, "more than 1184 bytes"),
        (Fault::LongTable, "over the limit of 65536"),
        (Fault::Foreign, "other data"),
        (Fault::Stuck, "cannot be removed"),
    ] {
        let (stand_in, mut tsm) = configfs(&[fault]);
        let (answer, waits, left) = ask(&stand_in, &mut tsm);
        let error = answer.unwrap_err().to_string();
        assert!(error.contains(words), "{fault:?}: {error}");
        assert_eq!((waits.len(), left), (0, usize::from(fault == Fault::Stuck)), "{fault:?}");
    }
}

#[test]
fn the_provider_is_told() {
    for (fault, provider) in [
        (Fault::None, Some("sev_guest")),
        (Fault::Provider, Some("tdx_guest")),
        (Fault::Nobody, None),
    ] {
        let (stand_in, mut tsm) = configfs(&[fault]);
        assert_eq!(tsm.provider().unwrap().as_deref(), provider);
        assert_eq!(stand_in.0.lock().unwrap().entries.len(), 0);
    }
    let (_, mut tsm) = configfs(&[Fault::Stuck]);
    assert!(tsm.provider().is_err());
}

#[test]
fn configfs_derives_no_keys_and_says_so() {
    let (_, mut tsm) = configfs(&[]);
    let selection = KeySelection { measurement: true, guest_svn: 0, tcb_version: [0; 8] };
    let error = tsm.derived_key(&selection).unwrap_err();
    let GuestError::Failed(error) = error else { panic!("{error:?}") };
    assert!(error.to_string().contains(DEVICE_PATH), "{error}");
}

/// A stand-in for a firmware that gives what it was told to, one after the other.
struct StandInFirmware(VecDeque<Result<GuestReport, GuestError>>);

impl Firmware for StandInFirmware {
    fn name(&self) -> String {
        "stand-in firmware".to_owned()
    }

    fn report(&mut self, _: &[u8; 64], _: Option<u32>) -> Result<GuestReport, GuestError> {
        self.0.pop_front().unwrap()
    }

    fn derived_key(
        &mut self,
        _: &KeySelection,
    ) -> Result<Zeroizing<[u8; DERIVED_KEY_BYTES]>, GuestError> {
        unreachable!("no test asks for it")
    }
}

#[test]
fn any_firmware_is_held_to_its_bounds() {
    let good = GuestReport { report: made_up_report(&[5; 64]), certificate_table: None };
    let table = Some(vec![0; CERTIFICATE_TABLE_BYTES_MAX + 1]);
    let again = || Err(GuestError::Again("throttled".to_owned()));
    for (answers, words) in [
        (vec![Ok(GuestReport { report: Vec::new(), ..good.clone() })], "0 bytes"),
        (vec![Ok(GuestReport { certificate_table: table, ..good.clone() })], "65537"),
        ((0..8).map(|_| again()).collect(), "the last one: throttled"),
    ] {
        let mut firmware = StandInFirmware(answers.into());
        let error = report(&mut firmware, &[5; 64], None, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let mut firmware = StandInFirmware(vec![again(), Ok(good.clone())].into());
    assert_eq!(report(&mut firmware, &[5; 64], None, &mut |_| {}).unwrap(), good);
}

//! Every disk behaves alike: the file system, the tree in memory, and the simulator's disk.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use affiant_kv::{Disk, DiskError, MemDisk, RealDisk};
use affiant_sim::{Rng, SimDisk};

struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("affiant-conformance-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn on_each(name: &str, check: impl Fn(&str, &mut dyn Disk)) {
    let scratch = Scratch::new(name);
    check("RealDisk", &mut RealDisk::new(&scratch.0).unwrap());
    check("MemDisk", &mut MemDisk::new());
    check("SimDisk", &mut SimDisk::new(Rng::new(1)));
}

#[test]
fn files_append_overwrite_truncate_and_read() {
    on_each("files", |name, disk| {
        disk.create_dir("a/b").unwrap();
        disk.create("a/b/f").unwrap();
        assert!(disk.create("a/b/f").is_err(), "{name}: it exists");
        disk.append("a/b/f", b"hello ").unwrap();
        disk.append("a/b/f", b"world").unwrap();
        disk.append("a/b/f", b"").unwrap();
        assert_eq!(disk.size("a/b/f").unwrap(), 11, "{name}");
        disk.write_at("a/b/f", 6, b"W").unwrap();
        assert!(disk.write_at("a/b/f", 10, b"xx").is_err(), "{name}: beyond the end");
        assert!(disk.write_at("a/b/f", u64::MAX, b"xx").is_err(), "{name}: beyond the end");
        assert_eq!(disk.read_at("a/b/f", 0, 11).unwrap(), b"hello World", "{name}");
        assert_eq!(disk.read_at("a/b/f", 11, 0).unwrap(), b"", "{name}");
        assert!(disk.read_at("a/b/f", 0, 12).is_err(), "{name}: exactly or not at all");
        assert!(disk.read_at("a/b/f", u64::MAX, 1).is_err(), "{name}");
        assert!(disk.read_at("a/b/f", 0, usize::MAX >> 1).is_err(), "{name}: no allocation");
        assert!(disk.truncate("a/b/f", 12).is_err(), "{name}: truncate never grows");
        disk.truncate("a/b/f", 5).unwrap();
        disk.append("a/b/f", b"!").unwrap();
        assert_eq!(disk.read_at("a/b/f", 0, 6).unwrap(), b"hello!", "{name}");
        disk.sync("a/b/f").unwrap();
        disk.sync_dir("a/b").unwrap();
        disk.sync_dir("").unwrap();
    });
}

#[test]
fn names_list_rename_and_go() {
    on_each("names", |name, disk| {
        assert!(disk.list("none").unwrap().is_empty(), "{name}");
        disk.create_dir("d").unwrap();
        disk.create_dir("d").unwrap();
        for file in ["d/b", "d/a.x", "d/a", "top"] {
            disk.create(file).unwrap();
            disk.append(file, file.as_bytes()).unwrap();
        }
        disk.create_dir("d/a-sub").unwrap();
        assert_eq!(disk.list("d").unwrap(), ["a", "a-sub", "a.x", "b"], "{name}");
        assert_eq!(disk.list("").unwrap(), ["d", "top"], "{name}");
        disk.rename("d/a", "d/b").unwrap();
        assert_eq!(disk.list("d").unwrap(), ["a-sub", "a.x", "b"], "{name}");
        assert_eq!(disk.read_at("d/b", 0, 3).unwrap(), b"d/a", "{name}: it replaced the other");
        disk.append("d/b", b"+").unwrap();
        disk.rename("d/b", "moved").unwrap();
        assert_eq!(disk.read_at("moved", 0, 4).unwrap(), b"d/a+", "{name}");
        disk.rename("moved", "moved").unwrap();
        assert_eq!(disk.size("moved").unwrap(), 4, "{name}");
        disk.remove("moved").unwrap();
        assert!(disk.size("moved").unwrap_err().missing, "{name}");
        disk.create("moved").unwrap();
        assert_eq!(disk.size("moved").unwrap(), 0, "{name}: a new file");
    });
}

#[test]
fn what_is_missing_or_of_another_kind_is_refused() {
    on_each("refused", |name, disk| {
        disk.create_dir("d").unwrap();
        disk.create("f").unwrap();
        let missing: [DiskError; 9] = [
            disk.append("x", b"").unwrap_err(),
            disk.write_at("x", 0, b"").unwrap_err(),
            disk.read_at("x", 0, 0).unwrap_err(),
            disk.size("x").unwrap_err(),
            disk.truncate("x", 0).unwrap_err(),
            disk.sync("x").unwrap_err(),
            disk.rename("x", "y").unwrap_err(),
            disk.sync_dir("x").unwrap_err(),
            disk.remove("x").unwrap_err(),
        ];
        for error in missing {
            assert!(error.missing && !error.full, "{name}: {error}");
        }
        assert!(disk.create("x/f").unwrap_err().missing, "{name}: its directory is missing");
        assert!(disk.rename("f", "x/f").unwrap_err().missing, "{name}");
        assert!(disk.create_dir("f").is_err(), "{name}: a file is in the way");
        assert!(disk.create_dir("f/d").is_err(), "{name}: a file is in the way");
        assert!(disk.create("f/x").is_err(), "{name}");
        assert!(disk.list("f").is_err(), "{name}");
        assert!(disk.sync_dir("f").is_err(), "{name}");
        assert!(disk.append("d", b"x").is_err(), "{name}");
        assert!(disk.size("d").is_err(), "{name}");
        assert!(disk.remove("d").is_err(), "{name}: only files are removed");
        assert!(disk.rename("d", "e").is_err(), "{name}: only files are renamed");
        assert!(disk.rename("f", "d").is_err(), "{name}: a directory is in the way");
        assert!(disk.create("").is_err(), "{name}");
        assert!(disk.size("").is_err(), "{name}");
        for path in ["/f", "../f", "d/../f", "d//f", "./f", "f/", "d/."] {
            assert!(disk.size(path).is_err(), "{name}: {path}");
            assert!(disk.create(path).is_err(), "{name}: {path}");
            assert!(disk.list(path).is_err(), "{name}: {path}");
            assert!(disk.rename("f", path).is_err(), "{name}: {path}");
        }
        assert_eq!(disk.size("f").unwrap(), 0, "{name}: it is still there");
    });
}

/// What a call answered, as far as every disk must agree: where several things are wrong at once,
/// each may name another.
fn outcome<T: std::fmt::Debug>(result: Result<T, DiskError>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(_) => "error".to_owned(),
    }
}

fn random_call(rng: &mut Rng) -> impl Fn(&mut dyn Disk) -> String + use<> {
    const PATHS: [&str; 7] = ["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a"];
    let (kind, path, other) = (rng.below(12), *rng.pick(&PATHS), *rng.pick(&PATHS));
    let (offset, length) = (rng.below(40), rng.index(40));
    let bytes = rng.bytes(length);
    move |disk: &mut dyn Disk| match kind {
        0 => outcome(disk.create_dir(path)),
        1 | 2 => outcome(disk.create(path)),
        3 | 4 => outcome(disk.append(path, &bytes)),
        5 => outcome(disk.write_at(path, offset, &bytes)),
        6 => outcome(disk.read_at(path, offset, length)),
        7 => outcome(disk.size(path)),
        8 => outcome(disk.truncate(path, offset)),
        9 => outcome(disk.rename(path, other)),
        10 => outcome(disk.remove(path)),
        _ => outcome(disk.list(path)),
    }
}

#[test]
fn random_calls_are_answered_alike() {
    for seed in 0..60 {
        let scratch = Scratch::new(&format!("random-{seed}"));
        let mut disks: [Box<dyn Disk>; 3] = [
            Box::new(RealDisk::new(&scratch.0).unwrap()),
            Box::new(MemDisk::new()),
            Box::new(SimDisk::new(Rng::new(seed))),
        ];
        let mut rng = Rng::new(seed);
        for step in 0..120 {
            let call = random_call(&mut rng);
            let answers: Vec<String> = disks.iter_mut().map(|disk| call(&mut **disk)).collect();
            assert!(
                answers.iter().all(|answer| *answer == answers[0]),
                "seed {seed} step {step}: {answers:?}"
            );
        }
    }
}

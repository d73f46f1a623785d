//! How Python starts in a process, and where it does not. It starts once per process, so each case has a
//! process of its own: the functions marked `ignore` run there.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use affiant_python_host::load;
use serde_json::{Value as Json, json};
use support::{app, call, linked_version, options, serve};

/// What stands before what a case says.
const SAID: &str = "SAID ";

/// Runs a case in a process with these variables, and without those that would have it find packages.
fn run(case: &str, variables: &[(&str, &Path)]) -> Json {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([case, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    for name in ["VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"] {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case}: {}\n{text}\n{errors}", output.status);
    let said =
        text.lines().find_map(|line| line.split_once(SAID)).unwrap_or_else(|| panic!("{text}"));
    serde_json::from_str(said.1).unwrap()
}

fn say(what: &Json) {
    println!("\n{SAID}{what}");
}

/// The interpreter that goes with the libpython of the tests.
fn interpreter() -> PathBuf {
    PathBuf::from(run("case_where", &[])["executable"].as_str().unwrap())
}

/// An environment of that interpreter, with these files among its packages.
fn environment(files: &[(&str, &str)]) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new(interpreter());
    let made = command.args(["-m", "venv", "--without-pip"]).arg(place.path()).status().unwrap();
    assert!(made.success());
    let (major, minor) = linked_version();
    let packages = place.path().join(format!("lib/python{major}.{minor}/site-packages"));
    for (name, text) in files {
        let file = packages.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    place
}

#[test]
#[ignore = "a case of other tests"]
fn case_where() {
    let runtime = serve(load(&app("notes"), &options()).unwrap());
    say(&call(&runtime, "GET", "/where", "").1);
}

#[test]
fn without_a_word_the_environment_is_the_librarys_own() {
    let told = run("case_where", &[]);
    let (major, minor) = linked_version();
    let executable = told["executable"].as_str().unwrap();
    assert!(executable.ends_with(&format!("/bin/python{major}.{minor}")), "{executable}");
    assert_eq!(told["argv"], json!([""]));
    // The same, whatever `PATH` finds first.
    let nothing = tempfile::tempdir().unwrap();
    assert_eq!(run("case_where", &[("PATH", nothing.path())]), told);
}

#[test]
fn a_virtual_environment_brings_packages_and_ours_win() {
    let finder = include_str!("../../python/_affiant_ccf.py");
    let place = environment(&[
        ("marker.py", "FOUND = 'in the environment'\n"),
        ("affiant/__init__.py", "raise ImportError('this is the wheel')\n"),
        ("affiant/ccf/__init__.py", "raise ImportError('this is the wheel')\n"),
        ("affiant_ccf.pth", "import _affiant_ccf\n"),
        ("_affiant_ccf.py", finder),
        ("ccf/__init__.py", "raise ImportError('these are tools')\n"),
        ("ccf/ledger.py", "TOOL = 'a tool'\n"),
    ]);
    let told = run("case_packages", &[("VIRTUAL_ENV", place.path())]);
    assert_eq!(told["marker"], "in the environment");
    assert_eq!(told["tool"], "a tool");
    let executable = place.path().join("bin/python3");
    assert_eq!(told["executable"], json!(executable));
    assert_eq!(told["ccf"], "/affiant-embedded/affiant/ccf/__init__.py");
}

#[test]
#[ignore = "a case of other tests"]
fn case_packages() {
    let runtime = serve(load(&app("packages"), &options()).unwrap());
    say(&call(&runtime, "GET", "/packages", "").1);
}

#[test]
fn an_environment_of_another_version_is_refused_and_nothing_is_lost() {
    let other = tempfile::tempdir().unwrap();
    std::fs::create_dir(other.path().join("bin")).unwrap();
    std::fs::write(other.path().join("pyvenv.cfg"), "version = 3.1.4\n").unwrap();
    let told = run("case_refused_at_first", &[("VIRTUAL_ENV", other.path())]);
    let reason = told["refused"].as_str().unwrap();
    assert!(reason.contains("an environment of Python 3.1, but this program runs"), "{reason}");
    assert_eq!(told["then"], json!(true));
}

#[test]
#[ignore = "a case of other tests"]
fn case_refused_at_first() {
    let refused = load(&app("notes"), &options()).err();
    // SAFETY: nothing else runs in this process.
    unsafe { std::env::remove_var("VIRTUAL_ENV") };
    let then = load(&app("notes"), &options()).is_ok();
    say(&json!({"refused": refused, "then": then}));
}

#[test]
fn a_missing_standard_library_is_an_error_and_no_abort() {
    let nothing = tempfile::tempdir().unwrap();
    let told = run("case_refused_for_ever", &[("PYTHONHOME", nothing.path())]);
    let reason = told["first"].as_str().unwrap();
    assert!(reason.contains("could not be started"), "{reason}");
    let place = nothing.path().display();
    assert!(reason.contains(&format!("PYTHONHOME is {place}: unset it")), "{reason}");
    assert_eq!(told["first"], told["second"], "no second attempt on what is half started");
}

#[test]
fn what_python_reads_of_the_environment_counts() {
    let told = run("case_refused_for_ever", &[("PYTHONMALLOC", Path::new("none"))]);
    let reason = told["first"].as_str().unwrap();
    assert!(reason.contains("unknown allocator"), "{reason}");
    let told = run("case_where", &[("PYTHONMALLOC", Path::new("debug"))]);
    assert_eq!(told["utf8"], 1);
}

#[test]
#[ignore = "a case of other tests"]
fn case_refused_for_ever() {
    let attempt = || load(&app("notes"), &options()).err();
    say(&json!({"first": attempt(), "second": attempt()}));
}

#[test]
fn the_process_is_left_as_it_was() {
    let told = run("case_process", &[("LC_ALL", Path::new("C.UTF-8"))]);
    assert_eq!(told["after"], told["before"]);
    assert_eq!(told["before"]["locale"], "C");
}

#[test]
#[ignore = "a case of other tests"]
fn case_process() {
    let look = || {
        let disposition = |signal| {
            // SAFETY: reads only.
            unsafe {
                let mut action = std::mem::zeroed::<libc::sigaction>();
                assert_eq!(libc::sigaction(signal, std::ptr::null(), &raw mut action), 0);
                action.sa_sigaction
            }
        };
        // SAFETY: reads only; the text is terminated, and copied at once.
        let (locale, masked) = unsafe {
            let locale = libc::setlocale(libc::LC_CTYPE, std::ptr::null());
            let mut mask = std::mem::zeroed::<libc::sigset_t>();
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut mask);
            let locale = std::ffi::CStr::from_ptr(locale).to_str().unwrap().to_owned();
            (locale, libc::sigismember(&raw const mask, libc::SIGPIPE))
        };
        let signals = [libc::SIGINT, libc::SIGTERM, libc::SIGPIPE, libc::SIGXFSZ].map(disposition);
        json!({"locale": locale, "masked": masked, "signals": signals})
    };
    // SAFETY: as a program in C begins, which this one then is not.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let before = look();
    let runtime = serve(load(&app("notes"), &options()).unwrap());
    assert_eq!(call(&runtime, "POST", "/count", "").0, 200);
    let after = look();
    runtime.stop().unwrap();
    say(&json!({"before": before, "after": after}));
}

#[test]
fn a_host_may_have_an_interpreter_of_its_own() {
    let told = run("case_own_interpreter", &[]);
    assert_eq!(told["answer"], json!([200, {"all": 1}]));
    assert_eq!(told["held"], json!(1), "the GIL that the host held is taken back");
}

#[test]
#[ignore = "a case of other tests"]
fn case_own_interpreter() {
    unsafe extern "C" {
        fn PyGILState_Check() -> std::ffi::c_int;
    }
    // SAFETY: the first use of Python in this process; this thread keeps the GIL, as simple hosts do.
    unsafe { pyo3::ffi::Py_InitializeEx(0) };
    let runtime = serve(load(&app("notes"), &options()).unwrap());
    let answer = affiant_python_host::without_gil(|| call(&runtime, "POST", "/count", ""));
    // SAFETY: the interpreter runs.
    let held = unsafe { PyGILState_Check() };
    affiant_python_host::without_gil(|| runtime.stop().unwrap());
    say(&json!({"answer": answer, "held": held}));
}

#[test]
fn a_host_that_has_the_wheel_loaded_is_told_so() {
    let place = environment(&[("affiant/__init__.py", "")]);
    let told =
        run("case_other_package", &[("VIRTUAL_ENV", place.path()), ("PYTHONPATH", place.path())]);
    let reason = told.as_str().unwrap();
    assert!(reason.contains("has imported a module 'affiant' already, from "), "{reason}");
}

#[test]
#[ignore = "a case of other tests"]
fn case_other_package() {
    let (major, minor) = linked_version();
    let place = std::env::var("VIRTUAL_ENV").unwrap();
    let packages = format!("{place}/lib/python{major}.{minor}/site-packages");
    // SAFETY: the first use of Python in this process.
    unsafe { pyo3::ffi::Py_InitializeEx(0) };
    pyo3::Python::attach(|py| {
        use pyo3::types::PyAnyMethods as _;
        py.import("sys")
            .unwrap()
            .getattr("path")
            .unwrap()
            .call_method1("insert", (0, packages))
            .unwrap();
        py.import("affiant").unwrap();
    });
    say(&json!(load(&app("notes"), &options()).err()));
}

#[test]
fn the_memory_of_objects_is_bounded_where_the_options_say_so() {
    let told = run("case_bounded", &[]);
    assert_eq!(told["unbounded"], json!([200, {"kept": 64}]));
    assert_eq!(told["bounded"][0], 500);
    assert_eq!(told["bounded"][1]["error"]["details"][0]["message"], "MemoryError");
    assert_eq!(told["after"], json!([200, {"all": 1}]));
}

#[test]
#[ignore = "a case of other tests"]
fn case_bounded() {
    let runtime = serve(load(&app("notes"), &options()).unwrap());
    let unbounded = call(&runtime, "POST", "/hoards", "");
    let bound = affiant::hosting::RuntimeOptions { max_heap_bytes: 32 << 20, ..options() };
    runtime.set_application(vec![load(&app("notes"), &bound).unwrap().frontend]).unwrap();
    let bounded = call(&runtime, "POST", "/hoards", "");
    let after = call(&runtime, "POST", "/count", "");
    say(&json!({"unbounded": unbounded, "bounded": bounded, "after": after}));
}

#[test]
fn a_fork_of_the_process_loads_nothing() {
    assert_eq!(run("case_fork", &[]), json!("refused"));
}

#[test]
#[ignore = "a case of other tests"]
fn case_fork() {
    let loaded = load(&app("notes"), &options()).unwrap();
    // SAFETY: the child looks at one error and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let refused = load(&app("notes"), &options())
            .is_err_and(|reason| reason.contains("is a fork without its threads"));
        // Neither waits for threads that are not there.
        drop(loaded);
        // SAFETY: ends the child without what its parent does at its end.
        unsafe { libc::_exit(if refused { 7 } else { 8 }) };
    }
    let mut status = 0;
    // SAFETY: waits for the child above.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status), "{status}");
    say(&json!(if libc::WEXITSTATUS(status) == 7 { "refused" } else { "loaded" }));
}

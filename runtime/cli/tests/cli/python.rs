//! Python apps and a binary without an interpreter: what is handed over, to whom, and what is said when
//! that cannot be. The interpreters here are shell scripts.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::process::Running;
use crate::support::{binary, repository, text};

/// Has the package; writes down how it was called.
const WILLING: &str = r#"#!/bin/sh
[ "$2" = -c ] && exit 0
printf '%s\n' $$ "$@" >"${0%/*}/called"
exit 7
"#;
/// Lacks it.
const LACKING: &str = "#!/bin/sh
echo 'Traceback (most recent call last):' >&2
echo \"ModuleNotFoundError: No module named 'affiant'\" >&2
exit 1
";

struct Place {
    root: TempDir,
}

struct Ended {
    id: u32,
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    /// With `app.py`, and `script` as the `python3` of the path.
    fn new(script: &str) -> Self {
        let place = Self { root: tempfile::tempdir().unwrap() };
        place.interpreter("bin/python3", script);
        place.write("app.py", "x = 1\n");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    fn interpreter(&self, name: &str, script: &str) {
        self.write(name, script);
        fs::set_permissions(self.path(name), Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &Path)]) -> Ended {
        let child = Command::new(binary())
            .args(arguments)
            .current_dir(self.root.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", text(&self.path("bin"))))
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let id = child.id();
        let output = child.wait_with_output().unwrap();
        Ended {
            id,
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs what an interpreter in `folder` is to take over, and checks that it did, in the same process.
    #[track_caller]
    fn handed_over(&self, folder: &str, arguments: &[&str], environment: &[(&str, &Path)]) {
        let ended = self.run(arguments, environment);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(7), ""), "{}", ended.stderr);
        let called = self.path(folder).join("called");
        let text = fs::read_to_string(&called).unwrap();
        let id = ended.id.to_string();
        let wanted = [&[id.as_str(), "-I", "-m", "affiant"], arguments].concat();
        assert_eq!(text.lines().collect::<Vec<_>>(), wanted);
        fs::remove_file(called).unwrap();
    }

    fn configuration(&self, affiant: &serde_json::Value) {
        let configuration = json!({
            "network": {
                "node_to_node_interface": {"bind_address": "127.0.0.1:0"},
                "rpc_interfaces": {"main": {"bind_address": "127.0.0.1:0"}},
            },
            "command": {"type": "Start", "service_certificate_file": "service.pem",
                "start": {"members": []}},
            "output_files": {"node_certificate_file": "node.pem", "pid_file": "node.pid"},
            "affiant": affiant,
        });
        self.write("node.json", &configuration.to_string());
    }
}

#[test]
fn a_python_app_is_handed_over_with_the_same_arguments() {
    let place = Place::new(WILLING);
    place.write("project/pyproject.toml", "[tool.affiant]\napp = 'orders.py'\n");
    for app in ["app.py", "app.py:api", ".", "project"] {
        place.handed_over("bin", &["sandbox", "--app", app, "--watch", "--workspace", "a b"], &[]);
    }
    let endpoint = json!({"endpoints": {"/x": {"get": {"py_module": "a.py"}}}});
    let bundle = json!({"metadata": endpoint, "modules": []});
    let proposal = json!({"actions": [{"name": "set_js_app", "args": {"bundle": bundle}}]});
    place.write("set_app.json", &proposal.to_string());
    place.handed_over("bin", &["sandbox", "--app", "set_app.json"], &[]);
    place.handed_over("bin", &["sandbox", "--apply", "set_app.json"], &[]);
    place.handed_over(
        "bin",
        &["bundle", ".", "--output", "x.tar", "--python-version", "3.11"],
        &[],
    );
    assert!(!place.path("workspace").exists(), "nothing is made before");
}

#[test]
fn a_node_hands_over_what_its_configuration_names() {
    let place = Place::new(WILLING);
    place.interpreter("env/bin/python3", WILLING);
    place.configuration(&json!({}));
    let node = ["node", "--config", "node.json"];
    place.handed_over("bin", &[&node[..], &["--app", "app.py", "--check"]].concat(), &[]);
    // As launchers call it.
    place.handed_over("bin", &["--config", "node.json", "--app", "app.py"], &[]);
    place.configuration(&json!({"app_directory": "app.py", "python": "env/bin/python3"}));
    place.handed_over("env/bin", &node, &[]);
    // The app is in the tables: who names an interpreter expects one for it.
    place.configuration(&json!({"python": "env/bin/python3"}));
    place.handed_over("env/bin", &[&node[..], &["--resume"]].concat(), &[]);
    place.configuration(&json!({}));
    let named = text(&place.path("env/bin/python3")).to_owned();
    place.handed_over("env/bin", &[&node[..], &["--resume", "--python", &named]].concat(), &[]);
    assert!(!place.path("node.pid").exists() && !place.path("ledger").exists());
}

#[test]
fn the_interpreter_is_the_one_named_or_that_of_the_environment() {
    let place = Place::new(LACKING);
    place.interpreter("env/bin/python3", WILLING);
    place.interpreter("other/python3.12", WILLING);
    let environment = place.path("env");
    let active = [("VIRTUAL_ENV", environment.as_path())];
    place.handed_over("env/bin", &["sandbox", "--app", "app.py"], &active);
    let named = ["sandbox", "--app", "app.py", "--python", "other/python3.12"];
    place.handed_over("other", &named, &active);
}

#[test]
fn what_the_interpreter_lacks_is_said() {
    let place = Place::new(LACKING);
    let ended = place.run(&["sandbox", "--app", "app.py:api"], &[]);
    let python = text(&place.path("bin/python3")).to_owned();
    assert_eq!(ended.code, Some(1));
    for needle in [
        "app.py:api is Python",
        &format!("{python} cannot run it: ModuleNotFoundError: No module named 'affiant'"),
        &format!("{python} -m pip install affiant"),
        "--python PATH",
    ] {
        assert!(ended.stderr.contains(needle), "{needle}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("Traceback"), "{}", ended.stderr);
    assert!(!place.path("workspace").exists());

    place.configuration(&json!({}));
    let node = ["node", "--config", "node.json", "--app", "app.py"];
    let ended = place.run(&node, &[]);
    assert_eq!((ended.code, ended.stderr.contains("pip install affiant")), (Some(105), true));
    assert!(ended.stdout.contains("[fatal] [node]"), "{}", ended.stdout);
    let ended = place.run(&["bundle", "."], &[]);
    assert_eq!((ended.code, ended.stderr.contains("pip install affiant")), (Some(1), true));

    let ended = place.run(&["sandbox", "--app", "app.py", "--python", "bin/python4"], &[]);
    assert!(
        ended.stderr.contains("bin/python4 cannot be started: No such file"),
        "{}",
        ended.stderr
    );
    let ended = place.run(&["sandbox", "--app", "gone.py:api"], &[]);
    assert!(ended.stderr.contains("gone.py: no such file or directory"), "{}", ended.stderr);
    place.interpreter("bin/python3", "#!/bin/sh\nexit 3\n");
    let ended = place.run(&["sandbox", "--app", "app.py"], &[]);
    assert!(ended.stderr.contains("cannot run it: exit status: 3"), "{}", ended.stderr);
}

/// A module of the same name that calls the binary again.
#[test]
fn nothing_goes_round_in_circles() {
    let script = "#!/bin/sh\n[ \"$2\" = -c ] && exit 0\nshift 3\nexec \"$BINARY\" \"$@\"\n";
    let place = Place::new(script);
    let ended = place.run(&["sandbox", "--app", "app.py"], &[("BINARY", binary())]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("another module named affiant"), "{}", ended.stderr);
}

#[test]
fn a_sandbox_knows_whose_app_it_resumes() {
    let place = Place::new(WILLING);
    let app = repository().join("examples/logging");
    let arguments = ["sandbox", "--app", text(&app), "--node", "local://127.0.0.1:0"];
    let mut sandbox = Running::start(place.root.path(), &arguments);
    sandbox.line("Press Ctrl+C");
    sandbox.stop();
    let note = place.path("workspace/sandbox_0/0.language");
    assert_eq!(fs::read_to_string(&note).unwrap(), "javascript\n");
    // As an interpreter would have left it.
    fs::write(&note, "python\n").unwrap();
    place.handed_over("bin", &["sandbox", "--resume"], &[]);
    place.interpreter("bin/python3", LACKING);
    let ended = place.run(&["sandbox", "--resume"], &[]);
    assert!(ended.stderr.contains("the service's app is Python"), "{}", ended.stderr);
}

//! `affiant new`: what it makes, and what it leaves alone. That the projects install, check, test, build
//! and serve is `make examples-js`'s to show.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{affiant, text};

fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(text(path.strip_prefix(directory).unwrap()).to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn projects_are_made_whole() {
    let root = tempfile::tempdir().unwrap();
    let js = [
        ".gitignore",
        "README.md",
        "app.json",
        "ccf.d.ts",
        "package.json",
        "src/notes.js",
        "test/notes.test.js",
        "tsconfig.json",
    ];
    let ts = [
        ".gitignore",
        "README.md",
        "app.json",
        "package.json",
        "src/app.ts",
        "test/app.test.ts",
        "tsconfig.json",
    ];
    for (kind, expected) in [("js", &js[..]), ("ts", &ts[..])] {
        let directory = root.path().join("deep").join(format!("My {kind}"));
        let made = affiant(&["new", kind, text(&directory)]).expect(0);
        assert_eq!(files(&directory), expected);
        for command in [&format!("cd {}", text(&directory)), "npm install", "npm start"] {
            assert!(made.stdout.contains(command), "{}", made.stdout);
        }
        let package = fs::read_to_string(directory.join("package.json")).unwrap();
        let package: serde_json::Value = serde_json::from_str(&package).unwrap();
        assert_eq!(package["name"], format!("my-{kind}"));
        let readme = fs::read_to_string(directory.join("README.md")).unwrap();
        assert!(readme.starts_with(&format!("# my-{kind}\n")), "{readme}");
    }
}

#[test]
fn a_python_project_is_made_whole() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("My Notes!");
    let made = affiant(&["new", "python", text(&directory)]).expect(0);
    let wanted = [".gitignore", "README.md", "app.py", "pyproject.toml", "tests/test_app.py"];
    assert_eq!(files(&directory), wanted);
    for command in ["pip install affiant pytest", "pytest", "affiant sandbox --app . --watch"] {
        assert!(made.stdout.contains(&format!("  {command}\n")), "{}", made.stdout);
    }
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    let project = read("pyproject.toml");
    assert!(project.contains("name = \"my-notes\"\n") && !project.contains("{{"), "{project}");
    assert!(read("README.md").starts_with("# my-notes\n"));
    for source in ["app.py", "tests/test_app.py"] {
        let check = "import ast, sys; ast.parse(open(sys.argv[1]).read())";
        let mut python = Command::new("python3");
        python.args(["-I", "-c", check]).arg(directory.join(source));
        assert!(python.status().unwrap().success(), "{source}");
    }
}

#[test]
fn what_is_there_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    fs::create_dir_all(at("full")).unwrap();
    fs::write(at("full/precious.txt"), "mine").unwrap();
    let refused = affiant(&["new", "ts", text(&at("full"))]).expect(1).stderr;
    assert!(refused.contains("is not empty: it holds precious.txt"), "{refused}");
    assert_eq!(files(&at("full")), ["precious.txt"]);
    let refused = affiant(&["new", "ts", text(&at("full/precious.txt"))]).expect(1).stderr;
    assert!(refused.contains("Name a new directory"), "{refused}");
    assert_eq!(fs::read_to_string(at("full/precious.txt")).unwrap(), "mine");

    fs::create_dir_all(at("repository/.git")).unwrap();
    affiant(&["new", "js", text(&at("repository"))]).expect(0);
    affiant(&["new", "js", text(&at("repository"))]).expect(1);
    affiant(&["new", "cobol", text(&at("x"))]).expect(2);
    assert!(!at("x").exists());
}

//! Whether a command is one fixed thing or opens the door to any.

use super::findings::{Findings, show};

/// Read commands from their input where they are given no program.
const INTERPRETERS: &[&str] = &[
    "sh",
    "bash",
    "rbash",
    "ash",
    "dash",
    "zsh",
    "ksh",
    "mksh",
    "csh",
    "tcsh",
    "fish",
    "pwsh",
    "python",
    "pypy",
    "perl",
    "ruby",
    "node",
    "nodejs",
    "deno",
    "bun",
    "lua",
    "php",
    "irb",
    "tclsh",
    "gdb",
    "lldb",
    "cmd.exe",
    "powershell.exe",
];

/// Start a shell, or move to another user, root or namespace.
const SWITCHES: &[&str] =
    &["su", "login", "nsenter", "chroot", "unshare", "setpriv", "script", "expect"];

/// Start what follows them.
const WRAPPERS: &[&str] = &[
    "env",
    "nice",
    "nohup",
    "setsid",
    "timeout",
    "sudo",
    "doas",
    "busybox",
    "toybox",
    "exec",
    "stdbuf",
    "tini",
    "dumb-init",
    "time",
    "strace",
    "ltrace",
    "catchsegv",
];

/// Judges a command that may be started in a container that runs.
pub(super) fn judge(command: &[String], line: usize, findings: &mut Findings) {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let shown = show(&words.join(" "));
    if is_shell(&words) {
        let explanation = format!(
            "{shown} may be started in it: who controls the host has a shell there and runs anything"
        );
        findings.add("exec", line, &explanation);
    } else {
        let explanation = format!(
            "{shown} may be started in it: the host runs this one command when and as often as it likes"
        );
        findings.add("probe", line, &explanation);
    }
}

/// Whether a command is a shell, an interpreter without a program, or a way to one.
pub(super) fn is_shell(command: &[&str]) -> bool {
    is_shell_within(command, true)
}

fn is_shell_within(command: &[&str], inline: bool) -> bool {
    let Some((program, arguments)) = command.split_first() else { return false };
    let program = base_name(program);
    if SWITCHES.contains(&program) {
        return true;
    }
    if WRAPPERS.contains(&program) {
        let wrapped = arguments.iter().position(|one| is_known(base_name(one)));
        let bare = arguments.iter().all(|one| one.starts_with('-'));
        return match wrapped.and_then(|at| arguments.get(at..)) {
            Some(rest) => is_shell_within(rest, inline),
            // `sudo -i`, `busybox` alone.
            None => bare,
        };
    }
    if !is_interpreter(program) {
        return false;
    }
    let fixed = arguments.iter().position(|one| !one.starts_with('-') && !one.starts_with('+'));
    let Some(fixed) = fixed.and_then(|at| arguments.get(at..)) else { return true };
    // `sh -c bash`
    let inner: Vec<&str> = fixed.first().map_or(Vec::new(), |one| one.split_whitespace().collect());
    inline && arguments.iter().any(|one| is_inline_flag(one)) && is_shell_within(&inner, false)
}

fn is_inline_flag(argument: &str) -> bool {
    argument.starts_with('-') && !argument.starts_with("--") && argument.contains('c')
}

fn is_known(name: &str) -> bool {
    is_interpreter(name) || SWITCHES.contains(&name) || WRAPPERS.contains(&name)
}

/// `python3.12` is `python`.
fn is_interpreter(name: &str) -> bool {
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    INTERPRETERS.contains(&name) || INTERPRETERS.contains(&bare)
}

fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells() {
        let shells: &[&[&str]] = &[
            &["sh"],
            &["/bin/bash", "-i"],
            &["/usr/bin/python3.12"],
            &["bash", "-l", "-s"],
            &["sh", "-c", "bash"],
            &["sh", "-c", "exec /bin/ash -i"],
            &["env", "-i", "A=b", "/bin/sh"],
            &["busybox", "ash"],
            &["sudo", "-i"],
            &["nsenter", "-t", "1", "-m"],
            &["chroot", "/x", "ls"],
            &["timeout", "5", "node"],
        ];
        for command in shells {
            assert!(is_shell(command), "{command:?}");
        }
    }

    #[test]
    fn fixed_commands() {
        let fixed: &[&[&str]] = &[
            &[],
            &["cat", "/tmp/healthy"],
            &["/bin/sh", "-c", "curl -f http://localhost/ || exit 1"],
            &["bash", "/app/probe.sh"],
            &["python3", "-m", "probe"],
            &["python3", "-c", "import probe"],
            &["env", "A=b", "/app/probe"],
            &["timeout", "5", "/app/probe"],
            &["node", "probe.js"],
            &["shutdown"],
        ];
        for command in fixed {
            assert!(!is_shell(command), "{command:?}");
        }
    }
}

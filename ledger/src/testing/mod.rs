//! What tests of this crate and of others need: a database of their own, an authority that stamps time.
#![allow(clippy::unwrap_used, reason = "it is test code")]

pub mod authority;
#[cfg(test)]
pub mod cutter;
pub mod postgres;

use std::fs::File;
use std::process::{Command, Output};

/// Installs a package of Debian's; one test at a time.
fn install(package: &str, is_there: impl Fn() -> bool) {
    let lock = File::create(std::env::temp_dir().join("idledger-install.lock")).unwrap();
    lock.lock().unwrap();
    if is_there() {
        return;
    }
    for step in [
        &["update", "-q"][..],
        &["install", "-q", "-y", "--no-install-recommends", package][..],
    ] {
        let mut apt = Command::new("apt-get");
        good(apt.env("DEBIAN_FRONTEND", "noninteractive").args(step));
    }
}

/// Runs a command that must succeed. Its output goes to files, since a server inherits it.
fn good(command: &mut Command) -> Output {
    let (mut out, mut err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    command.stdout(out.try_clone().unwrap());
    command.stderr(err.try_clone().unwrap());
    let status = command.status().unwrap();
    let read = |file: &mut File| {
        use std::io::{Read as _, Seek as _};
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    };
    let (stdout, stderr) = (read(&mut out), read(&mut err));
    assert!(
        status.success(),
        "{command:?}: {status}\n{}{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    );
    Output {
        status,
        stdout,
        stderr,
    }
}

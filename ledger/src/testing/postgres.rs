//! A PostgreSQL server of a test's own, from Debian's package, reached through a socket in its
//! directory. Ends with the value.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "it is test code"
)]

use super::{good, install};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whom the server runs as where the test is run by root, which PostgreSQL refuses.
const UNPRIVILEGED: &str = "postgres";

/// A running server with one empty database, `idledger`.
pub struct Postgres {
    directory: tempfile::TempDir,
    programs: PathBuf,
}

impl Postgres {
    /// Makes a server and starts it. Installs the package if it is not there.
    pub fn start() -> Self {
        let programs = programs().unwrap_or_else(|| {
            install("postgresql", || programs().is_some());
            programs().expect("Debian's package `postgresql` brings `pg_ctl`")
        });
        let open = fs::Permissions::from_mode(0o711);
        let directory = tempfile::Builder::new()
            .permissions(open)
            .tempdir()
            .unwrap();
        let server = Self {
            directory,
            programs,
        };
        let home = server.home();
        let mut make = Command::new("install");
        if is_root() {
            make.args(["-o", UNPRIVILEGED, "-g", UNPRIVILEGED]);
        }
        good(make.args(["-d", "-m", "711"]).arg(&home));
        good(
            server
                .program("initdb")
                .args(["-U", "idledger", "--auth=trust", "--no-sync", "-D"])
                .arg(home.join("data")),
        );
        server.restart();
        let make = "CREATE DATABASE idledger";
        let mut psql = server.program("psql");
        psql.args(["-U", "idledger", "-d", "postgres", "-c", make, "-h"]);
        good(psql.arg(&home));
        server
    }

    /// Starts it (again).
    pub fn restart(&self) {
        self.restart_with("");
    }

    /// Starts it (again) with settings like `-c fsync=off`.
    pub fn restart_with(&self, settings: &str) {
        let home = self.home();
        let settings = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c max_connections=60 {settings}",
            home.display()
        );
        let mut start = self.program("pg_ctl");
        start.args(["start", "-w", "-t", "120", "-o", &settings]);
        start.arg("-D").arg(home.join("data"));
        good(start.arg("-l").arg(home.join("log")));
    }

    /// Ends it at once, as a crash would: nothing is written out first.
    pub fn crash(&self) {
        let mut stop = self.program("pg_ctl");
        stop.args(["stop", "-w", "-m", "immediate", "-D"]);
        good(stop.arg(self.home().join("data")));
    }

    /// Puts a file beside its data that only the server may read.
    pub fn put(&self, name: &str, text: &str) -> PathBuf {
        let (from, to) = (self.directory.path().join(name), self.home().join(name));
        fs::write(&from, text).unwrap();
        let mut install = Command::new("install");
        if is_root() {
            install.args(["-o", UNPRIVILEGED, "-g", UNPRIVILEGED]);
        }
        good(install.args(["-m", "600"]).args([&from, &to]));
        to
    }

    /// Where its socket is.
    pub fn home(&self) -> PathBuf {
        self.directory.path().join("postgres")
    }

    /// Its address.
    pub fn address(&self) -> String {
        address_at(&self.home())
    }

    /// Runs a statement and gives its output.
    pub fn query(&self, statement: &str) -> String {
        let mut psql = self.program("psql");
        psql.args([
            "-At", "-U", "idledger", "-d", "idledger", "-c", statement, "-h",
        ]);
        let output = good(psql.arg(self.home()));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// One of its programs, run as who owns the server.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            let (user, group) = (UNPRIVILEGED, UNPRIVILEGED);
            command.args(["--reuid", user, "--regid", group, "--clear-groups"]);
            command.arg(path);
            command
        } else {
            Command::new(path)
        };
        command
            .current_dir("/")
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        stop.args(["stop", "-w", "-m", "immediate", "-D"]);
        // It may have been ended already.
        let _ = stop.arg(self.home().join("data")).output();
    }
}

/// The address of a server whose socket is in a directory.
pub fn address_at(directory: &Path) -> String {
    let host = directory.display().to_string().replace('/', "%2F");
    format!("postgres://idledger@{host}/idledger")
}

fn programs() -> Option<PathBuf> {
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|programs| programs.join("pg_ctl").exists())
        .collect();
    versions.sort();
    versions.pop()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

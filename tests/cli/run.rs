//! Running the program: an environment of its own, one directory a test.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A place for one test: data, state, home.
pub struct Place {
    root: tempfile::TempDir,
}

/// What a run came to.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The ledger most commands work on.
    pub fn ledger(&self) -> PathBuf {
        self.path("ledger")
    }

    /// The program with nothing of the caller's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_idledger"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.root.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("LEDGER_DIR", self.ledger())
            .current_dir(self.root.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Runs it; it must end well.
    pub fn good(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}\n{}{}", ran.stdout, ran.stderr);
        ran
    }

    /// A ledger with some people in it.
    pub fn with_people(people: u32) -> Self {
        let place = Self::new();
        place.good(&["demo", "--once", "--people", &people.to_string(), "--quiet"]);
        place
    }

    /// A server on a free port.
    pub fn serve(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(arguments);
        for (name, value) in environment {
            command.env(name, value);
        }
        listening(command)
    }

    /// A witness on a free port, or where `listen` says.
    pub fn witness(&self, listen: &str, arguments: &[&str]) -> Server {
        let mut command = self.command(&["witness", "--listen", listen]);
        command.args(arguments);
        listening(command)
    }
}

/// Starts something that listens, and waits until it does.
fn listening(mut command: Command) -> Server {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut log = String::new();
    let address = loop {
        let mut line = String::new();
        assert!(
            stderr.read_line(&mut line).unwrap() > 0,
            "the server ended: {log}"
        );
        log.push_str(&line);
        if let Some((_, rest)) = line.split_once("listening on http://") {
            break rest.split_whitespace().next().unwrap().to_owned();
        }
    };
    let rest = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    Server {
        child,
        address,
        log,
        rest: Some(rest),
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one JSON document on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// One JSON object a line.
    pub fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Exit code, stdout and stderr as one text, with paths taken out.
    pub fn shown(&self, place: &Place) -> String {
        let root = place.root.path().display().to_string();
        format!(
            "exit {}\n--- stdout\n{}--- stderr\n{}",
            self.code,
            self.stdout.replace(&root, "[DIR]"),
            self.stderr.replace(&root, "[DIR]")
        )
    }
}

/// A server at work. Killed when dropped.
pub struct Server {
    child: Child,
    address: String,
    log: String,
    rest: Option<std::thread::JoinHandle<String>>,
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Status and body of a request with these headers.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        body: &str,
        headers: &[(String, String)],
    ) -> (u16, String) {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{request}\r\n{body}").unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// A response with its head.
    pub fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }

    /// Kill -9: nothing is finished or written.
    pub fn kill(&self) {
        let id = self.child.id().to_string();
        // It may have ended before.
        let _ = Command::new("kill").args(["-9", &id]).output();
    }

    /// Asks it to end (a termination signal); exit code and everything it logged.
    pub fn end(mut self) -> (i32, String) {
        let killed = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(killed.success());
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let rest = self.rest.take().unwrap().join().unwrap();
        (code, format!("{}{rest}", self.log))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last segment file of a ledger.
pub fn last_segment(ledger: &Path) -> PathBuf {
    let mut segments: Vec<PathBuf> = std::fs::read_dir(ledger.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .collect();
    segments.sort();
    segments.pop().unwrap()
}

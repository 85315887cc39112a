//! A time-stamping authority of a test's own: `openssl ts`, with certificates made on the spot.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "it is test code"
)]

use super::{good, install};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What kind of authority.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// RSA of 2048 bits instead of ECDSA on P-256.
    pub rsa: bool,
    /// With an authority between the listed one and the signer.
    pub between: bool,
    /// The hash that names the signer's certificate.
    pub names_by: &'static str,
    /// The last day of the signer's certificate, `YYMMDDHHMMSSZ`.
    pub until: &'static str,
    /// The signer's extensions.
    pub signer: &'static str,
    /// Whether the signer's certificate comes along when asked for.
    pub chain: bool,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            rsa: false,
            between: false,
            names_by: "sha256",
            until: "400101000000Z",
            signer: "keyUsage = critical, digitalSignature\nextendedKeyUsage = critical, timeStamping",
            chain: true,
        }
    }
}

/// An authority.
pub struct Authority {
    directory: tempfile::TempDir,
}

const CONFIG: &str = "\
[ca]
default_ca = own
[own]
dir = .
database = index
serial = number
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[between]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[signer]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
@SIGNER@
[tsa]
default_tsa = stamp
[stamp]
dir = .
serial = stamps
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 3
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = @NAMES@
";

impl Authority {
    /// Makes one. Installs `openssl` if it is not there.
    pub fn new(recipe: Recipe) -> Self {
        let is_there = || Command::new("openssl").arg("version").output().is_ok();
        if !is_there() {
            install("openssl", is_there);
        }
        let authority = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let config = CONFIG
            .replace("@SIGNER@", recipe.signer)
            .replace("@NAMES@", recipe.names_by);
        authority.put("config", &config);
        authority.put("index", "");
        authority.put("number", "1000");
        authority.put("stamps", "0A01");
        let key: &[&str] = if recipe.rsa {
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
        } else {
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        };
        for name in ["root", "between", "signer"] {
            let file = format!("{name}.key");
            authority.openssl(&[&["genpkey", "-out", &file], key].concat());
            let (subject, request) = (format!("/CN=Test {name}"), format!("{name}.csr"));
            authority.openssl(&[
                "req", "-new", "-key", &file, "-subj", &subject, "-out", &request,
            ]);
        }
        authority.issue("root", "root", "400101000000Z", true);
        authority.issue("between", "root", "400101000000Z", false);
        let issuer = if recipe.between { "between" } else { "root" };
        authority.issue("signer", issuer, recipe.until, false);
        let chain = if recipe.between {
            authority.get("between.pem")
        } else {
            String::new()
        };
        authority.put("chain.pem", &(authority.get("signer.pem") + &chain));
        if !recipe.chain {
            authority.put("chain.pem", &authority.get("root.pem"));
        }
        authority
    }

    fn issue(&self, name: &str, issuer: &str, until: &str, own: bool) {
        let (request, out) = (format!("{name}.csr"), format!("{name}.pem"));
        let (key, certificate) = (format!("{issuer}.key"), format!("{issuer}.pem"));
        let mut parts = vec![
            "ca",
            "-batch",
            "-config",
            "config",
            "-extensions",
            name,
            "-startdate",
            "200101000000Z",
            "-enddate",
            until,
            "-notext",
            "-in",
            &request,
            "-out",
            &out,
            "-keyfile",
            &key,
        ];
        if own {
            parts.push("-selfsign");
        } else {
            parts.extend(["-cert", &certificate]);
        }
        self.openssl(&parts);
    }

    /// Its answer to a question.
    pub fn answer(&self, query: &[u8]) -> Vec<u8> {
        let at = |suffix: &str| {
            let digest = blake3::hash(query).to_hex();
            self.path(&format!("{}.{suffix}", &digest.as_str()[..16]))
        };
        fs::write(at("tsq"), query).unwrap();
        let (question, answer) = (at("tsq"), at("tsr"));
        self.openssl(&[
            "ts",
            "-reply",
            "-config",
            "config",
            "-queryfile",
            question.to_str().unwrap(),
            "-inkey",
            "signer.key",
            "-signer",
            "signer.pem",
            "-chain",
            "chain.pem",
            "-out",
            answer.to_str().unwrap(),
        ]);
        fs::read(answer).unwrap()
    }

    /// Whether openssl itself takes an answer for a time-stamp of some bytes.
    pub fn is_taken(&self, data: &[u8], answer: &[u8]) -> bool {
        fs::write(self.path("data"), data).unwrap();
        fs::write(self.path("answer"), answer).unwrap();
        let parts = [
            "ts", "-verify", "-data", "data", "-in", "answer", "-CAfile", "root.pem",
        ];
        self.command(&parts).output().unwrap().status.success()
    }

    /// What openssl reads in a question.
    pub fn shown(&self, query: &[u8]) -> String {
        fs::write(self.path("query"), query).unwrap();
        let output = self
            .command(&["ts", "-query", "-in", "query", "-text"])
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }

    /// The list that trusts it, PEM.
    pub fn list(&self) -> String {
        self.get("root.pem")
    }

    /// One of its certificates (`root`, `between`, `signer`), DER.
    pub fn certificate(&self, name: &str) -> Vec<u8> {
        let (from, to) = (format!("{name}.pem"), format!("{name}.der"));
        self.openssl(&["x509", "-in", &from, "-outform", "DER", "-out", &to]);
        fs::read(self.path(&to)).unwrap()
    }

    fn openssl(&self, parts: &[&str]) {
        good(&mut self.command(parts));
    }

    fn command(&self, parts: &[&str]) -> Command {
        let mut command = Command::new("openssl");
        command.current_dir(self.directory.path()).args(parts);
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn get(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

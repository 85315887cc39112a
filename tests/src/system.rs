//! What tests need of the system and install themselves where it is missing.

use std::process::Command;

/// Installs packages of the system (Debian's).
///
/// # Panics
/// If they cannot be installed: the test cannot say anything then.
pub fn install(packages: &[&str]) {
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        let output = apt.output();
        let output = output.unwrap_or_else(|error| panic!("{packages:?} are needed: {error}"));
        assert!(
            output.status.success(),
            "{packages:?} are needed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    apt(&["update", "-q"]);
    apt(&[
        &["install", "-q", "-y", "--no-install-recommends"],
        packages,
    ]
    .concat());
}

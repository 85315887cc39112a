//! What goes wrong, and the code, message and hint it gets.

use crate::run::Place;
use std::fs;
use std::process::Stdio;

#[test]
fn without_a_ledger_every_command_says_so() {
    let place = Place::new();
    for arguments in [
        &["log"][..],
        &["show", "0"],
        &["account", "00000000000000000000000000000001"],
        &["entitlements", "00000000000000000000000000000001"],
        &["stats"],
        &["verify"],
        &["replay"],
        &["projections", "digest"],
        &["export"],
        &["keys", "list"],
        &["keys", "token"],
        &["serve"],
    ] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, 10, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
        assert!(ran.stderr.contains("\nhint: "), "{}", ran.stderr);
        assert!(ran.stdout.is_empty() && !place.ledger().exists());
    }
    insta::assert_snapshot!(place.run(&["log"]).shown(&place));
}

#[test]
fn a_ledger_is_not_made_twice() {
    let place = Place::new();
    place.good(&["init"]);
    insta::assert_snapshot!(place.run(&["init"]).shown(&place));
}

#[test]
fn wrong_and_missing_keys_have_their_own_code() {
    let place = Place::new();
    place.good(&["init"]);
    let (kek, kept) = (place.ledger().join("secrets/kek"), place.path("kept"));
    fs::rename(&kek, &kept).unwrap();
    let missing = place.run(&["keys", "token"]);
    assert_eq!(missing.code, 12, "{}", missing.stderr);
    let other = place.path("other");
    fs::write(&other, "11".repeat(32)).unwrap();
    let open = place.run(&["keys", "token", "--kek-file", other.to_str().unwrap()]);
    assert_eq!(open.code, 12, "open to others: {}", open.stderr);
    assert!(open.stderr.contains("chmod 600"), "{}", open.stderr);
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&other, permissions).unwrap();
    let wrong = place.run(&["keys", "token", "--kek-file", other.to_str().unwrap()]);
    assert_eq!(wrong.code, 12, "{}", wrong.stderr);
    insta::assert_snapshot!(wrong.shown(&place));
    // Nothing but reading needs no key at all, and the right key still opens it.
    place.good(&["verify"]);
    place.good(&["keys", "token", "--kek-file", kept.to_str().unwrap()]);
}

#[test]
fn a_second_writer_is_kept_out_and_readers_are_not() {
    let place = Place::new();
    place.good(&["init"]);
    let server = place.serve(&[], &[]);
    let second = place.run(&["keys", "token"]);
    assert_eq!(second.code, 11, "{}", second.stderr);
    insta::assert_snapshot!(second.shown(&place));
    place.good(&["verify"]);
    place.good(&["log"]);
    place.good(&["show", "0"]);
    place.good(&["keys", "list"]);
    let (code, log) = server.end();
    assert_eq!(code, 0, "{log}");
    place.good(&["keys", "token"]);
}

#[test]
fn a_newer_format_and_a_half_made_directory_are_left_alone() {
    let place = Place::new();
    place.good(&["init"]);
    let meta = place.ledger().join("ledger.json");
    let text = fs::read_to_string(&meta).unwrap();
    fs::write(&meta, text.replace("\"format\": 1", "\"format\": 99")).unwrap();
    insta::assert_snapshot!("newer_format", place.run(&["keys", "token"]).shown(&place));
    fs::remove_file(&meta).unwrap();
    insta::assert_snapshot!("half_made", place.run(&["keys", "token"]).shown(&place));
    // Making it again finishes it.
    place.good(&["init"]);
    place.good(&["keys", "token"]);
}

#[test]
fn a_disk_without_room_is_an_error_and_not_a_panic() {
    let place = Place::new();
    // Files may not grow beyond 4 MB; the segment file needs 64.
    let script = "ulimit -f 8192; trap '' XFSZ; exec \"$0\" init";
    let output = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_idledger")])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", place.path("."))
        .env("LEDGER_DIR", place.ledger())
        .output()
        .unwrap();
    let ran = crate::run::Ran::of(output);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.starts_with("error: ") && !ran.stderr.contains("panicked"),
        "{}",
        ran.stderr
    );
    // With room again, making it is finished.
    place.good(&["init"]);
    place.good(&["verify"]);
}

#[test]
fn usage_errors_are_code_2_and_a_closed_pipe_is_no_error() {
    let place = Place::new();
    assert_eq!(place.run(&["log", "--kind", "Nonsense"]).code, 2);
    assert_eq!(place.run(&["verify", "--subset", "9/7"]).code, 2);
    assert_eq!(place.run(&["stats", "--as-of", "2024-02-30"]).code, 2);
    assert_eq!(place.run(&["nonsense"]).code, 2);
    place.good(&["init"]);
    let mut command = place.command(&["log"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

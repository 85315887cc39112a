//! `idledger import` of accounts: the day of letter S004 after an import, after a policy change, and after
//! replay elsewhere; every line's fault; once and only once.

use crate::run::{Place, Ran};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The letter's figures, a hundredth: 2,156 accounts, 183 at level 1, 1,973 at level 2, 1,996 activated.
const LETTER: [i64; 4] = [2156, 183, 1973, 1996];
/// Lines of accounts that were issued after the day.
const LATER: usize = 5;
const HEADER: &str = "personal_id,phone,level,issued_at,activated_at,area,site,source\n";

fn line(at: usize, level: u8, issued: &str, activated: &str) -> String {
    format!(
        "0300{at:08},091{at:07},{level},{issued},{activated},30288,7,\"sổ cấp tài khoản, tờ {}\"\n",
        at / 50
    )
}

/// A file shaped like the letter's totals.
fn letter() -> String {
    let mut text = HEADER.to_owned();
    let [accounts, level_1, _, activated] = LETTER.map(|figure| usize::try_from(figure).unwrap());
    for at in 0..accounts {
        let level = if at < level_1 { 1 } else { 2 };
        let (month, day) = (1 + at % 12, 1 + at % 28);
        let issued = format!("2023-{month:02}-{day:02}");
        let activated = if at < accounts - activated {
            String::new()
        } else {
            format!("2023-{month:02}-{day:02}T16:30:00+07:00")
        };
        text.push_str(&line(at, level, &issued, &activated));
    }
    for at in 0..LATER {
        let at = accounts + at;
        text.push_str(&line(at, 2, "2024-03-06", "2024-03-07"));
    }
    text
}

/// Somebody enrolled: the file of their key.
fn enrolled(place: &Place, role: &str, name: &str) -> String {
    let file = place.path(name).to_str().unwrap().to_owned();
    let made = place.good(&["keys", "generate", "--out", &file, "--format", "json"]);
    let key = made.json()["public_key"].as_str().unwrap().to_owned();
    place.good(&["keys", "enrol", "--role", role, "--public-key", &key]);
    file
}

fn totals(place: &Place, more: &[&str]) -> [i64; 4] {
    let mut arguments = vec![
        "stats",
        "--area",
        "30288",
        "--as-of",
        "2024-03-05",
        "--format",
        "jsonl",
    ];
    arguments.extend(more);
    let row = &place.good(&arguments).lines()[0];
    ["accounts", "level_1", "level_2", "activated"].map(|name| row[name].as_i64().unwrap())
}

fn import(place: &Place, file: &str, key: &str) -> Ran {
    place.run(&["import", file, "--key", key, "--format", "json"])
}

fn length(place: &Place) -> usize {
    let log = place.good(&["log", "--format", "jsonl"]);
    log.lines().len()
}

#[test]
fn the_day_of_the_letter_holds_after_import_policy_change_and_replay_elsewhere() {
    let place = Place::new();
    place.good(&["init"]);
    let importer = enrolled(&place, "importer", "importer.key");
    let (one, two) = (
        enrolled(&place, "eid_authority", "one.key"),
        enrolled(&place, "eid_authority", "two.key"),
    );
    let file = place.path("past.csv");
    std::fs::write(&file, letter()).unwrap();
    let file = file.to_str().unwrap();
    let all = 2156 + LATER as u64;
    let before = length(&place);
    let checked = place
        .good(&["import", file, "--check", "--format", "json"])
        .json();
    assert_eq!(
        (
            &checked["importable"],
            &checked["imported"],
            &checked["refused"]
        ),
        (&all.into(), &0.into(), &0.into())
    );
    assert_eq!(length(&place), before, "a check writes nothing");
    let ran = import(&place, file, &importer);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.json()["imported"], all);
    assert_eq!(totals(&place, &[]), LETTER);
    // The same file again adds nothing and says so; so does the rest of one that was cut short.
    let after = length(&place);
    let again = import(&place, file, &importer);
    assert_eq!(again.code, 0, "{}", again.stderr);
    let again = again.json();
    assert_eq!(
        (&again["imported"], &again["already_imported"]),
        (&0.into(), &all.into())
    );
    assert_eq!(length(&place), after);
    // A policy change: Decree 69.
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../law/policy-2024-07.toml");
    place.good(&[
        "law",
        "load",
        policy,
        "--proposer-key",
        &one,
        "--approver-key",
        &two,
    ]);
    assert_eq!(totals(&place, &[]), LETTER);
    assert_eq!(totals(&place, &["--from-log"]), LETTER);
    place.good(&["verify", "--signatures"]);
    // Elsewhere: the archive alone, without any key.
    let archive = place.path("all.archive");
    let archive = archive.to_str().unwrap();
    place.good(&["export", "--as", "archive", "--out", archive]);
    let other = place.path("elsewhere");
    let other = other.to_str().unwrap();
    place.good(&["import", archive, "--dir", other, "--no-verify"]);
    assert_eq!(totals(&place, &["--dir", other, "--from-log"]), LETTER);
    let digest = |more: &[&str]| {
        let mut arguments = vec!["projections", "digest", "--format", "jsonl"];
        arguments.extend(more);
        let rows = place.good(&arguments).lines();
        let row = rows
            .iter()
            .find(|row| row["projection"] == "statistics" || row["name"] == "statistics");
        row.unwrap()["digest"].clone()
    };
    place.good(&["projections", "rebuild", "--dir", other]);
    assert_eq!(digest(&[]), digest(&["--dir", other]));
    happened_then_and_recorded_now(&place);
}

/// Valid time is the past's, recorded time today's, and every event names its source.
fn happened_then_and_recorded_now(place: &Place) {
    for kind in ["AccountImported", "ActivationImported"] {
        let rows = place
            .good(&["log", "--kind", kind, "-n", "40", "--format", "jsonl"])
            .lines();
        let position = rows[0]["position"].to_string();
        let shown = place.good(&["show", &position, "--format", "json"]).json();
        assert!(shown["occurred_at"].as_str().unwrap() < "2024-03-08");
        assert!(shown["recorded_at"].as_str().unwrap() > "2024-03-08");
        let text = shown.to_string();
        assert!(text.contains("sổ cấp tài khoản, tờ "), "{text}");
    }
}

/// Asks a process to end as Ctrl-C does.
fn interrupt(child: &Child) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn an_import_stopped_half_way_says_how_far_it_got_and_goes_on_where_it_stopped() {
    let place = Place::new();
    place.good(&["init"]);
    let importer = enrolled(&place, "importer", "importer.key");
    let text = letter();
    let all = 2156 + LATER as u64;
    let before = length(&place);
    let arguments = ["import", "-", "--as", "csv", "--key", &importer];
    let mut command = place.command(&[&arguments[..], &["--format", "json"]].concat());
    let piped = [Stdio::piped(), Stdio::piped(), Stdio::piped()];
    let [stdin, stdout, stderr] = piped;
    command.stdin(stdin).stdout(stdout).stderr(stderr);
    let mut child = command.spawn().unwrap();
    let mut feed = child.stdin.take().unwrap();
    // A pipe holds 64 KiB and as much was read at first: when twice that is written, lines were imported.
    let half: usize = text.lines().take(1700).map(|line| line.len() + 1).sum();
    assert!(half > 2 * 65_536);
    feed.write_all(&text.as_bytes()[..half]).unwrap();
    interrupt(&child);
    // A line at a time, so that whoever waits for one looks up; it ends long before the last.
    for line in text[half..].lines() {
        if child.try_wait().unwrap().is_some() || writeln!(feed, "{line}").is_err() {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    drop(feed);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("run it again"), "{}", ran.stderr);
    let report = ran.json();
    let done = report["imported"].as_u64().unwrap();
    assert_eq!(report["interrupted"], true);
    assert!(done > 0 && done < all, "{done}");
    // Everything that was taken up was brought to its end; the header is line 1.
    assert_eq!(report["lines"], done);
    assert_eq!(report["last_line"], done + 1);
    let place_of = |kind: &str| {
        let rows = ["log", "--kind", kind, "-n", "100000", "--format", "jsonl"];
        place.good(&rows).lines().len() as u64
    };
    assert_eq!(place_of("AccountImported"), done);
    let file = place.path("past.csv");
    std::fs::write(&file, &text).unwrap();
    let ran = import(&place, file.to_str().unwrap(), &importer);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(report["already_imported"], done);
    assert_eq!(report["imported"], all - done);
    assert_eq!(
        place_of("AccountImported"),
        all,
        "nothing twice, nothing lost"
    );
    assert_eq!(totals(&place, &[]), LETTER);
    assert!(length(&place) > before);
    place.good(&["verify"]);
}

#[test]
fn every_bad_line_is_named_and_nothing_of_it_is_printed() {
    let place = Place::new();
    place.good(&["init"]);
    let importer = enrolled(&place, "importer", "importer.key");
    let mut text = HEADER.to_owned();
    text.push_str(&line(1, 2, "2023-04-15", "2023-04-16"));
    text.push_str("03000000002,0911111111,2,2023-04-15,,30288,7,sổ 1\n");
    text.push_str(&line(3, 2, "2023-04-15", "2023-04-14"));
    text.push_str(&line(4, 2, "2021-04-15", ""));
    // The number of line 2, then its phone.
    text.push_str("030000000001,0919999999,1,2023-04-15,,30288,7,sổ 1\n");
    text.push_str("030000000009,0910000001,1,2023-04-15,,30288,7,sổ 1\n");
    text.push_str("030000000010,0910000010,1,2023-04-15,,30288,7,\n");
    text.push_str(&line(5, 1, "2099-04-15", ""));
    let file = place.path("past.csv");
    std::fs::write(&file, &text).unwrap();
    let file = file.to_str().unwrap();
    let lines = |ran: &Ran| -> Vec<u64> {
        let report = ran.json();
        let findings = report["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|finding| finding["line"].as_u64().unwrap())
            .collect()
    };
    let checked = place.run(&["import", file, "--check", "--format", "json"]);
    assert_eq!(checked.code, 3, "{}", checked.stderr);
    assert_eq!(lines(&checked), [3, 4, 5, 6, 7, 8, 9]);
    let ran = import(&place, file, &importer);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(lines(&ran), [3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(ran.json()["imported"], 1);
    let mut said = String::new();
    for ran in [&checked, &ran] {
        write!(said, "{}{}", ran.stdout, ran.stderr).unwrap();
    }
    for personal in ["0300000", "0911111111", "091000", "0919999"] {
        assert!(!said.contains(personal), "{personal}: {said}");
    }
    // What was refused stays refused, and is recorded once.
    let before = length(&place);
    let again = import(&place, file, &importer);
    assert_eq!(lines(&again), lines(&ran));
    assert_eq!(length(&place), before);
}

#[test]
fn only_an_importer_imports_and_what_is_no_table_is_no_import() {
    let place = Place::new();
    place.good(&["init"]);
    let authority = enrolled(&place, "eid_authority", "one.key");
    let file = place.path("past.csv");
    std::fs::write(&file, format!("{HEADER}{}", line(1, 2, "2023-04-15", ""))).unwrap();
    let file = file.to_str().unwrap();
    let ran = import(&place, file, &authority);
    assert!(
        ran.code == 12 && ran.stderr.contains("no importer"),
        "{}",
        ran.stderr
    );
    let ran = place.run(&["import", file]);
    assert!(
        ran.code == 2 && ran.stderr.contains("--key"),
        "{}",
        ran.stderr
    );
    let other = place.path("other.csv");
    std::fs::write(&other, "a,b\n1,2\n").unwrap();
    let importer = enrolled(&place, "importer", "importer.key");
    let ran = import(&place, other.to_str().unwrap(), &importer);
    assert!(
        ran.code == 1 && ran.stderr.contains("column"),
        "{}",
        ran.stderr
    );
    let jsonl = place.path("past.jsonl");
    let row = r#"{"personal_id":"030000000001","phone":"0910000001","level":1,"issued_at":"2023-04-15","area":30288,"source":"sổ 1"}"#;
    std::fs::write(&jsonl, format!("{row}\nnot json\n")).unwrap();
    let ran = import(&place, jsonl.to_str().unwrap(), &importer);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(
        (&report["imported"], &report["refused"]),
        (&1.into(), &1.into())
    );
    assert_eq!(report["findings"][0]["line"], 2);
}

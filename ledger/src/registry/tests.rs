use super::*;
use crate::secrets::Secret32;
use crate::wiring::SystemRandomness;
use DocumentKind::{DrivingLicence, HealthRecord, TaxCode};

const AS_OF: Micros = Micros(1_700_000_000_000_000);

const CSV: &str = "\u{feff}full_name,personal_id,birth_date,sex,area,residence,has_chip_card,documents\n\
    Nguyễn Thị Hoa,030199012345,1999-12-31,Nữ,30288,\"Phường 1, Hải Dương\",true,\
    driving_licence:A1-23456;tax_code:8012345678\n\
    Trần Văn Bình,030088000001,1988-02-29,Nam,30288,Hải Dương,false,\n";

fn keys(byte: u8) -> Keys {
    Keys::derive(&Secret32([byte; 32]))
}

fn try_open(directory: &Path, key: u8) -> Result<Population, RegistryError> {
    Population::open(directory, &keys(key), Arc::new(SystemRandomness::new()))
}

fn open(directory: &Path) -> Population {
    try_open(directory, 1).unwrap()
}

fn import(population: &Population, csv: &str) -> ImportReport {
    population
        .import(Format::Csv, csv.as_bytes(), AS_OF)
        .unwrap()
}

fn person(personal_id: &str, full_name: &str, birth_date: &str, sex: &str) -> Person {
    Person {
        personal_id: personal_id.into(),
        full_name: full_name.into(),
        birth_date: birth_date.into(),
        sex: sex.into(),
        residence: String::new(),
        phone: String::new(),
        email: String::new(),
        old_id: String::new(),
        card_issued: String::new(),
    }
}

fn counts(report: &ImportReport) -> (u64, u64, u64, u64) {
    (
        report.added,
        report.changed,
        report.unchanged,
        report.refused,
    )
}

#[tokio::test]
async fn declarations_are_compared_with_the_record() {
    let directory = tempfile::tempdir().unwrap();
    import(&open(directory.path()), CSV);
    let population = open(directory.path());
    let confirmed = RegistryAnswer::Confirmed {
        area: AreaCode(30288),
        birth_date: "1999-12-31".into(),
        has_chip_card: true,
    };
    let not = RegistryAnswer::Not;
    for (id, name, birth, sex, expected) in [
        (
            "030199012345",
            "Nguyễn Thị Hoa",
            "1999-12-31",
            "Nữ",
            confirmed.clone(),
        ),
        (
            "030199012345",
            "NGUYỄN  THỊ HOA ",
            "1999-12-31",
            "",
            confirmed.clone(),
        ),
        (
            "030199012345",
            "nguye\u{302}\u{303}n thi\u{323} hoa",
            "1999-12-31",
            "nữ",
            confirmed,
        ),
        (
            "030199012345",
            "Nguyễn Thị Hoà",
            "1999-12-31",
            "Nữ",
            not(RegistryOutcome::Mismatch),
        ),
        (
            "030199012345",
            "Nguyễn Thị Hoa",
            "1999-12-30",
            "Nữ",
            not(RegistryOutcome::Mismatch),
        ),
        (
            "030199012345",
            "Nguyễn Thị Hoa",
            "1999-12-31",
            "Nam",
            not(RegistryOutcome::Mismatch),
        ),
        (
            "030199012346",
            "Nguyễn Thị Hoa",
            "1999-12-31",
            "Nữ",
            not(RegistryOutcome::NotFound),
        ),
    ] {
        let answer = PopulationRegistry::confirm(&population, &person(id, name, birth, sex)).await;
        let answer = answer.answer;
        assert!(answer == expected, "{name} {birth} {sex}");
    }
}

#[tokio::test]
async fn documents_are_found_with_their_owner() {
    let directory = tempfile::tempdir().unwrap();
    import(&open(directory.path()), CSV);
    let population = open(directory.path());
    let (hoa, binh) = ("030199012345", "030088000001");
    let not = DocumentAnswer::Not;
    let verified = DocumentAnswer::Verified { data_as_of: AS_OF };
    for (id, kind, number, expected) in [
        (hoa, DrivingLicence, "A1-23456", verified),
        (hoa, DrivingLicence, "a1 23456", verified),
        (hoa, TaxCode, "8012345678", verified),
        (hoa, DrivingLicence, "A1-23457", not(LinkOutcome::Mismatch)),
        (hoa, HealthRecord, "A1-23456", not(LinkOutcome::NotFound)),
        (binh, TaxCode, "8012345678", not(LinkOutcome::OwnerMismatch)),
        (binh, TaxCode, "8012345679", not(LinkOutcome::NotFound)),
        (
            "030000000000",
            TaxCode,
            "8012345678",
            not(LinkOutcome::NotFound),
        ),
    ] {
        assert_eq!(
            population.check(id, kind, number).await.answer,
            expected,
            "{kind:?} {number}"
        );
    }
    // The licence goes to another person: the old record no longer counts.
    let moved = CSV.replace("driving_licence:A1-23456;", "");
    let moved = moved.replace("Dương,false,", "Dương,false,driving_licence:A1-23456");
    assert_eq!(counts(&import(&population, &moved)), (0, 2, 0, 0));
    for population in [population, open(directory.path())] {
        let check = async |id| {
            population
                .check(id, DrivingLicence, "A1-23456")
                .await
                .answer
        };
        assert_eq!(check(hoa).await, not(LinkOutcome::OwnerMismatch));
        assert_eq!(check(binh).await, verified);
        drop(population);
    }
}

#[test]
fn importing_twice_is_importing_once() {
    let directory = tempfile::tempdir().unwrap();
    let population = open(directory.path());
    assert_eq!(counts(&import(&population, CSV)), (2, 0, 0, 0));
    let size = || {
        std::fs::metadata(directory.path().join("population.sealed"))
            .unwrap()
            .len()
    };
    let before = size();
    assert_eq!(counts(&import(&population, CSV)), (0, 0, 2, 0));
    assert_eq!(size(), before);
    let population = open(directory.path());
    let married = CSV.replace("Thị Hoa", "Thị Hoà");
    assert_eq!(counts(&import(&population, &married)), (0, 1, 1, 0));
    assert_eq!((population.len(), open(directory.path()).len()), (2, 2));
    assert_eq!(
        open(directory.path())
            .person("030199012345")
            .unwrap()
            .unwrap()
            .full_name,
        "Nguyễn Thị Hoà"
    );
}

#[test]
fn json_lines_say_the_same_as_csv() {
    let directory = tempfile::tempdir().unwrap();
    let population = open(directory.path());
    import(&population, CSV);
    let lines = r#"{"personal_id":"030199012345","full_name":"Nguyễn Thị Hoa","birth_date":"1999-12-31","sex":"Nữ","area":30288,"residence":"Phường 1, Hải Dương","has_chip_card":true,"documents":[{"kind":"driving_licence","number":"A1-23456"},{"kind":"tax_code","number":"8012345678"}]}

{"personal_id":"030188000002","full_name":"Lê An","birth_date":"1988","area":30000}
{"personal_id":"030188000003","full_name":"Lê An","birth_date":"1988","area":30000,"wealth":1}
{"personal_id":"030188000003"
"#;
    let report = population
        .import(Format::JsonLines, lines.as_bytes(), AS_OF)
        .unwrap();
    assert_eq!(counts(&report), (1, 0, 1, 2));
    assert_eq!(
        report
            .errors
            .iter()
            .map(|error| error.line)
            .collect::<Vec<_>>(),
        [4, 5]
    );
}

#[test]
fn bad_rows_are_named_by_line_and_left_out() {
    let header =
        "personal_id,full_name,birth_date,area,sex,old_id,card_issued,documents,has_chip_card\n";
    let rows = [
        (
            "030199012345,An,1999-12-31,30288,Nam,123456789,2021-04-01,tax_code:1,1",
            None,
        ),
        ("03019901234,An,1999,30288,,,,,", Some("twelve digits")),
        ("0301990123456,An,1999,30288,,,,,", Some("twelve digits")),
        ("03019901234x,An,1999,30288,,,,,", Some("twelve digits")),
        ("030199012346,,1999,30288,,,,,", Some("name is empty")),
        ("030199012346,An,1999-02-29,30288,,,,,", Some("birth date")),
        ("030199012346,An,1999-13,30288,,,,,", Some("birth date")),
        ("030199012346,An,31/12/1999,30288,,,,,", Some("birth date")),
        (
            "030199012346,An,1999,Hải Dương,,,,,",
            Some("area is not a number"),
        ),
        ("030199012346,An,1999,0,,,,,", Some("province")),
        ("030199012346,An,1999,30288,Khác,,,,", Some("sex")),
        (
            "030199012346,An,1999,30288,,12345678,,,",
            Some("nine digits"),
        ),
        ("030199012346,An,1999,30288,,,heute,,", Some("issue date")),
        (
            "030199012346,An,1999,30288,,,,tax_code,",
            Some("kind:number"),
        ),
        (
            "030199012346,An,1999,30288,,,,passport:1,",
            Some("unknown kind"),
        ),
        ("030199012346,An,1999,30288,,,,,yes", Some("has_chip_card")),
        ("030199012346,An,1999,30288", Some("more or fewer fields")),
        (
            "030199012346,A\tn\u{7},1999,30288,,,,,",
            Some("control characters"),
        ),
        ("030199012345,An,1999-12-31,30288,,,,,", Some("twice")),
        ("030199012347,\"An, \"\"B\"\"\",1999,30288,,,,,", None),
    ];
    let text: String = [header.to_owned()]
        .into_iter()
        .chain(rows.iter().map(|(row, _)| format!("{row}\n")))
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let population = open(directory.path());
    let report = import(&population, &text);
    assert_eq!(report.added, 2);
    let expected: Vec<_> = (2..)
        .zip(rows)
        .filter_map(|(line, (row, reason))| reason.map(|reason| (line, row, reason)))
        .collect();
    assert_eq!(report.errors.len(), expected.len());
    for (error, (line, row, reason)) in report.errors.iter().zip(expected) {
        assert_eq!(error.line, line, "{row}");
        assert!(error.reason.contains(reason), "{row}: {}", error.reason);
    }
    assert!(
        !format!("{report:?}").contains("0301"),
        "no data in a report"
    );
}

#[test]
fn files_that_are_no_rows_are_refused_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let population = open(directory.path());
    let endless = format!(
        "personal_id,full_name,birth_date,area\n030199012345,\"{}",
        "a".repeat(1 << 20)
    );
    let long_line = format!("{{\"personal_id\":\"{}\"}}", "1".repeat(ROW_BYTES_MAX));
    for (format, rows, line, reason) in [
        (Format::Csv, "", 1, "column is missing"),
        (
            Format::Csv,
            "030199012345,An,1999,30288\n",
            1,
            "unknown column",
        ),
        (Format::Csv, "personal_id,personal_id\n", 1, "twice"),
        (Format::Csv, endless.as_str(), 2, "row is too long"),
        (Format::JsonLines, long_line.as_str(), 1, "row is too long"),
    ] {
        let error = population
            .import(format, rows.as_bytes(), AS_OF)
            .unwrap_err();
        assert!(
            matches!(&error, RegistryError::Input { line: l, reason: r } if *l == line && r.contains(reason)),
            "{error}"
        );
    }
    let error = population.import(
        Format::Csv,
        &b"personal_id,full_name,birth_date,area\n\xff,\xfe,,1\n"[..],
        AS_OF,
    );
    assert_eq!(error.unwrap().errors[0].reason, "the row is not UTF-8");
    assert!(population.is_empty());
}

/// Fails after some bytes, as a disk or a pipe does.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        self.0.read(buffer)
    }
}

#[test]
fn a_failed_import_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let population = open(directory.path());
    let error = population
        .import(Format::Csv, Failing(CSV.as_bytes()), AS_OF)
        .unwrap_err();
    assert!(matches!(error, RegistryError::Io { .. }));
    assert!(population.is_empty() && open(directory.path()).is_empty());
    assert_eq!(import(&population, CSV).added, 2);
    assert_eq!(open(directory.path()).len(), 2);
}

fn many(count: u32) -> String {
    let rows = (0..count).map(|n| {
        format!(
            "{:012},Nguyễn Văn {n},1990-01-01,30288,driving_licence:L{n}\n",
            30_199_000_000_u64 + u64::from(n)
        )
    });
    ["personal_id,full_name,birth_date,area,documents\n".to_owned()]
        .into_iter()
        .chain(rows)
        .collect()
}

#[tokio::test]
async fn what_a_crash_left_of_an_import_does_not_count() {
    let directory = tempfile::tempdir().unwrap();
    let population = open(directory.path());
    import(&population, CSV);
    let path = directory.path().join("population.sealed");
    let before = std::fs::read(&path).unwrap();
    import(&population, &many(300));
    let after = std::fs::read(&path).unwrap();
    for kept in [before.len() + 1, before.len() + 100, after.len() - 1] {
        // Blocks were written, the commit was not.
        let mut bytes = after[..kept].to_vec();
        bytes[..4096].copy_from_slice(&before[..4096]);
        std::fs::write(&path, &bytes).unwrap();
        let population = open(directory.path());
        assert_eq!(population.len(), 2);
        assert_eq!(counts(&import(&population, &many(300))), (300, 0, 0, 0));
        assert_eq!(open(directory.path()).len(), 302);
    }
}

#[test]
fn every_flipped_bit_and_lost_byte_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let population = open(directory.path());
    import(&population, CSV);
    import(&population, &many(100));
    let path = directory.path().join("population.sealed");
    let bytes = std::fs::read(&path).unwrap();
    let meaningful = |at: &usize| match at {
        0..64 | 512..544 | 1024..1056 => true,
        _ => *at >= 4096,
    };
    for at in (0..bytes.len())
        .filter(meaningful)
        .filter(|at| *at < 4200 || at % 17 == 0)
    {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        std::fs::write(&path, &flipped).unwrap();
        let opened = try_open(directory.path(), 1);
        assert!(opened.is_err(), "byte {at}");
    }
    for length in [0, 100, 600, 4000, 4100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(try_open(directory.path(), 1).is_err(), "{length} bytes");
    }
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(
        try_open(directory.path(), 2).err(),
        Some(RegistryError::WrongKey)
    );
    assert_eq!(open(directory.path()).len(), 102);
}

#[test]
fn nothing_of_a_record_is_stored_plain() {
    let directory = tempfile::tempdir().unwrap();
    import(&open(directory.path()), CSV);
    let bytes = std::fs::read(directory.path().join("population.sealed")).unwrap();
    for needle in [
        "030199012345",
        "Nguyễn",
        "Hoa",
        "1999-12-31",
        "A1-23456",
        "8012345678",
    ] {
        assert!(
            !bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes())
        );
    }
    let record = open(directory.path())
        .person("030199012345")
        .unwrap()
        .unwrap();
    assert_eq!(
        format!("{record:?} {:?}", record.documents[0]),
        "PopulationRecord(…) RegisteredDocument(DrivingLicence)"
    );
}

#[tokio::test]
async fn an_unreachable_registry_says_so() {
    let somebody = person("030199012345", "An", "1999", "");
    let answer = PopulationRegistry::confirm(&Unreachable, &somebody).await;
    assert!(answer.answer == RegistryAnswer::Not(RegistryOutcome::Unavailable));
    let answer = Unreachable
        .check("030199012345", DocumentKind::TaxCode, "1")
        .await;
    assert_eq!(
        answer.answer,
        DocumentAnswer::Not(LinkOutcome::RegistryUnavailable)
    );
}

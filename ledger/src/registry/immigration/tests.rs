use super::*;
use crate::secrets::Secret32;
use crate::wiring::SystemRandomness;
use domain::personal::Person;

const CSV: &str = "nationality,document_number,full_name,birth_date,sex,area,document_until,\
    residence,residence_until,biometrics_held,personal_id\n\
    FRA,12AB 34567,Anne Martin,1985-07-01,Nữ,30288,2030-05-31,temporary,2027-01-15,true,030185999001\n\
    KOR,M12345678,Kim Min Jun,1990-02-03,Nam,1001,,,,,\n";

fn open(directory: &Path) -> Immigration {
    let keys = Keys::derive(&Secret32([1; 32]));
    Immigration::open(directory, &keys, Arc::new(SystemRandomness::new())).unwrap()
}

fn person(full_name: &str, birth_date: &str, personal_id: &str) -> Person {
    Person {
        personal_id: personal_id.into(),
        full_name: full_name.into(),
        birth_date: birth_date.into(),
        sex: String::new(),
        residence: String::new(),
        phone: String::new(),
        email: String::new(),
        old_id: String::new(),
        card_issued: String::new(),
    }
}

async fn ask(
    immigration: &Immigration,
    person: &Person,
    nationality: &str,
    document_number: &str,
) -> ImmigrationAnswer {
    let foreigner = Foreigner {
        person,
        nationality,
        document_number,
    };
    immigration.confirm(foreigner).await.answer
}

#[tokio::test]
async fn foreigners_are_known_by_their_document_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let report = open(directory.path()).import(Format::Csv, CSV.as_bytes());
    assert_eq!(report.unwrap().added, 2);
    let immigration = open(directory.path());
    assert_eq!(immigration.len(), 2);
    let again = immigration.import(Format::Csv, CSV.as_bytes()).unwrap();
    assert_eq!((again.added, again.unchanged), (0, 2));
    let anne = ImmigrationAnswer::Confirmed {
        area: AreaCode(30288),
        birth_date: "1985-07-01".into(),
        document_until: day("2030-05-31"),
        residence: ResidenceStatus::Temporary,
        residence_until: day("2027-01-15"),
        biometrics_held: true,
    };
    let kim = ImmigrationAnswer::Confirmed {
        area: AreaCode(1001),
        birth_date: "1990-02-03".into(),
        document_until: None,
        residence: ResidenceStatus::None,
        residence_until: None,
        biometrics_held: false,
    };
    let not = ImmigrationAnswer::Not;
    for (declared, nationality, document, expected) in [
        (
            person("ANNE  MARTIN", "1985-07-01", ""),
            "FRA",
            "12ab34567",
            anne.clone(),
        ),
        (
            person("Anne Martin", "1985-07-01", "030185999001"),
            "FRA",
            "12AB-34567",
            anne,
        ),
        (
            person("Anne Martin", "1985-07-01", "030185999002"),
            "FRA",
            "12AB34567",
            not(RegistryOutcome::Mismatch),
        ),
        (
            person("Anne Martin", "1985-07-02", ""),
            "FRA",
            "12AB34567",
            not(RegistryOutcome::Mismatch),
        ),
        (
            person("Anne Martin", "1985-07-01", ""),
            "BEL",
            "12AB34567",
            not(RegistryOutcome::NotFound),
        ),
        (
            person("Kim Min Jun", "1990-02-03", "030190999001"),
            "KOR",
            "M12345678",
            kim,
        ),
    ] {
        let answer = ask(&immigration, &declared, nationality, document).await;
        assert!(answer == expected, "{} {document}", declared.full_name);
    }
}

#[test]
fn rows_that_cannot_be_are_named_by_line_and_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let immigration = open(directory.path());
    let header = "nationality,document_number,full_name,birth_date,area,document_until,residence\n";
    for (row, reason) in [
        (
            "fra,A1,Anne,1985,30288,,",
            "the nationality is not three capital letters",
        ),
        ("FRA,--,Anne,1985,30288,,", "the document's number is empty"),
        ("FRA,A1,,1985,30288,,", "the name is empty"),
        (
            "FRA,A1,Anne,85,30288,,",
            "the birth date is not `YYYY-MM-DD`, `YYYY-MM` or `YYYY`",
        ),
        ("FRA,A1,Anne,1985,x,,", "the area is not a number"),
        (
            "FRA,A1,Anne,1985,30288,2030-02-30,",
            "a last day is not `YYYY-MM-DD`",
        ),
        (
            "FRA,A1,Anne,1985,30288,,guest",
            "the residence is not none, temporary or permanent",
        ),
    ] {
        let text = format!("{header}FRA,OK1,Anne,1985,30288,,\n{row}\n");
        let report = immigration.import(Format::Csv, text.as_bytes()).unwrap();
        assert_eq!(report.refused, 1, "{row}");
        assert_eq!(
            (report.errors[0].line, report.errors[0].reason),
            (3, reason)
        );
    }
    assert_eq!(immigration.len(), 1);
    let missing = immigration.import(Format::Csv, &b"nationality,full_name\n"[..]);
    assert!(matches!(missing, Err(RegistryError::Input { line: 1, .. })));
    let line = r#"{"nationality":"KOR","document_number":"M1","full_name":"Kim","birth_date":"1990","area":1001,"residence":"permanent"}"#;
    let report = immigration
        .import(Format::JsonLines, line.as_bytes())
        .unwrap();
    assert_eq!(report.added, 1);
}

#[test]
fn nothing_of_it_stands_on_disk_in_the_clear() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path())
        .import(Format::Csv, CSV.as_bytes())
        .unwrap();
    let bytes = std::fs::read(directory.path().join(FILE)).unwrap();
    for text in ["Martin", "34567", "1985-07-01", "030185999001"] {
        let found = bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes());
        assert!(!found, "{text}");
    }
}

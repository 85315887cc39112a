use super::*;
use domain::law::Edition;
use domain::vocabulary::RefusalCode;
use std::collections::BTreeSet;
use std::path::Path;

/// Compares with the kept list, or writes it when `UPDATE_GOLDEN` is set.
#[test]
fn the_codes_are_the_ones_that_are_promised() {
    let refusals = RefusalCode::ALL.iter().map(|code| Code::Refused(*code));
    let codes: Vec<Code> = Code::OWN.iter().copied().chain(refusals).collect();
    let texts: BTreeSet<String> = codes.iter().map(|code| code.text()).collect();
    assert_eq!(texts.len(), codes.len(), "each code has its own text");
    let mut list = String::new();
    let mut lines: Vec<_> = codes
        .iter()
        .map(|code| {
            format!(
                "{} {} {}",
                code.text(),
                code.status().as_u16(),
                code.title(Language::En)
            )
        })
        .collect();
    lines.sort();
    for line in lines {
        list.push_str(&line);
        list.push('\n');
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/problem_codes.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &list).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        kept, list,
        "codes are a contract; set UPDATE_GOLDEN=1 to take the change over"
    );
}

#[test]
fn every_code_has_a_title_in_both_languages_and_an_error_status() {
    let refusals = RefusalCode::ALL.iter().map(|code| Code::Refused(*code));
    for code in Code::OWN.iter().copied().chain(refusals) {
        assert!(
            code.status().is_client_error() || code.status().is_server_error(),
            "{code:?}"
        );
        let (vi, en) = (code.title(Language::Vi), code.title(Language::En));
        assert!(!vi.is_empty() && !en.is_empty() && vi != en, "{code:?}");
        let text = code.text();
        assert!(
            text.bytes()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
        );
    }
}

#[test]
fn a_document_says_all_that_the_caller_may_know_and_nothing_of_the_inside() {
    let mut problem =
        Problem::new(Code::Refused(RefusalCode::NotIdentified)).because("internal words");
    problem.refused = Some((Guard::LevelCheck, Some(Message::NotIdentified)));
    problem.record = Some(RefusalRecord {
        position: Position(7),
        event_id: EventId([1; 16]),
    });
    let body = serde_json::to_value(problem.body(
        "r1",
        "/v1/activations",
        Language::Vi,
        &Edition::default(),
    ))
    .unwrap();
    assert_eq!(body["type"], "urn:idledger:problem:msg-not-identified");
    assert_eq!(body["code"], "MSG_NOT_IDENTIFIED");
    assert_eq!(body["status"], 409);
    assert_eq!(
        body["detail"],
        "tài khoản của bạn chưa được định danh điện tử"
    );
    assert_eq!(body["instance"], "/v1/activations");
    assert_eq!(body["request_id"], "r1");
    assert_eq!(body["guard"], "level_check");
    assert_eq!(body["position"], 7);
    assert_eq!(body["event_id"], "01010101010101010101010101010101");
    assert!(!body.to_string().contains("internal words"));
}

#[test]
fn store_failures_are_told_apart() {
    use ledger::store::StoreError;
    use ledger::writer::LedgerError;
    let io = |full| StoreError::Io {
        operation: "append",
        message: "m".to_owned(),
        full,
    };
    let corrupt = StoreError::Corrupt {
        position: 1,
        place: "p".to_owned(),
        reason: "r".to_owned(),
    };
    let cases = [
        (LedgerError::Store(io(false)), Code::StoreFailed),
        (LedgerError::Store(io(true)), Code::StorageFull),
        (LedgerError::Store(corrupt), Code::LedgerCorrupt),
        (LedgerError::Uncertain(io(false)), Code::OutcomeUncertain),
        (LedgerError::Contended, Code::Contended),
        (
            LedgerError::ExpectedRevision { current: None },
            Code::ExpectedRevision,
        ),
        (
            LedgerError::AccountNotFound,
            Code::Refused(RefusalCode::AccountNotFound),
        ),
        (LedgerError::Unauthorised, Code::AccessDenied),
        (LedgerError::CommandIdReused, Code::IdempotencyKeyReused),
        (LedgerError::Busy, Code::Overloaded),
        (LedgerError::BadSubmission("x"), Code::Internal),
    ];
    for (error, code) in cases {
        assert_eq!(Problem::from(error.clone()).code, code, "{error:?}");
    }
}

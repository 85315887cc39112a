use super::*;
use domain::event::{AccountIssued, CommandRejected, DocumentLinked};
use domain::ids::{AreaCode, CaseId, DocumentId, Micros};
use domain::vocabulary::{CommandKind, Database, DocumentKind, Guard, RefusalCode};

#[test]
fn both_languages_say_it() {
    let issued = Event::from(AccountIssued {
        case: CaseId::ZERO,
        level: Level::Two,
        area: AreaCode(30_288),
    });
    assert_eq!(
        sentence(&issued, Lang::Vi, Zone::Utc),
        "Cấp tài khoản định danh điện tử mức độ 2"
    );
    assert_eq!(
        sentence(&issued, Lang::En, Zone::Utc),
        "Account issued at level 2"
    );
    let linked = Event::from(DocumentLinked {
        document: DocumentId::ZERO,
        kind: DocumentKind::HealthInsuranceCard,
        database: Database::HealthInsurance,
        data_as_of: Micros(0),
    });
    assert_eq!(
        sentence(&linked, Lang::Vi, Zone::Utc),
        "Tích hợp thẻ bảo hiểm y tế (CSDL bảo hiểm y tế)"
    );
    let refused = Event::from(CommandRejected {
        command: CommandKind::RequestActivation,
        guard: Guard::NotActivated,
        code: RefusalCode::AlreadyActivated,
        message: None,
        challenge: None,
    });
    assert_eq!(
        sentence(&refused, Lang::En, Zone::Utc),
        "request_activation refused: already_activated (guard not_activated)"
    );
}

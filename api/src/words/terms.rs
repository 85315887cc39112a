//! The closed lists in words. Terms are the specification's own (A.1, A.3, B.4).

use serde::Serialize;

pub use domain::messages::Lang;

/// A listed value in words; its stable code with spaces where there is no better word.
pub fn term<T: Serialize>(value: &T, lang: Lang) -> String {
    let code = super::code(value);
    TERMS
        .iter()
        .find(|(known, _, _)| *known == code)
        .map_or_else(
            || code.replace('_', " "),
            |(_, vi, en)| lang.pick(*vi, *en).to_owned(),
        )
}

/// Code, Vietnamese, English. Codes mean the same wherever they stand.
const TERMS: &[(&str, &str, &str)] = &[
    ("ledger", "sổ cái", "the ledger"),
    ("citizen", "công dân", "citizen"),
    ("intake_officer", "cán bộ tiếp nhận", "intake officer"),
    (
        "eid_authority",
        "cơ quan quản lý định danh",
        "eID authority",
    ),
    ("registry_adapter", "cổng kết nối CSDL", "registry adapter"),
    ("clock", "đồng hồ hệ thống", "the clock"),
    ("hotline_agent", "tổng đài viên", "hotline agent"),
    (
        "competent_authority",
        "cơ quan có thẩm quyền",
        "competent authority",
    ),
    ("relying_party", "bên cung cấp dịch vụ", "relying party"),
    ("operator", "người vận hành", "operator"),
    ("policy", "chính sách", "the policy"),
    ("catalogue", "danh mục dịch vụ", "the service catalogue"),
    ("provinces", "mã tỉnh, thành phố", "the province codes"),
    ("messages", "danh mục thông báo", "the message catalogue"),
    ("documents", "danh mục giấy tờ", "the document kinds"),
    ("calendar", "lịch nghỉ lễ", "the holiday calendar"),
    ("sites", "danh sách điểm tiếp nhận", "the intake sites"),
    ("card_qr", "quét mã QR thẻ", "card QR"),
    ("manual", "nhập tay", "typed in"),
    (
        "population",
        "CSDL quốc gia về dân cư",
        "the population database",
    ),
    (
        "citizen_card",
        "CSDL căn cước công dân",
        "the citizen card database",
    ),
    (
        "immigration",
        "CSDL xuất nhập cảnh",
        "the immigration database",
    ),
    ("driving_licence", "giấy phép lái xe", "driving licence"),
    ("vehicle_registration", "đăng ký xe", "vehicle registration"),
    (
        "health_insurance_card",
        "thẻ bảo hiểm y tế",
        "health-insurance card",
    ),
    (
        "health_insurance",
        "CSDL bảo hiểm y tế",
        "health-insurance database",
    ),
    (
        "social_insurance_code",
        "mã số BHXH",
        "social-insurance code",
    ),
    ("tax_code", "mã số thuế", "tax code"),
    ("health_record", "sổ sức khỏe điện tử", "health record"),
    ("mismatch", "thông tin không khớp", "data differ"),
    ("not_found", "không tìm thấy dữ liệu", "not found"),
    ("unavailable", "không trả lời", "no answer"),
    (
        "registry_unavailable",
        "CSDL không trả lời",
        "registry did not answer",
    ),
    (
        "owner_mismatch",
        "thuộc người khác",
        "belongs to somebody else",
    ),
    ("no_longer_valid", "không còn giá trị", "no longer valid"),
    ("registration", "đăng ký", "registration"),
    ("activation", "kích hoạt", "activation"),
    ("phone_change", "đổi số điện thoại", "phone change"),
    ("device_change", "đổi thiết bị", "device change"),
    ("qr_unsigned", "mã QR chưa ký", "unsigned QR"),
    (
        "chip_passive_auth",
        "chíp, xác thực thụ động",
        "chip, passive authentication",
    ),
    (
        "chip_active_auth",
        "chíp, xác thực chủ động",
        "chip, active authentication",
    ),
    (
        "in_person_biometric",
        "trực tiếp, sinh trắc",
        "in person, biometric",
    ),
    ("portrait", "ảnh chân dung", "portrait"),
    ("fingerprints", "vân tay", "fingerprints"),
    ("match", "khớp", "match"),
    ("no_match", "không khớp", "no match"),
    ("no_reference", "không có mẫu đối chiếu", "no reference"),
    ("app", "ứng dụng", "app"),
    ("sms", "SMS", "SMS"),
    ("email", "thư điện tử", "e-mail"),
    ("in_person", "trực tiếp", "in person"),
    (
        "code_on_old_device",
        "mã trên thiết bị cũ",
        "code on the old device",
    ),
    ("chip_read", "đọc chíp thẻ", "chip read"),
    ("bound_device", "thiết bị đã gắn", "bound device"),
    ("hotline", "tổng đài", "hotline"),
    ("changed", "thay đổi", "changed"),
    ("by_holder", "chủ tài khoản", "by the holder"),
    ("own_request", "chủ tài khoản yêu cầu", "own request"),
    ("terms_breached", "vi phạm điều khoản", "terms breached"),
    ("card_revoked", "thẻ bị thu hồi", "card revoked"),
    ("card_expired", "thẻ hết hạn", "card expired"),
    ("death", "chủ tài khoản chết", "death"),
    ("data_mismatch", "thông tin không khớp", "data mismatch"),
    (
        "biometric_mismatch",
        "sinh trắc không khớp",
        "biometrics do not match",
    ),
    (
        "consent_refused",
        "công dân không đồng ý",
        "consent refused",
    ),
    ("by_citizen", "công dân rút", "withdrawn by the citizen"),
    ("by_officer", "cán bộ kết thúc", "ended by the officer"),
    ("wrong_password", "sai mật khẩu", "wrong password"),
    ("permanent", "lưu vĩnh viễn", "permanent"),
    ("usage", "sử dụng, 5 năm", "usage, five years"),
    ("short", "ngắn hạn", "short-lived"),
    ("in_app", "trên ứng dụng", "in the app"),
    ("identification_qr", "mã QR định danh", "identification QR"),
    ("personal_id", "số định danh cá nhân", "personal number"),
    ("full_name", "họ và tên", "full name"),
    ("birth_date", "ngày sinh", "birth date"),
    ("sex", "giới tính", "sex"),
    ("residence", "nơi thường trú", "residence"),
    ("old_id", "số CMND", "old number"),
    ("card_issued", "ngày cấp thẻ", "card issue date"),
    ("phone", "số điện thoại", "phone number"),
    ("card", "thẻ căn cước", "identity card"),
    ("travel_document", "giấy tờ đi lại", "travel document"),
    ("lock", "khóa", "lock"),
    ("unlock", "mở khóa", "unlock"),
    (
        "procedural_authority",
        "cơ quan tiến hành tố tụng yêu cầu",
        "procedural authority",
    ),
    (
        "travel_document_expired",
        "giấy tờ đi lại hết hạn",
        "travel document expired",
    ),
    ("residence_ended", "hết thời hạn cư trú", "residence ended"),
    (
        "organisation_dissolved",
        "tổ chức giải thể, ngừng hoạt động",
        "organisation dissolved",
    ),
    ("not_founded", "không có cơ sở", "not founded"),
    ("wrong_account", "không đúng tài khoản", "wrong account"),
    ("ground_remains", "căn cứ chưa hết", "ground remains"),
];

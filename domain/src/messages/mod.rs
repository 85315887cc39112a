//! The message catalogue, version 1: texts in Vietnamese and English by id (spec A.7, decision 11).
//!
//! Events hold ids; text is made here, when somebody reads. The two exact quotes of letter S003 are
//! byte-equal in `vi` (Unicode NFC). Owns no rule, and no text holds anything personal: what varies
//! is a named place such as `{code}`, filled by [`render`].

mod refusals;
#[cfg(test)]
mod tests;

pub use refusals::{refusal_code, refusal_text};

use crate::vocabulary::{Message, QuestionId, Role};
use serde::{Deserialize, Serialize};

/// Version of the catalogue. A changed text makes a new one.
pub const CATALOGUE_VERSION: u16 = 1;

/// A language of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lang {
    /// tiếng Việt, the language of the letters.
    #[default]
    Vi,
    /// English.
    En,
}

impl Lang {
    /// The text of this language.
    pub fn pick<T>(self, vi: T, en: T) -> T {
        match self {
            Self::Vi => vi,
            Self::En => en,
        }
    }
}

/// A message's stable id (spec A.7).
pub const fn message_id(message: Message) -> &'static str {
    match message {
        Message::DataMismatch => "MSG_DATA_MISMATCH",
        Message::QrFallback => "MSG_QR_FALLBACK",
        Message::OtpSent => "MSG_OTP_SENT",
        Message::NotIdentified => "MSG_NOT_IDENTIFIED",
        Message::AlreadyActivated => "MSG_ALREADY_ACTIVATED",
        Message::ConfirmActivation => "MSG_CONFIRM_ACTIVATION",
        Message::UseOtherDevice => "MSG_USE_OTHER_DEVICE",
        Message::ActivationCode => "MSG_ACTIVATION_CODE",
        Message::IssuanceResult => "MSG_ISSUANCE_RESULT",
        Message::ActivationWindowEnded => "MSG_ACTIVATION_WINDOW_ENDED",
        Message::RequestNotAccepted => "MSG_REQUEST_NOT_ACCEPTED",
        Message::KeptByLaw => "MSG_KEPT_BY_LAW",
        Message::PhoneChanged => "MSG_PHONE_CHANGED",
        Message::DeviceChanged => "MSG_DEVICE_CHANGED",
        Message::LockChanged => "MSG_LOCK_CHANGED",
        Message::LockRemains => "MSG_LOCK_REMAINS",
        Message::LockRequestRefused => "MSG_LOCK_REQUEST_REFUSED",
        Message::CardExpiry => "MSG_CARD_EXPIRY",
        Message::Birthday => "MSG_BIRTHDAY",
        Message::LinkedProcedure => "MSG_LINKED_PROCEDURE",
    }
}

/// A message's text, with its places unfilled.
#[allow(clippy::too_many_lines, reason = "a table: one row a message")]
pub fn message_text(message: Message, lang: Lang) -> &'static str {
    let (vi, en) = match message {
        Message::DataMismatch => (
            "Thông tin không khớp với Cơ sở dữ liệu quốc gia về dân cư, đề nghị công dân điều chỉnh lại thông tin",
            "The data do not match the National Population Database: please correct them. Nothing was created",
        ),
        Message::QrFallback => ("Không quét được QR code?", "Cannot scan the QR code?"),
        Message::OtpSent => (
            "Mã xác thực của bạn là {code}. Không cung cấp mã này cho bất kỳ ai",
            "Your verification code is {code}. Do not give it to anybody",
        ),
        // The two exact quotes of S003, step 6.
        Message::NotIdentified => (
            "tài khoản của bạn chưa được định danh điện tử",
            "Your account has not been electronically identified: apply for level 1 or level 2 first",
        ),
        Message::AlreadyActivated => (
            "Tài khoản của bạn đã thực hiện kích hoạt",
            "Your account has already been activated: log in instead",
        ),
        Message::ConfirmActivation => (
            "Xác nhận kích hoạt tài khoản định danh điện tử trên thiết bị này",
            "Confirm the activation of your electronic identification account on this device",
        ),
        Message::UseOtherDevice => (
            "Thiết bị này đang được kích hoạt để sử dụng với một tài khoản khác, đề nghị kích hoạt tài khoản trên thiết bị khác",
            "This device is active for another account: activate your account on another device",
        ),
        Message::ActivationCode => (
            "Mã kích hoạt tài khoản định danh điện tử của bạn là {code}. Không cung cấp mã này cho bất kỳ ai",
            "The activation code of your electronic identification account is {code}. Do not give it to anybody",
        ),
        Message::IssuanceResult => (
            "Đã có kết quả đăng ký tài khoản định danh điện tử của bạn. Nếu được cấp, đề nghị kích hoạt trong thời hạn 7 ngày kể từ khi nhận thông báo",
            "The result of your application for an electronic identification account is there. If it was issued, activate it within 7 days of this notice",
        ),
        Message::ActivationWindowEnded => (
            "Đã quá thời hạn kích hoạt tài khoản, đề nghị liên hệ tổng đài tiếp nhận, giải quyết yêu cầu về định danh và xác thực điện tử",
            "The time to activate the account has ended: contact the hotline for electronic identification and authentication",
        ),
        Message::RequestNotAccepted => (
            "Yêu cầu không được chấp nhận, đề nghị kiểm tra lại thông tin",
            "The request was not accepted: please check what you entered",
        ),
        Message::KeptByLaw => (
            "Thông tin này phải được lưu trữ theo quy định của pháp luật",
            "The law requires these data to be kept",
        ),
        Message::PhoneChanged => (
            "Số điện thoại của tài khoản định danh điện tử của bạn đã được thay đổi. Nếu không phải bạn thực hiện, đề nghị liên hệ tổng đài",
            "The phone number of your electronic identification account was changed. If that was not you, contact the hotline",
        ),
        Message::DeviceChanged => (
            "Thiết bị của tài khoản định danh điện tử của bạn đã được thay đổi. Nếu không phải bạn thực hiện, đề nghị liên hệ tổng đài",
            "The device of your electronic identification account was changed. If that was not you, contact the hotline",
        ),
        Message::LockChanged => (
            "Trạng thái khóa của tài khoản định danh điện tử của bạn đã được thay đổi",
            "The lock of your electronic identification account was changed",
        ),
        Message::LockRemains => (
            "Một căn cứ khóa tài khoản định danh điện tử của bạn đã hết, tài khoản vẫn bị khóa vì còn căn cứ khác",
            "One ground for the lock of your electronic identification account has ended; it stays locked on another",
        ),
        Message::LockRequestRefused => (
            "Yêu cầu khóa, mở khóa tài khoản định danh điện tử đã bị từ chối bằng văn bản có nêu lý do",
            "A request to lock or unlock your electronic identification account was refused in writing, with its reasons",
        ),
        Message::CardExpiry => (
            "Thẻ căn cước công dân gắn chíp của bạn sắp hết hạn, đề nghị làm thủ tục cấp đổi",
            "Your chip card will expire soon: please have it exchanged",
        ),
        Message::Birthday => ("Chúc mừng sinh nhật bạn", "Happy birthday"),
        Message::LinkedProcedure => (
            "Đã có kết quả giải quyết thủ tục hành chính liên thông của bạn",
            "The result of your linked administrative procedure is there",
        ),
    };
    lang.pick(vi, en)
}

/// Fills a message's named places. A place without a value stays as it is.
pub fn render(message: Message, lang: Lang, values: &[(&str, &str)]) -> String {
    let mut text = message_text(message, lang).to_owned();
    for (name, value) in values {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}

/// A security question.
pub fn question_text(question: QuestionId, lang: Lang) -> &'static str {
    let (vi, en) = match question {
        QuestionId::FirstSchool => (
            "Tên trường học đầu tiên của bạn là gì?",
            "What was the name of your first school?",
        ),
        QuestionId::FirstTeacher => (
            "Tên thầy giáo, cô giáo đầu tiên của bạn là gì?",
            "What was the name of your first teacher?",
        ),
        QuestionId::ChildhoodFriend => (
            "Tên người bạn thời thơ ấu của bạn là gì?",
            "What is the name of your childhood friend?",
        ),
        QuestionId::FavouriteDish => (
            "Món ăn yêu thích của bạn là gì?",
            "What is your favourite dish?",
        ),
        QuestionId::MothersVillage => (
            "Quê của mẹ bạn ở đâu?",
            "Where is your mother's home village?",
        ),
        QuestionId::FirstJob => (
            "Công việc đầu tiên của bạn là gì?",
            "What was your first job?",
        ),
    };
    lang.pick(vi, en)
}

/// A role (spec A.1).
pub fn role_name(role: Role, lang: Lang) -> &'static str {
    let (vi, en) = match role {
        Role::Ledger => ("sổ cái", "the ledger"),
        Role::Citizen => ("công dân", "citizen"),
        Role::IntakeOfficer => ("cán bộ tiếp nhận", "intake officer"),
        Role::EidAuthority => (
            "cơ quan quản lý định danh và xác thực điện tử",
            "electronic identification and authentication authority",
        ),
        Role::RegistryAdapter => ("cổng kết nối cơ sở dữ liệu", "registry adapter"),
        Role::Clock => ("đồng hồ hệ thống", "the clock"),
        Role::HotlineAgent => ("tổng đài viên", "hotline agent"),
        Role::CompetentAuthority => ("cơ quan có thẩm quyền", "competent authority"),
        Role::RelyingParty => ("cơ quan, tổ chức cung cấp dịch vụ", "relying party"),
        Role::Operator => ("người vận hành", "operator"),
        Role::Reader => ("người đọc", "reader"),
        Role::Guardian => ("cha, mẹ, người giám hộ", "parent or guardian"),
        Role::ImmigrationOfficer => ("cán bộ quản lý xuất nhập cảnh", "immigration officer"),
        Role::Representative => ("người đại diện theo pháp luật", "legal representative"),
        Role::Importer => ("người nhập dữ liệu", "importer"),
    };
    lang.pick(vi, en)
}

//! One row per refusal: its stable text code and what it says. A code is never renamed.

use super::Lang;
use crate::vocabulary::RefusalCode;

// Rows are longer than a line: a table reads best one row a line.
/// Makes the two look-ups from one table; a code without a row does not compile.
macro_rules! refusals {
    ($( $name:ident = $code:literal, $vi:literal, $en:literal; )*) => {
        /// The stable code (spec A.8): `MSG_…` where the catalogue of A.7 has the message.
        pub const fn refusal_code(code: RefusalCode) -> &'static str {
            match code { $( RefusalCode::$name => $code, )* }
        }

        /// What it says, for people. Never about the single case.
        pub fn refusal_text(code: RefusalCode, lang: Lang) -> &'static str {
            match code { $( RefusalCode::$name => lang.pick($vi, $en), )* }
        }
    };
}

refusals! {
    PersonalIdFormat = "PIN_FORMAT", "Số định danh cá nhân phải gồm 12 chữ số", "A personal identification number is twelve digits";
    PhoneFormat = "PHONE_FORMAT", "Số điện thoại không hợp lệ", "The phone number is not valid";
    PersonalIdAlreadyRegistered = "PIN_ALREADY_REGISTERED", "Số định danh cá nhân này đã có tài khoản", "There is an account under this personal identification number";
    PhoneInUse = "PHONE_IN_USE", "Số điện thoại này đang được dùng cho một tài khoản", "This phone number is in use";
    DataMismatch = "MSG_DATA_MISMATCH", "Thông tin không khớp với cơ sở dữ liệu, đề nghị điều chỉnh lại", "The data do not match the registry's: please correct them";
    RegistryUnavailable = "REGISTRY_UNAVAILABLE", "Cơ sở dữ liệu không trả lời, đề nghị thử lại sau", "The registry did not answer: please try again later";
    OtpNotOpen = "OTP_NOT_OPEN", "Không có mã xác thực nào đang chờ", "No code is awaited";
    OtpWrong = "OTP_WRONG", "Mã xác thực không đúng", "The code is wrong";
    OtpExpired = "OTP_EXPIRED", "Mã xác thực đã hết hạn", "The code has expired";
    OtpAttemptsExhausted = "OTP_ATTEMPTS_EXHAUSTED", "Đã nhập sai mã xác thực quá số lần cho phép", "The code was entered wrongly too often";
    OtpResendTooSoon = "OTP_RESEND_TOO_SOON", "Mã vừa được gửi, đề nghị chờ trước khi yêu cầu lại", "A code was sent a moment ago: please wait before asking again";
    OtpNotVerified = "OTP_NOT_VERIFIED", "Chưa xác thực mã OTP", "No code was verified in this procedure";
    PasswordBlocklisted = "PASSWORD_BLOCKLISTED", "Mật khẩu quá phổ biến", "The password is too common";
    PasswordAlreadySet = "PASSWORD_ALREADY_SET", "Tài khoản đã có mật khẩu", "There is a password already";
    AccountClosed = "ACCOUNT_CLOSED", "Tài khoản đã đóng", "The account is closed";
    Locked = "LOCKED", "Tài khoản đang bị khóa", "The account is locked";
    CredentialWrong = "CREDENTIAL_WRONG", "Thông tin đăng nhập không đúng", "The password or passcode is wrong";
    Throttled = "THROTTLED", "Đã nhập sai quá số lần cho phép, đề nghị thử lại sau", "It was wrong too often: please try again later";
    DeviceNotBound = "DEVICE_NOT_BOUND", "Thiết bị chưa được gắn với tài khoản", "The device is not bound to the account";
    NotAppAccount = "NOT_APP_ACCOUNT", "Chưa có tài khoản ứng dụng", "There is no app account";
    UnderAge = "UNDER_AGE", "Chưa đủ 14 tuổi", "Younger than fourteen full years";
    NoChipCard = "NO_CHIP_CARD", "Chưa có thẻ căn cước công dân gắn chíp", "There is no chip card";
    EvidenceInvalid = "EVIDENCE_INVALID", "Thông tin đọc từ thẻ không hợp lệ", "What was read from the card is not valid";
    AlreadyLevel1 = "ALREADY_LEVEL_1", "Tài khoản đã được cấp mức độ 1", "Level 1 is held already";
    AlreadyLevel2 = "ALREADY_LEVEL_2", "Tài khoản đã được cấp mức độ 2", "Level 2 is held already";
    CaseOpen = "CASE_OPEN", "Đang có hồ sơ chờ giải quyết", "An application is under way";
    CaseNotOpen = "CASE_NOT_OPEN", "Không có hồ sơ ở trạng thái này", "No such application is in that state";
    OfficerNotAuthorised = "OFFICER_NOT_AUTHORISED", "Cán bộ không có thẩm quyền tại đây", "The officer may not act here";
    SiteNotOpen = "SITE_NOT_OPEN", "Điểm tiếp nhận chưa hoạt động vào ngày này", "The intake site is not open on this day";
    PersonNotPresent = "PERSON_NOT_PRESENT", "Công dân phải có mặt", "The person must be present";
    CaptureQuality = "CAPTURE_QUALITY", "Ảnh hoặc vân tay không đủ chất lượng", "The capture is not good enough";
    ConsentRefused = "CONSENT_REFUSED", "Công dân không đồng ý tạo tài khoản", "Consent was refused";
    EvidenceMissing = "EVIDENCE_MISSING", "Hồ sơ còn thiếu", "Evidence is missing";
    RequestNotOpen = "REQUEST_NOT_OPEN", "Không có yêu cầu xác thực nào đang chờ", "No such question is open";
    ChecksIncomplete = "CHECKS_INCOMPLETE", "Chưa đủ kết quả xác thực", "Checks are missing";
    NotDecided = "NOT_DECIDED", "Hồ sơ chưa có quyết định", "The application is not decided";
    NoChannel = "NO_CHANNEL", "Không có kênh liên hệ", "There is no channel to reach the person";
    RequestNotAccepted = "MSG_REQUEST_NOT_ACCEPTED", "Yêu cầu không được chấp nhận", "The request was not accepted";
    NotIdentified = "MSG_NOT_IDENTIFIED", "Tài khoản chưa được định danh điện tử", "The account has not been electronically identified";
    AlreadyActivated = "MSG_ALREADY_ACTIVATED", "Tài khoản đã được kích hoạt", "The account has already been activated";
    UseOtherDevice = "MSG_USE_OTHER_DEVICE", "Thiết bị đang dùng với tài khoản khác", "The device is active for another account";
    ActivationWindowEnded = "MSG_ACTIVATION_WINDOW_ENDED", "Đã quá thời hạn kích hoạt", "The time to activate has ended";
    WindowNotOverdue = "WINDOW_NOT_OVERDUE", "Chưa quá thời hạn kích hoạt", "The time to activate has not ended";
    DeadlineNotPassed = "DEADLINE_NOT_PASSED", "Thời hạn chưa hết", "The deadline has not passed";
    PasscodeFormat = "PASSCODE_FORMAT", "Passcode phải gồm đúng 6 chữ số", "A passcode is exactly six digits";
    PasscodeBlocklisted = "PASSCODE_BLOCKLISTED", "Passcode quá phổ biến", "The passcode is too common";
    QuestionCount = "QUESTION_COUNT", "Phải chọn đúng 2 câu hỏi bảo mật khác nhau", "Exactly two different security questions are needed";
    QuestionUnknown = "QUESTION_UNKNOWN", "Câu hỏi bảo mật không có trong danh sách", "The security question is not of the list";
    StepOutOfOrder = "STEP_OUT_OF_ORDER", "Bước trước chưa hoàn thành", "Another step comes first";
    StepUpFailed = "STEP_UP_FAILED", "Xác thực bổ sung không thành công", "The second proof failed";
    ProofFailed = "PROOF_FAILED", "Không chứng minh được danh tính", "The proof of identity failed";
    NotActivated = "NOT_ACTIVATED", "Tài khoản chưa được kích hoạt", "The account is not activated";
    LevelTooLow = "LEVEL_TOO_LOW", "Mức độ tài khoản chưa đủ", "The level of the account does not suffice";
    RegistryNotFound = "REGISTRY_NOT_FOUND", "Không tìm thấy dữ liệu", "The registry does not know it";
    RegistryMismatch = "REGISTRY_MISMATCH", "Thông tin không khớp với cơ sở dữ liệu", "The registry's data differ";
    OwnerMismatch = "OWNER_MISMATCH", "Giấy tờ thuộc người khác", "The document belongs to somebody else";
    DocumentNotLinked = "DOCUMENT_NOT_LINKED", "Giấy tờ chưa được tích hợp", "The document is not linked";
    GroundNotLawful = "GROUND_NOT_LAWFUL", "Không có căn cứ theo quy định", "The ground is not lawful for whoever asks";
    GroundNotPresent = "GROUND_NOT_PRESENT", "Tài khoản không bị khóa vì căn cứ này", "The account is not locked on this ground";
    OtherGroundRemains = "OTHER_GROUND_REMAINS", "Còn căn cứ khác để khóa tài khoản", "Another ground remains";
    RetentionForbids = "RETENTION_FORBIDS", "Thông tin phải được lưu trữ theo quy định", "The law forbids erasure";
    RoleNotAllowed = "ROLE_NOT_ALLOWED", "Không có quyền thực hiện", "This role may not do this";
    DocumentFormat = "DOCUMENT_FORMAT", "Số giấy tờ không hợp lệ", "The document number is not valid";
    DocumentAlreadyLinked = "DOCUMENT_ALREADY_LINKED", "Loại giấy tờ này đã được tích hợp", "A document of this kind is linked already";
    AccountNotFound = "ACCOUNT_NOT_FOUND", "Không có tài khoản", "There is no such account";
    PasswordFormat = "PASSWORD_FORMAT", "Mật khẩu quá ngắn hoặc quá dài", "The password is too short or too long";
    ResultNotNotified = "RESULT_NOT_NOTIFIED", "Chưa có thông báo kết quả nên chưa thể kích hoạt", "The result was not notified yet, so activation is not open";
    LawMalformed = "LAW_MALFORMED", "Văn bản không đúng cấu trúc hoặc khác với nội dung đã ký", "The version is not well formed, or not what was signed";
    BackdatedWithoutBasis = "BACKDATED_WITHOUT_BASIS", "Hiệu lực trở về trước phải có căn cứ pháp lý", "A version that reaches into the past must name its legal basis";
    LawOverlaps = "LAW_OVERLAPS", "Thời gian hiệu lực trùng với phiên bản khác", "It lies over another version that is in force or will be";
    LawNotProposed = "LAW_NOT_PROPOSED", "Không có đề xuất này hoặc đề xuất đã được giải quyết", "There is no such open proposal";
    LawDiffers = "LAW_DIFFERS", "Đề xuất khác với nội dung đã ký", "The proposal is not what was signed";
    SamePersonApproves = "SAME_PERSON_APPROVES", "Người đề xuất không được tự phê duyệt", "Whoever proposed it may not approve it";
    PasscodeWrong = "PASSCODE_WRONG", "Passcode không đúng", "The passcode is wrong";
    FieldNotEntitled = "FIELD_NOT_ENTITLED", "Có trường thông tin tài khoản không được chia sẻ", "A field is not one this account may share";
    FieldNotAvailable = "FIELD_NOT_AVAILABLE", "Có trường thông tin không có dữ liệu", "There is nothing to share under a field";
    RelyingPartyUnknown = "RELYING_PARTY_UNKNOWN", "Không có cơ quan, tổ chức cung cấp dịch vụ này", "There is no such relying party";
    ShareNotFound = "SHARE_NOT_FOUND", "Không có lượt chia sẻ này", "There is no such share";
    ShareOfAnother = "SHARE_OF_ANOTHER", "Lượt chia sẻ dành cho cơ quan, tổ chức khác", "The share was granted to another relying party";
    ShareExpired = "SHARE_EXPIRED", "Lượt chia sẻ đã hết hạn", "The share has expired";
    ShareAlreadyUsed = "SHARE_ALREADY_USED", "Lượt chia sẻ đã được sử dụng", "The share was used already";
    LockRequestNotOpen = "LOCK_REQUEST_NOT_OPEN", "Không có yêu cầu khóa, mở khóa nào đang chờ", "No such request to lock or unlock is open";
    LockRequestPending = "LOCK_REQUEST_PENDING", "Đã có yêu cầu theo căn cứ này đang chờ giải quyết", "A request on this ground is open already";
    ReasonMissing = "REASON_MISSING", "Phải nêu rõ lý do bằng văn bản", "Reasons in writing are needed";
    NotGuardian = "NOT_GUARDIAN", "Không phải cha, mẹ hoặc người giám hộ theo cơ sở dữ liệu", "The registry does not know this person as the guardian";
    NotDependant = "NOT_DEPENDANT", "Không phải người chưa đủ 14 tuổi hoặc người được giám hộ", "Neither younger than fourteen nor a ward";
    DependantAlreadyLinked = "DEPENDANT_ALREADY_LINKED", "Người phụ thuộc đã được đăng ký", "The dependant is registered already";
    DependantLimit = "DEPENDANT_LIMIT", "Đã đăng ký tối đa số người phụ thuộc", "No more dependants can be registered";
    DependantNotLinked = "DEPENDANT_NOT_LINKED", "Người phụ thuộc chưa được đăng ký", "There is no such dependant";
    OwnAccountNotAllowed = "OWN_ACCOUNT_NOT_ALLOWED", "Người phụ thuộc chỉ được đăng ký theo tài khoản của cha, mẹ hoặc người giám hộ", "A dependant is registered under the guardian's account only";
    GuardianConsentMissing = "GUARDIAN_CONSENT_MISSING", "Chưa có sự đồng ý và xác nhận của cha, mẹ hoặc người giám hộ", "The guardian has not agreed";
    WrongHolderSort = "WRONG_HOLDER_SORT", "Thủ tục dành cho đối tượng khác", "The procedure is for another sort of holder";
    TravelDocumentExpired = "TRAVEL_DOCUMENT_EXPIRED", "Hộ chiếu hoặc giấy tờ đi lại đã hết hạn", "The travel document has expired";
    ResidenceMissing = "RESIDENCE_MISSING", "Chưa có thẻ thường trú hoặc thẻ tạm trú", "There is no permanent or temporary residence card";
    OrganisationFormat = "ORGANISATION_FORMAT", "Mã số hoặc tên cơ quan, tổ chức không hợp lệ", "The organisation's number or name is not valid";
    NotRepresentative = "NOT_REPRESENTATIVE", "Không phải người đại diện theo pháp luật của cơ quan, tổ chức này", "Not a legal representative of this organisation";
    AgreementMissing = "AGREEMENT_MISSING", "Chưa có sự đồng ý của tất cả người đại diện theo pháp luật khác", "Not all other legal representatives have agreed";
    RepresentativeLimit = "REPRESENTATIVE_LIMIT", "Quá nhiều người đại diện theo pháp luật", "There are too many legal representatives";
    RepresentativeUnchanged = "REPRESENTATIVE_UNCHANGED", "Người này đang là người đại diện", "This person represents the organisation already";
    TimesOutOfOrder = "TIMES_OUT_OF_ORDER", "Thời điểm cấp, kích hoạt không hợp lý", "The times of issue and activation are not in order";
    NoLawInForce = "NO_LAW_IN_FORCE", "Tại thời điểm đó chưa có chính sách nào có hiệu lực", "No policy was in force at that time";
    SourceMissing = "SOURCE_MISSING", "Thiếu nguồn, hoặc nguồn làm lộ thông tin cá nhân", "No source document, or a reference that could give a person away";
    ValidityUnknown = "VALIDITY_UNKNOWN", "Không có ngày hết hạn hợp lệ", "There is no good last day";
    DocumentLimit = "DOCUMENT_LIMIT", "Đã tích hợp tối đa số giấy tờ", "No more documents can be linked";
    EvidenceTooWeak = "EVIDENCE_TOO_WEAK", "Phải đọc chíp thẻ CCCD: mã QR không đủ tin cậy", "The card's chip must be read: its QR is not proof enough";
}

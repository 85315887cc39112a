//! Every code a problem can have. The set is part of the contract: a code is added, never renamed.

use axum::http::StatusCode;
use domain::messages::{refusal_code, refusal_text};
use domain::vocabulary::RefusalCode;

pub use domain::messages::Lang as Language;

/// The language's tag (BCP 47).
pub const fn tag(language: Language) -> &'static str {
    match language {
        Language::Vi => "vi",
        Language::En => "en",
    }
}

/// Makes the enum, its list, and one row per code: text, status, title in English and Vietnamese.
macro_rules! codes {
    ($( $(#[$doc:meta])* $name:ident = $text:literal, $status:ident, $en:literal, $vi:literal; )*) => {
        /// What went wrong, for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $( $(#[$doc])* $name, )*
            /// A rule of the domain said no; the refusal is a recorded event.
            Refused(RefusalCode),
        }

        impl Code {
            /// Every code that is not a domain refusal.
            pub const OWN: &'static [Self] = &[ $( Self::$name, )* ];

            /// Its stable text.
            pub fn text(self) -> String {
                match self {
                    $( Self::$name => $text.to_owned(), )*
                    Self::Refused(code) => refusal_code(code).to_owned(),
                }
            }

            /// Its HTTP status.
            pub const fn status(self) -> StatusCode {
                match self {
                    $( Self::$name => StatusCode::$status, )*
                    Self::Refused(code) => refusal_status(code),
                }
            }

            /// A short human text for the code; never about the single case.
            pub fn title(self, language: Language) -> String {
                match (self, language) {
                    $( (Self::$name, Language::En) => $en.to_owned(), )*
                    $( (Self::$name, Language::Vi) => $vi.to_owned(), )*
                    (Self::Refused(code), _) => refusal_text(code, language).to_owned(),
                }
            }
        }
    };
}

codes! {
    /// The body is not JSON.
    MalformedJson = "MALFORMED_JSON", BAD_REQUEST,
        "The body is not well-formed JSON", "Nội dung không phải JSON hợp lệ";
    /// The body is not UTF-8.
    InvalidUtf8 = "INVALID_UTF8", BAD_REQUEST,
        "The body is not valid UTF-8", "Nội dung không phải UTF-8 hợp lệ";
    /// There is no body.
    BodyMissing = "BODY_MISSING", BAD_REQUEST,
        "A JSON body is needed", "Thiếu nội dung JSON";
    /// The body is over the limit.
    BodyTooLarge = "BODY_TOO_LARGE", PAYLOAD_TOO_LARGE,
        "The body is too large", "Nội dung quá lớn";
    /// The body is not declared as JSON.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", UNSUPPORTED_MEDIA_TYPE,
        "The content type must be application/json", "Kiểu nội dung phải là application/json";
    /// A field that is not known.
    UnknownField = "UNKNOWN_FIELD", UNPROCESSABLE_ENTITY,
        "A field is not known", "Có trường không được biết";
    /// A field that is missing.
    MissingField = "MISSING_FIELD", UNPROCESSABLE_ENTITY,
        "A field is missing", "Thiếu một trường";
    /// A field that stands there twice.
    DuplicateField = "DUPLICATE_FIELD", UNPROCESSABLE_ENTITY,
        "A field stands there twice", "Một trường bị lặp lại";
    /// A field of another type or not of its list.
    WrongType = "WRONG_TYPE", UNPROCESSABLE_ENTITY,
        "A field has the wrong type or is not of its list",
        "Một trường sai kiểu hoặc không thuộc danh sách cho phép";
    /// A field whose text has not the form it must have.
    InvalidValue = "INVALID_VALUE", UNPROCESSABLE_ENTITY,
        "A field does not have the required form", "Một trường không đúng định dạng";
    /// A signed body without salt.
    SaltMissing = "SALT_MISSING", UNPROCESSABLE_ENTITY,
        "A signed body must carry at least 16 random bytes as `salt`",
        "Nội dung được ký phải có `salt` tối thiểu 16 byte ngẫu nhiên";
    /// A secret in a signed body.
    SecretInSignedBody = "SECRET_IN_SIGNED_BODY", UNPROCESSABLE_ENTITY,
        "A signed request carries secrets in the Idledger-Secret header, never in its body",
        "Yêu cầu được ký phải gửi bí mật qua tiêu đề Idledger-Secret, không nằm trong nội dung";
    /// The query string.
    QueryInvalid = "QUERY_INVALID", BAD_REQUEST,
        "A query parameter is not known or not valid", "Tham số truy vấn không hợp lệ";
    /// An id in the path.
    IdInvalid = "ID_INVALID", BAD_REQUEST,
        "An identifier in the path is not valid", "Định danh trong đường dẫn không hợp lệ";
    /// A header.
    HeaderInvalid = "HEADER_INVALID", BAD_REQUEST,
        "A request header is not valid", "Tiêu đề của yêu cầu không hợp lệ";
    /// The cursor of a page.
    CursorInvalid = "CURSOR_INVALID", BAD_REQUEST,
        "The cursor is not one that this service gave out", "Con trỏ trang không hợp lệ";
    /// No such route.
    NotFound = "NOT_FOUND", NOT_FOUND,
        "There is nothing here", "Không có tài nguyên này";
    /// No such event.
    EventNotFound = "EVENT_NOT_FOUND", NOT_FOUND,
        "There is no such event", "Không có sự kiện này";
    /// Another method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED,
        "This method is not allowed here", "Phương thức không được phép";
    /// The key's data are destroyed.
    PersonalDataErased = "PERSONAL_DATA_ERASED", GONE,
        "The personal data were erased", "Dữ liệu cá nhân đã bị xóa";

    /// Nobody said who they are.
    AuthenticationRequired = "AUTHENTICATION_REQUIRED", UNAUTHORIZED,
        "Authentication is required", "Yêu cầu xác thực";
    /// The request must be signed.
    SignatureRequired = "SIGNATURE_REQUIRED", UNAUTHORIZED,
        "This request must be signed (RFC 9421, Ed25519)",
        "Yêu cầu này phải được ký (RFC 9421, Ed25519)";
    /// A bearer token that is not known.
    TokenInvalid = "TOKEN_INVALID", UNAUTHORIZED,
        "The bearer token is not valid", "Mã truy cập không hợp lệ";
    /// A session that ended.
    SessionExpired = "SESSION_EXPIRED", UNAUTHORIZED,
        "The session has ended", "Phiên làm việc đã kết thúc";
    /// The signature's headers.
    SignatureMalformed = "SIGNATURE_MALFORMED", BAD_REQUEST,
        "The signature headers are not valid", "Tiêu đề chữ ký không hợp lệ";
    /// A component is not covered.
    SignatureIncomplete = "SIGNATURE_INCOMPLETE", BAD_REQUEST,
        "The signature does not cover what it must", "Chữ ký không bao gồm đủ thành phần";
    /// Too old or too new.
    SignatureSkewed = "SIGNATURE_SKEWED", UNAUTHORIZED,
        "The signature's time is too far from the server's",
        "Thời điểm của chữ ký lệch quá xa so với máy chủ";
    /// It does not verify.
    SignatureInvalid = "SIGNATURE_INVALID", UNAUTHORIZED,
        "The signature does not verify", "Chữ ký không đúng";
    /// Nobody has this key, or not any more.
    KeyUnknown = "KEY_UNKNOWN", UNAUTHORIZED,
        "The signing key is not enrolled", "Khóa ký chưa được đăng ký";
    /// A weak key.
    KeyWeak = "KEY_WEAK", UNPROCESSABLE_ENTITY,
        "The key is weak or malformed", "Khóa yếu hoặc sai dạng";
    /// Another body was digested.
    DigestMismatch = "DIGEST_MISMATCH", BAD_REQUEST,
        "The body is not the one in content-digest", "Nội dung không khớp với content-digest";
    /// A nonce was used before.
    NonceReplayed = "NONCE_REPLAYED", UNAUTHORIZED,
        "The nonce was used before", "Số nonce đã được dùng";
    /// Known, and not allowed.
    AccessDenied = "ACCESS_DENIED", FORBIDDEN,
        "This caller may not do this", "Người gọi không được phép thực hiện";

    /// The key's form.
    IdempotencyKeyInvalid = "IDEMPOTENCY_KEY_INVALID", BAD_REQUEST,
        "Idempotency-Key is 22 to 64 characters of A-Z a-z 0-9 - _",
        "Idempotency-Key gồm 22 đến 64 ký tự A-Z a-z 0-9 - _";
    /// The key was used for another request.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", UNPROCESSABLE_ENTITY,
        "The idempotency key was used for another request",
        "Khóa idempotency đã được dùng cho yêu cầu khác";
    /// The first request with this key is still under way.
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS", CONFLICT,
        "The request with this idempotency key is still being carried out",
        "Yêu cầu với khóa idempotency này đang được xử lý";
    /// `If-Match` is not the account's revision.
    ExpectedRevision = "EXPECTED_REVISION", PRECONDITION_FAILED,
        "The account has changed since the revision in If-Match",
        "Tài khoản đã thay đổi kể từ phiên bản trong If-Match";
    /// Others kept changing the account.
    Contended = "CONTENDED", CONFLICT,
        "The account kept changing meanwhile; try again",
        "Tài khoản liên tục thay đổi; hãy thử lại";

    /// Too often.
    RateLimited = "RATE_LIMITED", TOO_MANY_REQUESTS,
        "Too many requests", "Quá nhiều yêu cầu";
    /// Too much at once.
    Overloaded = "OVERLOADED", SERVICE_UNAVAILABLE,
        "The service is at its limit; try again", "Dịch vụ đang quá tải; hãy thử lại";
    /// Shutting down.
    Draining = "DRAINING", SERVICE_UNAVAILABLE,
        "The service is shutting down", "Dịch vụ đang dừng";
    /// Took too long.
    Timeout = "TIMEOUT", GATEWAY_TIMEOUT,
        "The request took too long; with the same Idempotency-Key it can be sent again",
        "Yêu cầu quá thời gian; có thể gửi lại với cùng Idempotency-Key";
    /// A read model has not come so far.
    ProjectionBehind = "PROJECTION_BEHIND", SERVICE_UNAVAILABLE,
        "The read model has not reached this position yet",
        "Dữ liệu đọc chưa cập nhật đến vị trí này";
    /// No checkpoint speaks of it yet.
    NotSealed = "NOT_SEALED", SERVICE_UNAVAILABLE,
        "No signed checkpoint speaks of this event yet",
        "Chưa có điểm kiểm tra đã ký nào bao gồm sự kiện này";
    /// By the log's policy nothing new is recorded until witnesses have cosigned what there is.
    WitnessesMissing = "WITNESSES_MISSING", SERVICE_UNAVAILABLE,
        "Too few witnesses have cosigned the log; nothing was recorded, try again",
        "Chưa đủ nhân chứng ký xác nhận nhật ký; chưa ghi nhận gì, hãy thử lại";
    /// The transparency log cannot be read.
    LogUnavailable = "LOG_UNAVAILABLE", SERVICE_UNAVAILABLE,
        "The transparency log cannot be read", "Không đọc được nhật ký minh bạch";
    /// A stream too long for one proof.
    ProofTooLarge = "PROOF_TOO_LARGE", UNPROCESSABLE_ENTITY,
        "The stream is too long for one proof", "Luồng sự kiện quá dài cho một bằng chứng";
    /// A read model stopped or is damaged.
    ProjectionFailed = "PROJECTION_FAILED", SERVICE_UNAVAILABLE,
        "The read model cannot answer", "Dữ liệu đọc không sẵn sàng";
    /// No more subscribers.
    TooManySubscribers = "TOO_MANY_SUBSCRIBERS", SERVICE_UNAVAILABLE,
        "Too many event feeds are open", "Quá nhiều luồng sự kiện đang mở";

    /// May have been written.
    OutcomeUncertain = "OUTCOME_UNCERTAIN", SERVICE_UNAVAILABLE,
        "The outcome is uncertain; send the same request again with the same Idempotency-Key",
        "Chưa rõ kết quả; hãy gửi lại cùng yêu cầu với cùng Idempotency-Key";
    /// The store did not do it.
    StoreFailed = "STORE_FAILED", SERVICE_UNAVAILABLE,
        "The event store failed; nothing was acknowledged",
        "Kho sự kiện gặp lỗi; chưa có gì được xác nhận";
    /// No room.
    StorageFull = "STORAGE_FULL", INSUFFICIENT_STORAGE,
        "The storage is full; nothing was acknowledged",
        "Hết dung lượng lưu trữ; chưa có gì được xác nhận";
    /// The record does not verify.
    LedgerCorrupt = "LEDGER_CORRUPT", INTERNAL_SERVER_ERROR,
        "A stored record does not verify", "Một bản ghi lưu trữ không kiểm chứng được";
    /// The vault failed.
    VaultFailed = "VAULT_FAILED", SERVICE_UNAVAILABLE,
        "The key vault or a registry failed", "Kho khóa hoặc cơ sở dữ liệu gặp lỗi";
    /// A bug.
    Internal = "INTERNAL", INTERNAL_SERVER_ERROR,
        "Something went wrong inside", "Có lỗi bên trong";
}

/// The status of a refusal: 422 what was said is not right, 409 the account is not in that state,
/// 403 not for this caller, 404 nothing there, 429 too often, 503 another's failure.
// One row a code: a table reads best whole.
#[allow(clippy::too_many_lines)]
const fn refusal_status(code: RefusalCode) -> StatusCode {
    use RefusalCode as R;
    match code {
        R::AccountNotFound
        | R::DocumentNotLinked
        | R::LawNotProposed
        | R::ShareNotFound
        | R::DependantNotLinked => StatusCode::NOT_FOUND,
        R::RegistryUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        R::Throttled | R::OtpResendTooSoon | R::OtpAttemptsExhausted => {
            StatusCode::TOO_MANY_REQUESTS
        }
        R::CredentialWrong
        | R::Locked
        | R::DeviceNotBound
        | R::OfficerNotAuthorised
        | R::StepUpFailed
        | R::ProofFailed
        | R::LevelTooLow
        | R::OwnerMismatch
        | R::GroundNotLawful
        | R::RetentionForbids
        | R::RoleNotAllowed
        | R::SamePersonApproves
        | R::ConsentRefused
        | R::UnderAge
        | R::PasscodeWrong
        | R::FieldNotEntitled
        | R::ShareOfAnother
        | R::NotGuardian
        | R::NotDependant
        | R::OwnAccountNotAllowed
        | R::GuardianConsentMissing
        | R::TravelDocumentExpired
        | R::ResidenceMissing
        | R::NotRepresentative
        | R::RequestNotAccepted => StatusCode::FORBIDDEN,
        R::PersonalIdFormat
        | R::PhoneFormat
        | R::DataMismatch
        | R::OtpWrong
        | R::OtpExpired
        | R::PasswordBlocklisted
        | R::PasswordFormat
        | R::PasscodeFormat
        | R::PasscodeBlocklisted
        | R::NoChipCard
        | R::EvidenceInvalid
        | R::EvidenceTooWeak
        | R::EvidenceMissing
        | R::CaptureQuality
        | R::PersonNotPresent
        | R::NoChannel
        | R::QuestionCount
        | R::QuestionUnknown
        | R::RegistryNotFound
        | R::RegistryMismatch
        | R::LawMalformed
        | R::BackdatedWithoutBasis
        | R::FieldNotAvailable
        | R::RelyingPartyUnknown
        | R::ReasonMissing
        | R::ValidityUnknown
        | R::OrganisationFormat
        | R::RepresentativeLimit
        | R::TimesOutOfOrder
        | R::NoLawInForce
        | R::SourceMissing
        | R::DocumentFormat => StatusCode::UNPROCESSABLE_ENTITY,
        R::PersonalIdAlreadyRegistered
        | R::PhoneInUse
        | R::OtpNotOpen
        | R::OtpNotVerified
        | R::PasswordAlreadySet
        | R::AccountClosed
        | R::NotAppAccount
        | R::AlreadyLevel1
        | R::AlreadyLevel2
        | R::CaseOpen
        | R::CaseNotOpen
        | R::SiteNotOpen
        | R::RequestNotOpen
        | R::ChecksIncomplete
        | R::NotDecided
        | R::ResultNotNotified
        | R::DocumentLimit
        | R::NotIdentified
        | R::AlreadyActivated
        | R::UseOtherDevice
        | R::ActivationWindowEnded
        | R::WindowNotOverdue
        | R::DeadlineNotPassed
        | R::StepOutOfOrder
        | R::NotActivated
        | R::GroundNotPresent
        | R::OtherGroundRemains
        | R::LawOverlaps
        | R::LawDiffers
        | R::DependantAlreadyLinked
        | R::DependantLimit
        | R::ShareExpired
        | R::ShareAlreadyUsed
        | R::LockRequestNotOpen
        | R::LockRequestPending
        | R::WrongHolderSort
        | R::AgreementMissing
        | R::RepresentativeUnchanged
        | R::DocumentAlreadyLinked => StatusCode::CONFLICT,
    }
}

//! Events in words, Vietnamese and English, for people who read an audit trail.
//!
//! Owns the sentences. They say only what stands in the open facts, so nothing personal can appear
//! in them. JSON output carries the facts themselves; nobody should parse these.

mod outside;
mod terms;

pub use terms::{Lang, term};

use crate::time::{Zone, day as show_day, show};
use domain::envelope::{Actor, Refused};
use domain::event::Event;
use domain::vocabulary::Level;

/// One event as a sentence without a full stop.
pub fn sentence(event: &Event, lang: Lang, zone: Zone) -> String {
    let words = Words { lang, zone };
    words
        .procedure(event)
        .or_else(|| words.usage(event))
        .or_else(|| words.sharing(event))
        .or_else(|| words.holders(event))
        .or_else(|| words.outside(event))
        .or_else(|| words.ledger(event))
        .unwrap_or_else(|| event.name().to_owned())
}

/// Who acts.
pub fn actor(actor: &Actor, lang: Lang) -> String {
    let role = term(&actor.role, lang);
    if actor.principal.0 == [0; 16] {
        role
    } else {
        let id: String = actor.principal.to_string().chars().take(8).collect();
        format!("{role} {id}")
    }
}

/// A refusal: code and guard.
pub fn refusal(refused: &Refused, lang: Lang) -> String {
    lang.pick(
        format!(
            "bị từ chối: {} ({})",
            code(&refused.code),
            code(&refused.guard)
        ),
        format!(
            "refused: {} (guard {})",
            code(&refused.code),
            code(&refused.guard)
        ),
    )
}

/// The stable text of a listed value, as JSON has it.
pub fn code<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

fn level(level: Level, lang: Lang) -> String {
    let number = if level == Level::One { 1 } else { 2 };
    lang.pick(format!("mức độ {number}"), format!("level {number}"))
}

struct Words {
    lang: Lang,
    zone: Zone,
}

impl Words {
    #[allow(clippy::unnecessary_wraps)] // the value of an arm of the tables below
    fn say(&self, vi: impl Into<String>, en: impl Into<String>) -> Option<String> {
        Some(self.lang.pick(vi.into(), en.into()))
    }

    fn t<T: serde::Serialize>(&self, value: &T) -> String {
        term(value, self.lang)
    }

    /// Registration, levels 1 and 2, decision and notice (P1, P3–P6).
    // One line an event: a table reads best whole.
    #[allow(clippy::too_many_lines)]
    fn procedure(&self, event: &Event) -> Option<String> {
        match event {
            Event::AppRegistrationSubmitted(f) => self.say(
                format!("Đăng ký tài khoản ứng dụng ({})", self.t(&f.method)),
                format!("App account asked for ({})", self.t(&f.method)),
            ),
            Event::RegistryCheckRequested(f) => self.say(
                format!("Gửi yêu cầu xác thực tới {}", self.t(&f.database)),
                format!("Asked {}", self.t(&f.database)),
            ),
            Event::RegistryCheckSucceeded(f) => self.say(
                format!("{} trả lời: Đạt", self.t(&f.database)),
                format!("{} confirmed the data", self.t(&f.database)),
            ),
            Event::RegistryCheckFailed(f) => self.say(
                format!(
                    "{} trả lời: Không đạt ({})",
                    self.t(&f.database),
                    self.t(&f.outcome)
                ),
                format!(
                    "{} did not confirm: {}",
                    self.t(&f.database),
                    self.t(&f.outcome)
                ),
            ),
            Event::OtpChallengeIssued(f) => self.say(
                format!("Gửi mã OTP ({})", self.t(&f.purpose)),
                format!("One-time code sent ({})", self.t(&f.purpose)),
            ),
            Event::OtpVerified(f) => self.say(
                format!("Mã OTP đúng ({})", self.t(&f.purpose)),
                format!("One-time code was right ({})", self.t(&f.purpose)),
            ),
            Event::PhoneVerified(_) => {
                self.say("Số điện thoại đã được xác minh", "Phone number verified")
            }
            Event::PasswordSet(_) => self.say("Công dân đặt mật khẩu", "Password set"),
            Event::AppAccountCreated(_) => self.say(
                "Tài khoản ứng dụng được tạo (chưa định danh)",
                "App account created (not identified yet)",
            ),
            Event::Level1Applied(f) => self.say(
                format!(
                    "Nộp hồ sơ mức độ 1 ({}), hạn giải quyết {}",
                    self.t(&f.strength),
                    show_day(f.decide_by)
                ),
                format!(
                    "Applied for level 1 ({}), to be decided by {}",
                    self.t(&f.strength),
                    show_day(f.decide_by)
                ),
            ),
            Event::ChipEvidenceRecorded(f) => self.say(
                format!("Đọc chíp thẻ CCCD ({})", self.t(&f.evidence.strength)),
                format!("Chip card read ({})", self.t(&f.evidence.strength)),
            ),
            Event::ChipVerified(f) if f.proof.is_good() => self.say(
                "Chíp thẻ CCCD đã được xác thực (xác thực thụ động)",
                "Chip card verified (passive authentication)",
            ),
            Event::ChipVerified(f) => {
                let faults = |lang| {
                    let words: Vec<_> = f.proof.faults.iter().map(|one| term(one, lang)).collect();
                    words.join(", ")
                };
                self.say(
                    format!("Chíp thẻ CCCD không đạt: {}", faults(Lang::Vi)),
                    format!("Chip read not good: {}", faults(Lang::En)),
                )
            }
            Event::QrEvidenceRecorded(_) => self.say("Quét mã QR thẻ CCCD", "Card QR scanned"),
            Event::PortraitCaptured(f) => self.say(
                format!("Chụp ảnh chân dung (chất lượng {})", f.capture.quality),
                format!("Portrait taken (quality {})", f.capture.quality),
            ),
            Event::Level2IntakeOpened(f) => self.say(
                format!("Cán bộ mở hồ sơ mức độ 2 tại điểm {}", f.site),
                format!("Officer opened a level-2 intake at site {}", f.site),
            ),
            Event::FingerprintsCaptured(f) => self.say(
                format!("Thu nhận vân tay (chất lượng {})", f.capture.quality),
                format!("Fingerprints taken (quality {})", f.capture.quality),
            ),
            Event::ConsentRecorded(_) => {
                self.say("Công dân đồng ý lập tài khoản", "Citizen consented")
            }
            Event::Level2Applied(f) => self.say(
                format!(
                    "Nộp hồ sơ mức độ 2, hạn giải quyết {}",
                    show_day(f.decide_by)
                ),
                format!(
                    "Level-2 dossier handed in, to be decided by {}",
                    show_day(f.decide_by)
                ),
            ),
            Event::Level2Withdrawn(f) => self.say(
                format!(
                    "Hồ sơ kết thúc trước khi quyết định ({})",
                    self.t(&f.reason)
                ),
                format!(
                    "Application ended before a decision ({})",
                    self.t(&f.reason)
                ),
            ),
            Event::BiometricMatchRecorded(f) => self.say(
                format!(
                    "{} đối chiếu {}: {}",
                    self.t(&f.database),
                    self.t(&f.modality),
                    self.t(&f.result)
                ),
                format!(
                    "{} compared {}: {}",
                    self.t(&f.database),
                    self.t(&f.modality),
                    self.t(&f.result)
                ),
            ),
            Event::AccountIssued(f) => self.say(
                format!(
                    "Cấp tài khoản định danh điện tử {}",
                    level(f.level, self.lang)
                ),
                format!("Account issued at {}", level(f.level, self.lang)),
            ),
            Event::ApplicationRefused(f) => self.say(
                format!("Hồ sơ bị từ chối: {}", self.t(&f.reason)),
                format!("Application refused: {}", self.t(&f.reason)),
            ),
            Event::ProcessingDeadlineMissed(f) => self.say(
                format!("Quá hạn giải quyết ({})", show_day(f.due)),
                format!("Decision overdue (due {})", show_day(f.due)),
            ),
            Event::ResultNotified(f) => self.say(
                format!("Thông báo kết quả qua {}", self.t(&f.channel)),
                format!("Result notified ({})", self.t(&f.channel)),
            ),
            Event::ActivationWindowOpened(f) => self.say(
                format!("Thời hạn kích hoạt đến {}", show(f.deadline, self.zone)),
                format!(
                    "Activation window open until {}",
                    show(f.deadline, self.zone)
                ),
            ),
            _ => None,
        }
    }

    /// Activation, device, phone, documents, locks, refusals (P2, P7–P9, A.3, B.4).
    #[allow(clippy::too_many_lines)] // as above
    fn usage(&self, event: &Event) -> Option<String> {
        match event {
            Event::SessionOpened(_) => self.say("Đăng nhập", "Logged in"),
            Event::LoginFailed(f) => self.say(
                format!("Đăng nhập không thành công ({})", self.t(&f.outcome)),
                format!("Login turned down ({})", self.t(&f.outcome)),
            ),
            Event::ActivationRequested(_) => {
                self.say("Yêu cầu kích hoạt tài khoản", "Activation asked for")
            }
            Event::GuardianDeviceUsed(_) => self.say(
                "Kích hoạt trên thiết bị của cha, mẹ hoặc người giám hộ",
                "Activation on the guardian's own device",
            ),
            Event::DeviceCheckPassed(_) => self.say(
                "Thiết bị không gắn với tài khoản khác",
                "Device belongs to no other account",
            ),
            Event::ActivationCodeSent(_) => self.say(
                "Gửi mã kích hoạt tới số điện thoại đã đăng ký",
                "Activation code sent to the registered phone",
            ),
            Event::ActivationOtpVerified(_) => {
                self.say("Mã kích hoạt đúng", "Activation code was right")
            }
            Event::PasscodeSet(_) => self.say("Đặt passcode 6 số", "6-digit passcode set"),
            Event::SecurityQuestionsSet(_) => self.say(
                "Trả lời 2 câu hỏi bảo mật",
                "Two security questions answered",
            ),
            Event::DeviceBound(_) => self.say("Gắn thiết bị với tài khoản", "Device bound"),
            Event::AccountActivated(f) => self.say(
                format!("Tài khoản {} được kích hoạt", level(f.level, self.lang)),
                format!("Account activated at {}", level(f.level, self.lang)),
            ),
            Event::ActivationWindowExpired(_) => {
                self.say("Quá thời hạn kích hoạt", "Activation window overdue")
            }
            Event::ActivationReopened(f) => self.say(
                format!(
                    "Tổng đài mở lại kích hoạt đến {}",
                    show(f.deadline, self.zone)
                ),
                format!(
                    "Hotline reopened activation until {}",
                    show(f.deadline, self.zone)
                ),
            ),
            Event::DeviceChangeRequested(_) => {
                self.say("Yêu cầu đổi thiết bị", "Device change asked for")
            }
            Event::StepUpSatisfied(f) => self.say(
                format!("Xác thực bổ sung: {}", self.t(&f.method)),
                format!("Second proof given: {}", self.t(&f.method)),
            ),
            Event::DeviceUnbound(f) => self.say(
                format!("Hủy liên kết thiết bị ({})", self.t(&f.reason)),
                format!("Device unbound ({})", self.t(&f.reason)),
            ),
            Event::PhoneChangeRequested(_) => {
                self.say("Yêu cầu đổi số điện thoại", "Phone change asked for")
            }
            Event::PhoneChanged(_) => self.say("Đổi số điện thoại", "Phone number changed"),
            Event::DocumentLinkRequested(f) => self.say(
                format!("Khai báo {}", self.t(&f.kind)),
                format!("Declared a {}", self.t(&f.kind)),
            ),
            Event::DocumentLinked(f) => self.say(
                format!("Tích hợp {} ({})", self.t(&f.kind), self.t(&f.database)),
                format!("Linked a {} ({})", self.t(&f.kind), self.t(&f.database)),
            ),
            Event::DocumentLinkFailed(f) => self.say(
                format!(
                    "Không tích hợp được {}: {}",
                    self.t(&f.kind),
                    self.t(&f.outcome)
                ),
                format!(
                    "Could not link a {}: {}",
                    self.t(&f.kind),
                    self.t(&f.outcome)
                ),
            ),
            Event::DocumentRefreshed(_) => {
                self.say("Cập nhật dữ liệu giấy tờ", "Document data refreshed")
            }
            Event::DocumentLinkBroken(f) => self.say(
                format!("Giấy tờ không còn giá trị: {}", self.t(&f.outcome)),
                format!("Document no longer good: {}", self.t(&f.outcome)),
            ),
            Event::DocumentUnlinked(_) => self.say("Gỡ giấy tờ", "Document taken out"),
            Event::AccountLocked(f) => self.say(
                format!("Khóa tài khoản: {}", self.t(&f.ground)),
                format!("Account locked: {}", self.t(&f.ground)),
            ),
            Event::LockGroundRemoved(f) => self.say(
                format!("Hết căn cứ khóa: {}", self.t(&f.ground)),
                format!("Lock ground ended: {}", self.t(&f.ground)),
            ),
            Event::AccountUnlocked(_) => self.say("Mở khóa tài khoản", "Account unlocked"),
            Event::AccountClosed(f) => self.say(
                format!("Đóng tài khoản: {}", self.t(&f.reason)),
                format!("Account closed: {}", self.t(&f.reason)),
            ),
            Event::CommandRejected(f) => self.say(
                format!("Yêu cầu {} bị từ chối: {}", code(&f.command), code(&f.code)),
                format!(
                    "{} refused: {} (guard {})",
                    code(&f.command),
                    code(&f.code),
                    code(&f.guard)
                ),
            ),
            _ => None,
        }
    }

    /// Sharing, requests to lock, last days (P10, B.4).
    #[allow(clippy::too_many_lines)] // as above
    fn sharing(&self, event: &Event) -> Option<String> {
        match event {
            Event::ShareGranted(f) => {
                let fields: Vec<String> = f.fields.iter().map(|field| self.t(field)).collect();
                let fields = fields.join(", ");
                self.say(
                    format!("Cho phép xem một lần ({}): {fields}", self.t(&f.mode)),
                    format!(
                        "Let a relying party see once ({}): {fields}",
                        self.t(&f.mode)
                    ),
                )
            }
            Event::ShareConsumed(_) => self.say(
                "Cơ quan, tổ chức đã xem dữ liệu được chia sẻ",
                "A relying party looked at what was shared",
            ),
            Event::ShareExpired(_) => self.say(
                "Lượt chia sẻ được xuất trình quá hạn",
                "A share was presented too late",
            ),
            Event::ValidityRecorded(f) => self.say(
                format!("{} có giá trị đến {}", self.t(&f.of), show_day(f.until)),
                format!("{} is good until {}", self.t(&f.of), show_day(f.until)),
            ),
            Event::LockRequested(f) => self.say(
                format!(
                    "Yêu cầu {} tài khoản: {}, hạn quyết định {}",
                    self.t(&f.action),
                    self.t(&f.ground),
                    show_day(f.decide_by)
                ),
                format!(
                    "Asked to {} the account: {}, to be decided by {}",
                    self.t(&f.action),
                    self.t(&f.ground),
                    show_day(f.decide_by)
                ),
            ),
            Event::LockRequestGranted(_) => self.say(
                "Chấp thuận yêu cầu khóa, mở khóa",
                "Request to lock or unlock granted",
            ),
            Event::LockRequestRefused(f) => self.say(
                format!("Từ chối yêu cầu khóa, mở khóa: {}", self.t(&f.reason)),
                format!("Request to lock or unlock refused: {}", self.t(&f.reason)),
            ),
            Event::DependantLinked(f) => self.say(
                format!(
                    "Đăng ký người phụ thuộc ({}, {})",
                    self.t(&f.kind),
                    self.t(&f.relation)
                ),
                format!(
                    "Dependant registered ({}, by a {})",
                    self.t(&f.kind),
                    self.t(&f.relation)
                ),
            ),
            Event::DependantUnlinked(f) => self.say(
                format!(
                    "Người phụ thuộc không còn theo tài khoản này ({})",
                    self.t(&f.reason)
                ),
                format!(
                    "Dependant no longer under this account ({})",
                    self.t(&f.reason)
                ),
            ),
            Event::DependantReachedMajority(f) => self.say(
                format!("Người phụ thuộc đủ 14 tuổi ({})", show_day(f.on)),
                format!("Dependant turned fourteen ({})", show_day(f.on)),
            ),
            Event::DependantAccountOpened(_) => self.say(
                "Cha, mẹ hoặc người giám hộ mở tài khoản cho người phụ thuộc",
                "A guardian opened the dependant's account",
            ),
            Event::GuardianConsentGiven(f) => self.say(
                format!("Người giám hộ đồng ý đến {}", show(f.until, self.zone)),
                format!("Guardian agreed until {}", show(f.until, self.zone)),
            ),
            Event::LockDeadlineMissed(f) => self.say(
                format!("Quá hạn quyết định khóa, mở khóa ({})", show_day(f.due)),
                format!("Answer to a lock request overdue (due {})", show_day(f.due)),
            ),
            _ => None,
        }
    }

    /// Foreigners, organisations, the past.
    #[allow(clippy::too_many_lines)] // as above
    fn holders(&self, event: &Event) -> Option<String> {
        match event {
            Event::ForeignerRegistrationSubmitted(f) => self.say(
                format!("Người nước ngoài đăng ký tài khoản ({})", self.t(&f.document)),
                format!("A foreigner asked for an account ({})", self.t(&f.document)),
            ),
            Event::ForeignerIntakeOpened(f) => self.say(
                format!(
                    "Cơ quan quản lý xuất nhập cảnh mở hồ sơ mức độ 2 tại địa bàn {}",
                    f.area.0
                ),
                format!(
                    "Level-2 intake opened at the immigration authority, area {}",
                    f.area.0
                ),
            ),
            Event::OrganisationApplied(f) => self.say(
                format!(
                    "Người đại diện đăng ký tài khoản cho tổ chức, chờ {} người đại diện khác đồng ý",
                    f.others.len()
                ),
                format!(
                    "A representative applied for an organisation, {} others to agree",
                    f.others.len()
                ),
            ),
            Event::RepresentativeAnswered(f) if f.agreed => self.say(
                "Người đại diện khác đồng ý",
                "Another legal representative agreed",
            ),
            Event::RepresentativeAnswered(_) => self.say(
                "Người đại diện khác không đồng ý",
                "Another legal representative did not agree",
            ),
            Event::OrganisationIntakeRecorded(f) => self.say(
                format!("Tiếp nhận phiếu TK02 của tổ chức tại điểm {}", f.site),
                format!("Form TK02 of an organisation taken at site {}", f.site),
            ),
            Event::OrganisationDossierCompleted(f) => self.say(
                format!(
                    "Hồ sơ của tổ chức đầy đủ, hạn giải quyết {}",
                    show_day(f.decide_by)
                ),
                format!(
                    "The organisation's dossier is complete, to be decided by {}",
                    show_day(f.decide_by)
                ),
            ),
            Event::OrganisationAccountIssued(_) => self.say(
                "Cấp tài khoản định danh điện tử cho tổ chức",
                "Organisation's account issued",
            ),
            Event::RepresentativeChanged(_) => self.say(
                "Thay đổi người đại diện của tổ chức",
                "The organisation's representative changed",
            ),
            Event::RepresentativeActed(_) => self.say(
                "Người đại diện thực hiện giao dịch cho tổ chức",
                "The representative acted for the organisation",
            ),
            Event::OrganisationApplicationEnded(f) => self.say(
                format!("Hồ sơ của tổ chức kết thúc ({})", self.t(&f.reason)),
                format!("The organisation's application ended ({})", self.t(&f.reason)),
            ),
            Event::AccountImported(f) => self.say(
                format!(
                    "Nhập tài khoản {} đã cấp trước đây (nguồn: {})",
                    level(f.level, self.lang),
                    f.source
                ),
                format!(
                    "Account issued earlier at {} brought in (source: {})",
                    level(f.level, self.lang),
                    f.source
                ),
            ),
            Event::ActivationImported(f) => self.say(
                format!("Nhập việc kích hoạt trước đây (nguồn: {})", f.source),
                format!("Earlier activation brought in (source: {})", f.source),
            ),
            _ => None,
        }
    }

    /// Erasure, claims, principals, the ledger's own streams.
    #[allow(clippy::too_many_lines, reason = "a table: one arm a kind")]
    fn ledger(&self, event: &Event) -> Option<String> {
        match event {
            Event::ErasureApproved(f) => self.say(
                format!("Chấp thuận xóa dữ liệu ({})", self.t(&f.class)),
                format!("Erasure approved ({})", self.t(&f.class)),
            ),
            Event::SubjectKeyDestroyed(f) => self.say(
                format!("Hủy khóa dữ liệu ({}): không thể đọc lại", self.t(&f.class)),
                format!(
                    "Data key destroyed ({}): unreadable for ever",
                    self.t(&f.class)
                ),
            ),
            Event::ErasureRefused(f) => self.say(
                format!("Từ chối xóa dữ liệu ({})", self.t(&f.class)),
                format!("Erasure refused ({})", self.t(&f.class)),
            ),
            Event::Claimed(_) => self.say("Tài khoản giữ định danh này", "Claimed by an account"),
            Event::ClaimReleased(f) => self.say(
                format!("Thôi giữ ({})", self.t(&f.reason)),
                format!("Claim released ({})", self.t(&f.reason)),
            ),
            Event::ClaimForfeited(_) => {
                self.say("Mất quyền giữ chưa xác nhận", "Unconfirmed claim forfeited")
            }
            Event::PrincipalEnrolled(f) => self.say(
                format!("Đăng ký chủ thể: {}", self.t(&f.role)),
                format!("Principal enrolled: {}", self.t(&f.role)),
            ),
            Event::PrincipalRevoked(f) => self.say(
                format!("Thu hồi chủ thể ({})", self.t(&f.reason)),
                format!("Principal revoked ({})", self.t(&f.reason)),
            ),
            Event::LedgerCreated(f) => self.say(
                format!("Khởi tạo sổ cái {}", f.ledger),
                format!("Ledger {} created", f.ledger),
            ),
            Event::LedgerKeyAdded(f) => self.say(
                format!("Thêm khóa sổ cái {}", f.key.id()),
                format!("Ledger key {} added", f.key.id()),
            ),
            Event::ChipTrustListLoaded(f) => self.say(
                format!(
                    "Nạp danh sách {} chứng thư gốc để xác thực chíp",
                    f.authorities
                ),
                format!("Trust list of {} chip authorities loaded", f.authorities),
            ),
            Event::LedgerKeyRetired(f) => self.say(
                format!(
                    "Ngừng dùng khóa sổ cái {} ({})",
                    f.key.id(),
                    self.t(&f.reason)
                ),
                format!("Ledger key {} retired ({})", f.key.id(), self.t(&f.reason)),
            ),
            Event::StateSealed(f) => self.say(
                format!("Niêm phong trạng thái tại vị trí {}", f.position),
                format!("State at position {} sealed", f.position),
            ),
            Event::LawProposed(f) => {
                let (name, law) = (&f.draft.terms.name, self.t(&f.law));
                let from = show_day(f.draft.terms.effective_from.local_day());
                self.say(
                    format!(
                        "Đề xuất {law} phiên bản {} ({name}), hiệu lực từ {from}",
                        f.version
                    ),
                    format!("Proposed {law} version {} ({name}), from {from}", f.version),
                )
            }
            Event::LawRejected(f) => self.say(
                format!("Không chấp nhận {} phiên bản {}", self.t(&f.law), f.version),
                format!("Turned down {} version {}", self.t(&f.law), f.version),
            ),
            event => {
                let (law, version, _) = event.published_law()?;
                let law = self.t(&law);
                self.say(
                    format!("Phê duyệt và công bố {law} phiên bản {version}"),
                    format!("Approved and published {law} version {version}"),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;

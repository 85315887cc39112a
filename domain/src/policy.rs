//! Policy values: what the law or the owner may change without a new program (spec section 0).
//! Published as effective-dated events ([`crate::law`]); a decision pins the version it used. The
//! default is what holds before the first version.

use crate::law::LawFault;
use crate::vocabulary::{EvidenceStrength, Level};
use serde::{Deserialize, Serialize};
use wincode::{SchemaRead, SchemaWrite};

/// A device that is bound to another account is asked to be activated (C-09).
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum BoundDeviceActivation {
    /// Refused.
    Reject,
    /// Taken over after a step-up; the other account is unbound and its holder told.
    TransferWithStepUp,
}

/// What contact an account needs (C-06).
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum ContactRequired {
    /// Either.
    PhoneOrEmail,
    /// One's own mobile number.
    OwnMobile,
}

/// Which biometrics level 2 needs (C-07).
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum BiometricRule {
    /// Both match.
    PortraitAndFingerprints,
    /// One of them matches.
    Any,
}

/// Where children and wards are registered (Decree 59 art. 11, Decree 69 art. 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum ChildrenAccounts {
    /// Under a parent's or guardian's account only.
    UnderGuardian,
    /// In an account of their own besides, when the guardian wants it.
    OwnOnDemand,
}

/// The values. Durations in seconds unless the name says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a rule of its own that one decree has and another has not"
)]
pub struct Policy {
    /// C-09.
    pub bound_device_activation: BoundDeviceActivation,
    /// C-06.
    pub contact_required: ContactRequired,
    /// C-07.
    pub biometric_rule: BiometricRule,
    /// Full years for an own account.
    pub minimum_age_years: u8,
    /// Calendar days to activate after receipt of the notice (P7.1).
    pub activation_window_days: u8,
    /// Working days to decide level 1 (B.3).
    pub decide_level_1_working_days: u8,
    /// Working days to decide level 2 with a card.
    pub decide_level_2_working_days: u8,
    /// Working days to decide level 2 without a card.
    pub decide_level_2_no_card_working_days: u8,
    /// Life of a one-time password.
    pub otp_life_s: u32,
    /// Wrong codes allowed.
    pub otp_attempts_max: u8,
    /// No new code sooner.
    pub otp_resend_s: u32,
    /// Wrong passcodes until it is disabled.
    pub passcode_attempts_max: u8,
    /// Wrong passwords until login is throttled.
    pub password_attempts_max: u8,
    /// How long it is throttled.
    pub password_throttle_s: u32,
    /// Lowest capture quality accepted, 0–100.
    pub capture_quality_min: u8,
    /// Level needed to link a document.
    pub document_link_level: Level,
    /// Life of an identification QR (dispatch 1101/BCA-QLHC).
    pub share_identification_qr_s: u32,
    /// Life of the other shares.
    pub share_other_s: u32,
    /// Working days to decide an authority's request to lock or unlock.
    pub lock_decision_working_days: u8,
    /// Working days for the local police to forward it (Decree 69); 0: it does not take that way
    /// (Decree 59).
    pub lock_forward_working_days: u8,
    /// Whether children and wards may have accounts of their own (Decree 69 art. 7).
    pub children_accounts: ChildrenAccounts,
    /// Full years from which a child may have level 2.
    pub child_level_2_age_years: u8,
    /// How long a guardian's consent to a dependant's acts is good.
    pub guardian_consent_s: u32,
    /// Whether an expired card locks the account (Decree 69 art. 15).
    pub expired_card_locks: bool,
    /// Whether a relying party may ask for a lock (Decree 59 art. 19).
    pub relying_party_asks_for_locks: bool,
    /// Working days to decide a foreigner's level 1.
    pub decide_foreigner_level_1_working_days: u8,
    /// Working days to decide a foreigner's level 2, the biometrics being in the immigration database.
    pub decide_foreigner_level_2_working_days: u8,
    /// The same, the biometrics not being there.
    pub decide_foreigner_level_2_no_biometrics_working_days: u8,
    /// Whether a foreigner needs a permanent or temporary residence card (Decree 69 art. 7).
    pub foreigner_needs_residence: bool,
    /// Working days to decide an organisation's account, its data being in the databases.
    pub decide_organisation_working_days: u8,
    /// Calendar days to decide it where they are not.
    pub decide_organisation_unknown_days: u8,
    /// The weakest card evidence that level 1 takes: `qr_unsigned` or `chip_passive_auth`. What a
    /// device says of a chip is no more than a QR; what this ledger verified is.
    pub level_1_evidence_min: EvidenceStrength,
    /// Days after which a linked document's data count as stale in the data-quality report.
    pub document_stale_days: u16,
}

impl Default for Policy {
    /// The owner's defaults (spec section 0).
    fn default() -> Self {
        Self {
            bound_device_activation: BoundDeviceActivation::Reject,
            contact_required: ContactRequired::OwnMobile,
            biometric_rule: BiometricRule::PortraitAndFingerprints,
            minimum_age_years: 14,
            activation_window_days: 7,
            decide_level_1_working_days: 1,
            decide_level_2_working_days: 3,
            decide_level_2_no_card_working_days: 7,
            otp_life_s: 300,
            otp_attempts_max: 5,
            otp_resend_s: 60,
            passcode_attempts_max: 10,
            password_attempts_max: 5,
            password_throttle_s: 900,
            capture_quality_min: 60,
            document_link_level: Level::Two,
            share_identification_qr_s: 60,
            share_other_s: 300,
            lock_decision_working_days: 2,
            lock_forward_working_days: 0,
            children_accounts: ChildrenAccounts::UnderGuardian,
            child_level_2_age_years: 6,
            guardian_consent_s: 600,
            expired_card_locks: false,
            relying_party_asks_for_locks: true,
            decide_foreigner_level_1_working_days: 1,
            decide_foreigner_level_2_working_days: 3,
            decide_foreigner_level_2_no_biometrics_working_days: 7,
            foreigner_needs_residence: false,
            decide_organisation_working_days: 1,
            decide_organisation_unknown_days: 15,
            level_1_evidence_min: EvidenceStrength::QrUnsigned,
            document_stale_days: 365,
        }
    }
}

impl Policy {
    /// Whether the values can be lived with: no window, attempt or life of zero, no score over 100.
    pub fn check(&self) -> Result<(), LawFault> {
        let positive = [
            (
                "activation_window_days",
                u32::from(self.activation_window_days),
            ),
            (
                "decide_level_1_working_days",
                u32::from(self.decide_level_1_working_days),
            ),
            (
                "decide_level_2_working_days",
                u32::from(self.decide_level_2_working_days),
            ),
            (
                "decide_level_2_no_card_working_days",
                u32::from(self.decide_level_2_no_card_working_days),
            ),
            (
                "decide_foreigner_level_1_working_days",
                u32::from(self.decide_foreigner_level_1_working_days),
            ),
            (
                "decide_foreigner_level_2_working_days",
                u32::from(self.decide_foreigner_level_2_working_days),
            ),
            (
                "decide_foreigner_level_2_no_biometrics_working_days",
                u32::from(self.decide_foreigner_level_2_no_biometrics_working_days),
            ),
            (
                "decide_organisation_working_days",
                u32::from(self.decide_organisation_working_days),
            ),
            (
                "decide_organisation_unknown_days",
                u32::from(self.decide_organisation_unknown_days),
            ),
            ("share_identification_qr_s", self.share_identification_qr_s),
            ("share_other_s", self.share_other_s),
            ("guardian_consent_s", self.guardian_consent_s),
            ("document_stale_days", u32::from(self.document_stale_days)),
            (
                "lock_decision_working_days",
                u32::from(self.lock_decision_working_days),
            ),
            ("otp_life_s", self.otp_life_s),
            ("otp_attempts_max", u32::from(self.otp_attempts_max)),
            (
                "passcode_attempts_max",
                u32::from(self.passcode_attempts_max),
            ),
            (
                "password_attempts_max",
                u32::from(self.password_attempts_max),
            ),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(LawFault::Range(name));
        }
        if self.level_1_evidence_min > EvidenceStrength::ChipPassiveAuth {
            // Nothing stronger can be shown from afar.
            return Err(LawFault::Range("level_1_evidence_min"));
        }
        if self.capture_quality_min > 100 {
            return Err(LawFault::Range("capture_quality_min"));
        }
        Ok(())
    }
}

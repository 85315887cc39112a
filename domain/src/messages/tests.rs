use super::*;
use crate::vocabulary::RefusalCode;
use std::collections::HashSet;
use unicode_normalization::is_nfc;

#[test]
fn the_two_quotes_are_byte_equal() {
    // Typed from letter S003, step 6, as bytes of NFC.
    let not_identified = "t\u{e0}i kho\u{1ea3}n c\u{1ee7}a b\u{1ea1}n ch\u{1b0}a \u{111}\u{1b0}\u{1ee3}c \u{111}\u{1ecb}nh danh \u{111}i\u{1ec7}n t\u{1eed}";
    let already = "T\u{e0}i kho\u{1ea3}n c\u{1ee7}a b\u{1ea1}n \u{111}\u{e3} th\u{1ef1}c hi\u{1ec7}n k\u{ed}ch ho\u{1ea1}t";
    assert_eq!(
        message_text(Message::NotIdentified, Lang::Vi).as_bytes(),
        not_identified.as_bytes()
    );
    assert_eq!(
        message_text(Message::AlreadyActivated, Lang::Vi).as_bytes(),
        already.as_bytes()
    );
}

#[test]
fn every_text_is_nfc_there_and_in_both_languages() {
    let mut texts = Vec::new();
    for lang in [Lang::Vi, Lang::En] {
        texts.extend(Message::ALL.iter().map(|m| message_text(*m, lang)));
        texts.extend(RefusalCode::ALL.iter().map(|c| refusal_text(*c, lang)));
        texts.extend(QuestionId::ALL.iter().map(|q| question_text(*q, lang)));
        texts.extend(Role::ALL.iter().map(|r| role_name(*r, lang)));
    }
    for text in &texts {
        assert!(
            is_nfc(text) && !text.is_empty() && text.trim() == *text,
            "{text}"
        );
    }
    let count =
        Message::ALL.len() + RefusalCode::ALL.len() + QuestionId::ALL.len() + Role::ALL.len();
    assert_eq!(texts.len(), 2 * count);
    for code in RefusalCode::ALL {
        assert_ne!(refusal_text(*code, Lang::Vi), refusal_text(*code, Lang::En));
    }
}

#[test]
fn codes_are_unique_and_those_of_the_specification() {
    let codes: HashSet<_> = RefusalCode::ALL
        .iter()
        .map(|code| refusal_code(*code))
        .collect();
    assert_eq!(codes.len(), RefusalCode::ALL.len());
    for known in [
        "MSG_DATA_MISMATCH",
        "PIN_ALREADY_REGISTERED",
        "REGISTRY_UNAVAILABLE",
        "OTP_WRONG",
        "OTP_EXPIRED",
        "OTP_ATTEMPTS_EXHAUSTED",
        "PASSWORD_BLOCKLISTED",
        "LOCKED",
        "THROTTLED",
        "DEVICE_NOT_BOUND",
        "UNDER_AGE",
        "NO_CHIP_CARD",
        "EVIDENCE_INVALID",
        "ALREADY_LEVEL_1",
        "ALREADY_LEVEL_2",
        "OFFICER_NOT_AUTHORISED",
        "SITE_NOT_OPEN",
        "CAPTURE_QUALITY",
        "CONSENT_REFUSED",
        "EVIDENCE_MISSING",
        "CHECKS_INCOMPLETE",
        "NO_CHANNEL",
        "MSG_NOT_IDENTIFIED",
        "MSG_ALREADY_ACTIVATED",
        "MSG_USE_OTHER_DEVICE",
        "MSG_ACTIVATION_WINDOW_ENDED",
        "PASSCODE_FORMAT",
        "PASSCODE_BLOCKLISTED",
        "QUESTION_COUNT",
        "QUESTION_UNKNOWN",
        "PROOF_FAILED",
        "STEP_UP_FAILED",
        "PHONE_IN_USE",
        "LEVEL_TOO_LOW",
        "REGISTRY_NOT_FOUND",
        "OWNER_MISMATCH",
        "GROUND_NOT_LAWFUL",
        "OTHER_GROUND_REMAINS",
        "MSG_REQUEST_NOT_ACCEPTED",
    ] {
        assert!(codes.contains(known), "{known}");
    }
}

#[test]
fn a_refusal_with_a_message_has_the_message_s_id() {
    for code in RefusalCode::ALL {
        if let Some(message) = crate::decide::message_of(*code) {
            let (id, text) = (message_id(message), refusal_code(*code));
            assert!(id == text || message == Message::KeptByLaw, "{text}");
        }
    }
}

#[test]
fn places_are_filled() {
    let text = render(Message::ActivationCode, Lang::Vi, &[("code", "000000")]);
    assert!(text.contains("000000") && !text.contains('{'), "{text}");
    assert!(message_text(Message::OtpSent, Lang::En).contains("{code}"));
}

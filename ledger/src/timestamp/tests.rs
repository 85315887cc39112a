//! Answers of `openssl ts`, good and spoilt.

use super::*;
use crate::testing::authority::{Authority, Recipe};
use crate::wiring::{Clock as _, SystemClock};
use proptest::prelude::*;
use std::sync::LazyLock;

const DATA: &[u8] = b"idledger/00\n5\nroot\n\n\xe2\x80\x94 name sig\n";
const NONCE: [u8; NONCE_BYTES] = [0xff, 0, 1, 2, 3, 4, 5, 6];

fn asked() -> Vec<u8> {
    query(&imprint(DATA), NONCE).unwrap()
}

fn trusting(authority: &Authority) -> TrustList {
    TrustList::read(authority.list().as_bytes()).unwrap()
}

static PLAIN: LazyLock<(Authority, Vec<u8>)> = LazyLock::new(|| {
    let authority = Authority::new(Recipe::default());
    let answer = authority.answer(&asked());
    (authority, answer)
});

#[test]
fn a_question_is_read_by_openssl_as_it_is_meant() {
    let shown = PLAIN.0.shown(&asked());
    for wanted in [
        "Version: 1",
        "Hash Algorithm: sha256",
        "Policy OID: unspecified",
        "Nonce: 0x7F00010203040506",
        "Certificate required: yes",
    ] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
}

#[test]
fn answers_of_openssl_are_taken_by_it_and_by_us() {
    for (rsa, between) in [(false, false), (true, false), (false, true)] {
        let authority = Authority::new(Recipe {
            rsa,
            between,
            ..Recipe::default()
        });
        let answer = authority.answer(&asked());
        assert!(authority.is_taken(DATA, &answer));
        let stamped = check(&answer, DATA, Some(&asked()), &trusting(&authority)).unwrap();
        assert_eq!(stamped.policy, "1.2.3.4.1");
        assert_eq!(stamped.serial, "0a02");
        assert_eq!(stamped.accuracy, Some(1_500_100));
        assert_eq!(stamped.authority, "CN=Test root");
        let now = SystemClock.now().0;
        assert!(
            (now - stamped.time.0).abs() < 600 * Micros::SECOND,
            "{stamped:?}"
        );
        assert_eq!(imprint_of(&answer), Ok(imprint(DATA)));
    }
}

#[test]
fn what_is_wrong_has_its_own_name() {
    let (authority, answer) = &*PLAIN;
    let trust = trusting(authority);
    let of = |data: &[u8], query: Option<&[u8]>, trust: &TrustList| {
        check(answer, data, query, trust).unwrap_err()
    };
    assert_eq!(of(b"another", None, &trust), TimestampError::OtherData);
    let other = query(&imprint(DATA), [1; NONCE_BYTES]).unwrap();
    assert_eq!(of(DATA, Some(&other), &trust), TimestampError::OtherNonce);
    let stranger = Authority::new(Recipe::default());
    assert_eq!(
        of(DATA, None, &trusting(&stranger)),
        TimestampError::Untrusted
    );
    assert!(!stranger.is_taken(DATA, answer));
    let long = vec![0x30; ANSWER_BYTES_MAX + 1];
    assert_eq!(
        check(&long, DATA, None, &trust),
        Err(TimestampError::TooLong)
    );
    // Status 2 with a text, and no token.
    let refusal = [0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x02];
    assert_eq!(
        check(&refusal, DATA, None, &trust),
        Err(TimestampError::Refused(2))
    );
    let bare = [0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x00];
    assert_eq!(
        check(&bare, DATA, None, &trust),
        Err(TimestampError::Malformed)
    );
}

#[test]
fn weak_names_ended_certificates_and_missing_ones_are_refused() {
    for (recipe, expected) in [
        (
            Recipe {
                names_by: "sha1",
                ..Recipe::default()
            },
            TimestampError::Certificate,
        ),
        (
            Recipe {
                until: "210101000000Z",
                ..Recipe::default()
            },
            TimestampError::OutOfTime,
        ),
    ] {
        let authority = Authority::new(recipe);
        let answer = authority.answer(&asked());
        let found = check(&answer, DATA, None, &trusting(&authority));
        assert_eq!(found, Err(expected));
    }
}

#[test]
fn only_certificates_for_time_stamps_alone_may_stamp() {
    let may = |signer: &'static str| {
        let authority = Authority::new(Recipe {
            signer,
            ..Recipe::default()
        });
        let certificate = Certificate::read(&authority.certificate("signer")).unwrap();
        certificate.may_stamp_time()
    };
    assert!(may("extendedKeyUsage = critical, timeStamping"));
    assert!(!may("extendedKeyUsage = timeStamping"));
    assert!(!may(
        "extendedKeyUsage = critical, timeStamping, codeSigning"
    ));
    assert!(!may("keyUsage = critical, digitalSignature"));
    assert!(!may(
        "keyUsage = critical, keyEncipherment\nextendedKeyUsage = critical, timeStamping"
    ));
    assert!(!may(
        "basicConstraints = critical, CA:TRUE\nextendedKeyUsage = critical, timeStamping"
    ));
    assert!(!may(
        "1.2.3.4 = critical, DER:0500\nextendedKeyUsage = critical, timeStamping"
    ));
}

/// A spoilt answer is refused, or says the same: what is not signed (status text, certificates that are not
/// needed) changes nothing.
#[test]
fn no_flipped_or_missing_byte_changes_what_was_stamped() {
    let (authority, answer) = &*PLAIN;
    let trust = trusting(authority);
    let good = check(answer, DATA, None, &trust).unwrap();
    let mut refused = 0;
    for at in 0..answer.len() {
        let mut spoilt = answer.clone();
        spoilt[at] ^= if at % 2 == 0 { 0x01 } else { 0x80 };
        match check(&spoilt, DATA, None, &trust) {
            Ok(stamped) => assert_eq!(stamped, good, "byte {at}"),
            Err(_) => refused += 1,
        }
        assert!(
            check(&answer[..at], DATA, None, &trust).is_err(),
            "cut at {at}"
        );
    }
    assert!(refused > answer.len() / 2, "{refused} of {}", answer.len());
    let padded = [answer.as_slice(), &[0]].concat();
    assert_eq!(
        check(&padded, DATA, None, &trust),
        Err(TimestampError::Malformed)
    );
}

#[test]
fn what_stands_behind_the_time_is_in_order_and_nothing_in_it_is_critical() {
    let answer = &PLAIN.1;
    let token = Signed::read(granted(answer).unwrap(), TST_INFO).unwrap();
    let info = whole(token.content).unwrap();
    let parts = inside(info, Tag::Sequence, 5, 10).unwrap();
    let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_der().unwrap()).collect();
    let with = |more: &[Vec<u8>]| {
        let content = element(Tag::Sequence, &[&parts[..], more].concat()).unwrap();
        Info::read(&content).map(|info| info.time)
    };
    let time = with(&[]).unwrap();
    let extension = |critical: bool| {
        let mut fields = vec![SHA256.to_der().unwrap()];
        if critical {
            fields.push(true.to_der().unwrap());
        }
        fields.push(vec![0x04, 0x01, 0x00]);
        let extension = element(Tag::Sequence, &fields).unwrap();
        element(context(1), &[extension]).unwrap()
    };
    assert_eq!(with(&[extension(false)]), Ok(time));
    assert_eq!(with(&[extension(true)]), Err(TimestampError::Extension));
    let twice = [extension(false), extension(false)];
    assert_eq!(with(&twice), Err(TimestampError::Malformed));
    let accuracy = element(Tag::Sequence, &[]).unwrap();
    assert_eq!(
        with(&[accuracy]),
        Err(TimestampError::Malformed),
        "after the nonce"
    );
}

#[test]
fn instants_are_read_to_the_microsecond_and_only_as_der_has_them() {
    let read = |text: &str| instant(text.as_bytes());
    assert_eq!(read("19700101000001Z"), Ok(Micros(1_000_000)));
    assert_eq!(read("20261122204611.5Z"), Ok(Micros(1_795_380_371_500_000)));
    assert_eq!(read("19700101000000.0000019Z"), Ok(Micros(1)));
    for bad in [
        "",
        "Z",
        "20261122204611",
        "20261122204611.Z",
        "20261122204611.50Z",
        "20261322204611Z",
        "202611222046Z",
        "20261122204611+0100",
        "2026112220461aZ",
        "20261122204611.1234567891234Z",
        "19691231235959Z",
    ] {
        assert_eq!(read(bad), Err(TimestampError::Malformed), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let trust = trusting(&PLAIN.0);
        prop_assert!(check(&bytes, DATA, None, &trust).is_err());
        let _ = imprint_of(&bytes);
        let _ = nonce_of(&bytes);
    }
}

use super::*;

/// The 63 codes as they ship.
fn provinces() -> ProvinceCodes {
    let law = crate::testing::shipped_book();
    law.edition(crate::testing::NOON, crate::law::Known::Now)
        .provinces()
        .clone()
}
use crate::ids::LocalDay;
use crate::personal::Person;
use crate::vocabulary::DocumentKind as K;
use proptest::prelude::*;

const QR: &str = "030099000001|123456789|Nguyễn Thị An|01021990|Nữ|Thanh Bình, Hải Dương|01012022";

#[test]
fn personal_numbers() {
    assert!(PersonalId::try_from("030099000001").is_ok());
    for bad in [
        "",
        "03009900000",
        "0300990000011",
        "03009900000a",
        " 30099000001",
        "０30099000001",
    ] {
        assert_eq!(
            PersonalId::try_from(bad),
            Err(IdentityError::PersonalIdFormat),
            "{bad}"
        );
    }
}

#[test]
fn warnings_are_soft() {
    // The specification's own example: Đồng Tháp, male, 1984.
    let id = PersonalId::try_from("087084000999").unwrap();
    let birth = BirthDate::try_from("1984").unwrap();
    assert!(
        id.warnings(&provinces(), Some(&birth), Some(Sex::Male))
            .is_empty()
    );
    assert_eq!(provinces().name(id.birth_code()), Some("Đồng Tháp"));
    let other = BirthDate::try_from("1985-01-01").unwrap();
    assert_eq!(
        id.warnings(&provinces(), Some(&other), Some(Sex::Female)),
        [
            PersonalIdWarning::SexDiffers,
            PersonalIdWarning::BirthYearDiffers
        ]
    );
    let abroad = PersonalId::try_from("999384000999").unwrap();
    let birth = BirthDate::try_from("2084").unwrap();
    assert_eq!(
        abroad.warnings(&provinces(), Some(&birth), Some(Sex::Female)),
        [PersonalIdWarning::UnknownProvince]
    );
}

#[test]
fn phones_have_one_normal_form() {
    for text in [
        "0912345678",
        "84912345678",
        "+84912345678",
        "091.234.5678",
        " 0912-345 678",
    ] {
        assert_eq!(
            Phone::try_from(text).unwrap().as_str(),
            "+84912345678",
            "{text}"
        );
    }
    // C.4: numbers of before 15/09/2018.
    for (old, new) in [
        ("01621234567", "+84321234567"),
        ("01691234567", "+84391234567"),
        ("01201234567", "+84701234567"),
        ("01211234567", "+84791234567"),
        ("01241234567", "+84841234567"),
        ("01291234567", "+84821234567"),
        ("01861234567", "+84561234567"),
        ("0199.123.4567", "+84591234567"),
        ("+841241234567", "+84841234567"),
    ] {
        assert_eq!(Phone::try_from(old).unwrap().as_str(), new, "{old}");
    }
    for bad in [
        "",
        "912345678",
        "091234567",
        "09123456789",
        "0112345678",
        "0512345678",
        "0212345678",
        "01611234567",
        "+85912345678",
        "0912345abc",
        "0912345678901234567890123456789012345",
    ] {
        assert_eq!(
            Phone::try_from(bad),
            Err(IdentityError::PhoneFormat),
            "{bad}"
        );
    }
    // 84 is also a mobile prefix: nine digits after the zero.
    assert_eq!(
        Phone::try_from("0841234567").unwrap().as_str(),
        "+84841234567"
    );
}

#[test]
fn names_are_nfc_and_visible() {
    for good in ["Nguyễn Thị An", "An", "H'Hen Niê"] {
        assert_eq!(FullName::try_from(good).unwrap().as_str(), good);
    }
    let decomposed: String = "Nguyễn".nfd().collect();
    for (bad, error) in [
        (decomposed.as_str(), IdentityError::NameNotNfc),
        ("An\u{202e}nA", IdentityError::NameControlCharacter),
        ("An\n", IdentityError::NameControlCharacter),
        ("An\0", IdentityError::NameControlCharacter),
        (" An", IdentityError::NameFormat),
        ("", IdentityError::NameFormat),
        ("123", IdentityError::NameFormat),
    ] {
        assert_eq!(FullName::try_from(bad), Err(error), "{bad:?}");
    }
    assert!(FullName::try_from("a".repeat(100).as_str()).is_ok());
    let long = "a".repeat(101);
    assert_eq!(
        FullName::try_from(long.as_str()),
        Err(IdentityError::NameTooLong)
    );
    assert_eq!(
        FullName::try_from("ĐẶNG  Thị Ánh")
            .unwrap()
            .folded()
            .as_str(),
        "dang thi anh"
    );
}

#[test]
fn birth_dates_to_the_day_the_month_or_the_year() {
    for good in ["1990-02-01", "1990-02", "1990", "2000-02-29"] {
        assert_eq!(BirthDate::try_from(good).unwrap().to_text(), good);
    }
    for bad in [
        "",
        "90",
        "1990-2-1",
        "1990-02-01-",
        "01/02/1990",
        "1990-",
        "19900201",
    ] {
        assert_eq!(
            BirthDate::try_from(bad),
            Err(IdentityError::BirthDateFormat),
            "{bad}"
        );
    }
    for bad in [
        "1990-02-30",
        "1999-02-29",
        "1990-13",
        "1990-00",
        "1700",
        "9999-01-01",
    ] {
        assert_eq!(
            BirthDate::try_from(bad),
            Err(IdentityError::DateImpossible),
            "{bad}"
        );
    }
}

fn day(text: &str) -> LocalDay {
    CivilDate::try_from(text).unwrap().local_day()
}

#[test]
fn ages_are_reached_on_the_birthday_and_never_too_early() {
    for (birth, on, years) in [
        ("2010-03-05", "2024-03-04", 13),
        ("2010-03-05", "2024-03-05", 14),
        ("2008-02-29", "2022-02-28", 13),
        ("2008-02-29", "2022-03-01", 14),
        ("2010", "2024-12-30", 13),
        ("2010", "2024-12-31", 14),
        ("2010-04", "2024-04-29", 13),
        ("2010-04", "2024-04-30", 14),
        ("2010-02", "2024-02-29", 14),
        ("2010-02", "2023-02-28", 13),
    ] {
        let age = BirthDate::try_from(birth).unwrap().full_years_on(day(on));
        assert_eq!(age, years, "{birth} on {on}");
    }
}

#[test]
fn a_card_s_qr_has_seven_fields() {
    let card = CardQr::try_from(QR).unwrap();
    let person = Person::from(&card.to_parts());
    assert_eq!(person.birth_date, "1990-02-01");
    assert_eq!(
        (person.old_id.as_str(), person.card_issued.as_str()),
        ("123456789", "2022-01-01")
    );
    assert_eq!((person.sex.as_str(), person.phone.as_str()), ("Nữ", ""));
    for end in ["\r", "\n", "\r\n"] {
        assert!(CardQr::try_from(format!("{QR}{end}").as_str()) == Ok(card.clone()));
    }
    let decomposed: String = QR.nfd().collect();
    assert!(CardQr::try_from(decomposed.as_str()) == Ok(card));
    assert!(CardQr::try_from("001099000001||NGUYỄN VĂN A|01011999|Nam| Hà Nội |01012022").is_ok());
    for (text, error) in [
        (
            QR.replacen('|', "", 1),
            IdentityError::QrFieldCount { found: 6 },
        ),
        (format!("{QR}|x"), IdentityError::QrFieldCount { found: 8 }),
        (String::new(), IdentityError::QrFieldCount { found: 1 }),
        (
            QR.replace("030099000001", "30099000001"),
            IdentityError::PersonalIdFormat,
        ),
        (
            QR.replace("123456789", "12345678"),
            IdentityError::OldIdFormat,
        ),
        (
            QR.replace("01021990", "31021990"),
            IdentityError::DateImpossible,
        ),
        (QR.replace("01021990", "1990"), IdentityError::DateFormat),
        (
            QR.replace("01012022", "31011990"),
            IdentityError::QrDateOrder,
        ),
        (QR.replace("Nữ", "F"), IdentityError::SexUnknown),
        ("x".repeat(1025), IdentityError::QrTooLong),
    ] {
        assert_eq!(CardQr::try_from(text.as_str()).err(), Some(error), "{text}");
    }
}

#[test]
fn documents_by_kind() {
    for (kind, good, normal) in [
        (K::DrivingLicence, "030 012 345 678", "030012345678"),
        (K::VehicleRegistration, "29A-123.45", "29A12345"),
        (K::VehicleRegistration, "29-b1 234.56", "29B123456"),
        (K::VehicleRegistration, "34LD-0123", "34LD0123"),
        (K::VehicleRegistration, "KV 12-34", "KV1234"),
        (K::VehicleRegistration, "80-123-NG-45", "80123NG45"),
        (
            K::HealthInsuranceCard,
            "DN 4 30 1234567890",
            "DN4301234567890",
        ),
        (K::HealthInsuranceCard, "1234567890", "1234567890"),
        (K::HealthRecord, "030099000001", "030099000001"),
        (K::SocialInsuranceCode, "1234567890", "1234567890"),
        // Published codes of public companies.
        (K::TaxCode, "0100109106", "0100109106"),
        (K::TaxCode, "0101248141", "0101248141"),
        (K::TaxCode, "0100109106-001", "0100109106001"),
        (K::TaxCode, "030099000001", "030099000001"),
    ] {
        let number = DocumentNumber::parse(kind, good).unwrap();
        assert_eq!((number.kind(), number.as_str()), (kind, normal));
    }
    for (kind, bad) in [
        (K::DrivingLicence, "03001234567"),
        (K::VehicleRegistration, "29A123"),
        (K::VehicleRegistration, "29ABC12345"),
        (K::VehicleRegistration, "A29-12345"),
        (K::VehicleRegistration, "80-123-AB-45"),
        (K::HealthInsuranceCard, "DN6301234567890"),
        (K::HealthInsuranceCard, "D44301234567890"),
        (K::SocialInsuranceCode, "123456789"),
        (K::TaxCode, "01001091"),
        (K::TaxCode, "0100109106-000"),
        (K::TaxCode, "0000109106"),
    ] {
        let error = DocumentNumber::parse(kind, bad).err();
        assert_eq!(error, Some(IdentityError::DocumentFormat), "{bad}");
    }
    let error = DocumentNumber::parse(K::TaxCode, "0100109107").err();
    assert_eq!(error, Some(IdentityError::DocumentChecksum));
    assert!(DocumentNumber::parse(K::DrivingLicence, &"0".repeat(41)).is_err());
}

#[test]
fn addresses() {
    for good in ["an@example.vn", "a.b+c@mail.example.com"] {
        assert!(Email::try_from(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "an",
        "an@",
        "@example.vn",
        "an@example",
        "an @example.vn",
        "a@b@c.vn",
        "ấn@b.vn",
    ] {
        assert_eq!(
            Email::try_from(bad),
            Err(IdentityError::EmailFormat),
            "{bad}"
        );
    }
}

#[test]
fn a_person_is_read_and_put_in_normal_form() {
    let mut person = crate::testing::person();
    person.phone = "0912.345.678".into();
    let parts = PersonParts::try_from(&person).unwrap();
    let normal = Person::from(&parts);
    assert_eq!(normal.phone, "+84912345678");
    assert!(PersonParts::try_from(&normal) == Ok(parts));
    person.sex = "x".into();
    assert_eq!(
        PersonParts::try_from(&person).err(),
        Some(IdentityError::SexUnknown)
    );
}

#[test]
fn nothing_prints_what_it_holds() {
    let parts = PersonParts::try_from(&crate::testing::person()).unwrap();
    let licence = DocumentNumber::parse(K::DrivingLicence, "030012345678").unwrap();
    let text = format!("{parts:?} {licence:?} {:?}", CardQr::try_from(QR));
    for datum in ["0300", "912345678", "Nguy", "1990", "Hải", "12345"] {
        assert!(!text.contains(datum), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_anything_panic(text in "\\PC{0,60}", odd in "[0-9|+.A-Za-zĐ -]{0,60}") {
        for text in [text.as_str(), odd.as_str()] {
            let _ = (PersonalId::try_from(text), Phone::try_from(text), FullName::try_from(text));
            let _ = (BirthDate::try_from(text), CardQr::try_from(text), Email::try_from(text));
            let _ = (Residence::try_from(text), CivilDate::try_from(text), fold(text));
            for kind in K::ALL {
                let _ = DocumentNumber::parse(*kind, text);
            }
        }
    }

    #[test]
    fn a_normal_phone_stays_what_it_is(digits in "[35789][0-9]{8}") {
        if let Ok(phone) = Phone::try_from(format!("0{digits}").as_str()) {
            prop_assert_eq!(Phone::try_from(phone.as_str()).unwrap(), phone);
        }
    }

    #[test]
    fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
        let once = fold(&text);
        let twice = fold(&once);
        prop_assert_eq!(twice.as_str(), once.as_str());
    }
}

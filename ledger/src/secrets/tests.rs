use super::*;
use crate::wiring::SeededRandomness;

fn kek(byte: u8) -> Secret32 {
    Secret32([byte; 32])
}

#[test]
fn a_generated_key_is_private_and_loads_again() {
    let directory = tempfile::tempdir().unwrap();
    let source = KeySource::File(directory.path().join("secrets/kek"));
    let made = source.load_or_generate(&SeededRandomness::new(1)).unwrap();
    assert_ne!(made.0, [0; 32]);
    assert_eq!(source.load().unwrap().0, made.0);
    assert_eq!(
        source
            .load_or_generate(&SeededRandomness::new(2))
            .unwrap()
            .0,
        made.0
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let bits = std::fs::metadata(directory.path().join("secrets/kek"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(bits & 0o777, 0o600);
        let around = std::fs::metadata(directory.path().join("secrets"))
            .unwrap()
            .permissions();
        assert_eq!(around.mode() & 0o777, 0o700);
    }
}

#[test]
fn a_key_file_is_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kek");
    write_file(&path, &kek(1)).unwrap();
    assert_eq!(
        write_file(&path, &kek(2)),
        Err(SecretError::Exists { path: path.clone() })
    );
    assert_eq!(KeySource::File(path).load().unwrap().0, [1; 32]);
}

#[test]
fn a_half_written_key_is_no_key() {
    let directory = tempfile::tempdir().unwrap();
    let source = KeySource::File(directory.path().join("kek"));
    std::fs::write(directory.path().join("kek.new"), "0123").unwrap();
    let made = source.load_or_generate(&SeededRandomness::new(1)).unwrap();
    assert_eq!(source.load().unwrap().0, made.0);
    let entries = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(entries, 1, "nothing is left aside");
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_may_read_is_refused_with_a_hint() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kek");
    write_file(&path, &kek(1)).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o601] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = KeySource::File(path.clone()).load().unwrap_err();
        assert_eq!(
            error,
            SecretError::OpenToOthers {
                path: path.clone(),
                mode
            }
        );
        assert!(error.hint().starts_with("chmod 600 "));
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert!(KeySource::File(path).load().is_ok());
}

#[test]
fn values_are_hexadecimal_or_base64() {
    let load = |text: &str| KeySource::Value(Zeroizing::new(text.into())).load();
    let hexadecimal = "fb".repeat(32);
    let standard = base64::engine::general_purpose::STANDARD.encode([0xfb; 32]);
    let url = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([0xfb; 32]);
    for text in [
        hexadecimal.as_str(),
        &format!(" {hexadecimal}\n"),
        &standard,
        &url,
    ] {
        assert_eq!(load(text).unwrap().0, [0xfb; 32]);
    }
    let too_long = format!("{hexadecimal}fb");
    for text in [
        "",
        "fb",
        &hexadecimal[..62],
        &too_long,
        &standard[..40],
        "không phải khóa",
    ] {
        let error = load(text).unwrap_err();
        assert!(matches!(error, SecretError::Malformed { .. }), "{error}");
        assert!(text.len() < 8 || !format!("{error} {error:?} {}", error.hint()).contains(text));
    }
}

#[test]
fn a_missing_or_unreadable_file_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kek");
    let load = || KeySource::File(path.clone()).load();
    assert_eq!(
        load().unwrap_err(),
        SecretError::Missing { path: path.clone() }
    );
    write_file(&path, &kek(1)).unwrap();
    std::fs::write(&path, [0xff; 32]).unwrap();
    assert!(matches!(load().unwrap_err(), SecretError::Malformed { .. }));
    std::fs::write(&path, "a".repeat(100_000)).unwrap();
    assert!(matches!(load().unwrap_err(), SecretError::Malformed { .. }));
}

#[test]
fn the_order_of_sources_is_value_file_default() {
    let choose = |value: Option<&str>, file: Option<&str>| {
        format!(
            "{:?}",
            KeySource::choose(value.map(Into::into), file.map(Into::into), "d".into())
        )
    };
    assert_eq!(choose(Some("secret"), Some("f")), "Value(…)");
    assert_eq!(choose(None, Some("f")), "File(\"f\")");
    assert_eq!(choose(None, None), "File(\"d\")");
}

#[test]
fn derived_keys_are_all_different_and_depend_on_the_kek() {
    let all = |keys: &Keys| {
        [
            keys.wrapping,
            keys.credentials,
            keys.otp,
            keys.session,
            keys.registry,
            keys.lookup,
        ]
    };
    let mut seen = std::collections::HashSet::new();
    for byte in [1, 2] {
        let keys = Keys::derive(&kek(byte));
        assert!(all(&keys).into_iter().all(|key| seen.insert(key)));
        assert!(all(&keys).iter().all(|key| key[..16] != keys.check()));
    }
    assert_eq!(seen.len(), 12);
    assert_eq!(Keys::derive(&kek(1)).check(), Keys::derive(&kek(1)).check());
    assert_ne!(Keys::derive(&kek(1)).check(), Keys::derive(&kek(2)).check());
}

#[test]
fn one_datum_has_one_lookup_hash_per_category_and_key() {
    let keys = Keys::derive(&kek(1));
    let phone = |text| keys.lookup(Category::PhoneClaim, text);
    for text in [
        "0912 345 678",
        "091.234.5678",
        " +84912345678",
        "+84 (91) 234-5678",
    ] {
        assert_eq!(phone(text), phone("0912345678"), "{text}");
    }
    assert_ne!(phone("0912345679"), phone("0912345678"));
    assert_ne!(
        keys.lookup(Category::PersonalIdClaim, "0912345678"),
        phone("0912345678")
    );
    assert_ne!(
        Keys::derive(&kek(2)).lookup(Category::PhoneClaim, "0912345678"),
        phone("0912345678")
    );
    let device = |text| keys.lookup(Category::DeviceClaim, text);
    assert_eq!(device("m\u{e1}y"), device("ma\u{301}y"));
}

#[test]
fn nothing_prints_a_secret() {
    let secret = kek(0xab);
    let source = KeySource::Bytes(secret.clone());
    let value = KeySource::Value(Zeroizing::new("ab".repeat(32)));
    let text = format!(
        "{secret:?} {source:?} {value:?} {:?}",
        Keys::derive(&secret)
    );
    assert!(!text.contains("ab") && !text.contains("171"), "{text}");
}

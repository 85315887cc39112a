use super::*;
use axum::http::{HeaderName, HeaderValue, Method};
use ed25519_dalek::{Signer as _, SigningKey};

const NOW: i64 = 1_709_600_000;
const BODY: &[u8] = br#"{"a":1,"salt":"AAAAAAAAAAAAAAAAAAAAAA"}"#;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// A request as it arrives.
#[derive(Clone)]
struct Arrived {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Arrived {
    fn signed(path_and_query: &str, body: &[u8], headers: HeaderMap, key: &SigningKey) -> Self {
        let request = Unsigned {
            method: &Method::POST,
            path_and_query,
            headers: &headers,
            body,
        };
        let added = sign_request(&request, key, NOW, [9; 16]).unwrap();
        let mut headers = headers;
        headers.extend(added);
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path_and_query, None),
        };
        Self {
            method: Method::POST,
            path: path.to_owned(),
            query,
            headers,
            body: body.to_vec(),
        }
    }

    fn plain() -> Self {
        Self::signed("/v1/accounts/a/locks", BODY, HeaderMap::new(), &key())
    }

    fn admit_at(&self, now_s: i64) -> Result<Presented, SignatureError> {
        let target = Target {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            authority: Some("example.com"),
        };
        let presented = present(&target, &self.headers, &self.body, now_s)?;
        presented.verify(&public(&key()))?;
        Ok(presented)
    }

    fn admit(&self) -> Result<Presented, SignatureError> {
        self.admit_at(NOW)
    }

    fn set(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.headers
            .insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    /// Rewrites `signature-input` and signs the base that it then means: what a sender would send
    /// who knows the key but not the rules.
    fn resigned(&self, change: impl Fn(&str) -> String) -> Result<Presented, SignatureError> {
        let mut other = self.clone();
        let input = change(self.headers["signature-input"].to_str().unwrap());
        other.set("signature-input", &input);
        let dictionary: Dictionary = Parser::new(&input).parse().unwrap();
        let ListEntry::InnerList(covered) = &dictionary[0] else {
            panic!("an inner list")
        };
        let target = Target {
            method: &other.method,
            path: &other.path,
            query: other.query.as_deref(),
            authority: Some("example.com"),
        };
        if let Ok(base) = signature_base(&target, &other.headers, covered) {
            let signature = key().sign(base.as_bytes()).to_bytes();
            other.set(
                "signature",
                &format!("sig1=:{}:", BASE64_STANDARD.encode(signature)),
            );
        }
        other.admit()
    }
}

/// RFC 9421, B.2.6: the standard's own request, key, base and signature.
#[test]
fn the_standards_own_vector_gives_its_base_and_its_signature() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("content-type", "application/json"),
        ("content-length", "18"),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    let input = concat!(
        r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")"#,
        r#";created=1618884473;keyid="test-key-ed25519""#
    );
    let dictionary: Dictionary = Parser::new(input).parse().unwrap();
    let ListEntry::InnerList(covered) = &dictionary[0] else {
        panic!("an inner list")
    };
    let target = Target {
        method: &Method::POST,
        path: "/foo",
        query: Some("param=Value&Pet=dog"),
        authority: Some("Example.com"),
    };
    let base = signature_base(&target, &headers, covered).unwrap();
    let expected = [
        r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
        r#""@method": POST"#,
        r#""@path": /foo"#,
        r#""@authority": example.com"#,
        r#""content-type": application/json"#,
        r#""content-length": 18"#,
        concat!(
            r#""@signature-params": ("date" "@method" "@path" "@authority" "content-type" "#,
            r#""content-length");created=1618884473;keyid="test-key-ed25519""#
        ),
    ];
    assert_eq!(base, expected.join("\n"));
    let public: [u8; 32] =
        hex::decode("26b40b8f93fff3d897112f7ebc582b232dbd72517d082fe83cfb30ddce43d1bb")
            .unwrap()
            .try_into()
            .unwrap();
    let signature =
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";
    let signature: [u8; 64] = BASE64_STANDARD
        .decode(signature)
        .unwrap()
        .try_into()
        .unwrap();
    domain::record::verify(&PublicKey(public), base.as_bytes(), &Signature(signature)).unwrap();
}

#[test]
fn what_the_client_signs_is_admitted_and_the_base_is_kept_as_signed() {
    let presented = Arrived::plain().admit().unwrap();
    let base = String::from_utf8(presented.base.clone()).unwrap();
    let digest = content_digest(BODY);
    assert!(
        base.starts_with("\"@method\": POST\n\"@path\": /v1/accounts/a/locks\n"),
        "{base}"
    );
    assert!(
        base.contains(&format!("\"content-digest\": {digest}\n")),
        "{base}"
    );
    assert_eq!(presented.key_id, public(&key()).id());
    assert_eq!(
        nonce_of_base(&presented.base),
        Some((presented.key_id, presented.nonce))
    );
}

#[test]
fn a_query_and_the_headers_that_change_the_meaning_are_covered() {
    let mut headers = HeaderMap::new();
    headers.insert("if-match", HeaderValue::from_static("\"3\""));
    headers.insert(
        "idempotency-key",
        HeaderValue::from_static("0123456789abcdef0123456789"),
    );
    let arrived = Arrived::signed("/v1/events?limit=1", b"", headers, &key());
    let base = String::from_utf8(arrived.admit().unwrap().base).unwrap();
    for line in [
        "\"@query\": ?limit=1\n",
        "\"if-match\": \"3\"\n",
        "\"idempotency-key\": ",
    ] {
        assert!(base.contains(line), "{base}");
    }
    // An empty query is a query.
    let arrived = Arrived::signed("/v1/events?", b"", HeaderMap::new(), &key());
    assert!(
        String::from_utf8(arrived.admit().unwrap().base)
            .unwrap()
            .contains("\"@query\": ?\n")
    );
}

#[test]
fn a_changed_request_does_not_verify() {
    let changes: [fn(&mut Arrived); 6] = [
        |arrived| arrived.method = Method::DELETE,
        |arrived| arrived.path = "/v1/accounts/b/locks".to_owned(),
        |arrived| {
            arrived
                .headers
                .insert("content-type", HeaderValue::from_static("text/plain"));
        },
        |arrived| {
            let input = arrived.headers["signature-input"]
                .to_str()
                .unwrap()
                .to_owned();
            arrived.set(
                "signature-input",
                &input.replace("created=1709600000", "created=1709600001"),
            );
        },
        |arrived| {
            let input = arrived.headers["signature-input"]
                .to_str()
                .unwrap()
                .to_owned();
            let body = arrived.body.clone();
            arrived.set("content-digest", &content_digest(&body));
            arrived.set("signature-input", &input.replace("CQkJ", "CQkK"));
        },
        |arrived| {
            arrived.body = BODY
                .iter()
                .map(|byte| if *byte == b'1' { b'2' } else { *byte })
                .collect();
            let digest = content_digest(&arrived.body);
            arrived.set("content-digest", &digest);
        },
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut arrived = Arrived::plain();
        change(&mut arrived);
        assert_eq!(arrived.admit(), Err(SignatureError::Invalid), "change {at}");
    }
}

#[test]
fn another_body_than_the_one_digested_is_told_as_such() {
    let mut arrived = Arrived::plain();
    arrived.body.push(b' ');
    assert_eq!(arrived.admit(), Err(SignatureError::Digest));
}

#[test]
fn an_altered_or_added_query_does_not_pass() {
    let mut arrived = Arrived::signed("/v1/events?limit=1", b"", HeaderMap::new(), &key());
    arrived.query = Some("limit=2".to_owned());
    assert_eq!(arrived.admit(), Err(SignatureError::Invalid));
    arrived.query = None;
    assert_eq!(arrived.admit(), Err(SignatureError::Invalid));
    let mut plain = Arrived::signed("/v1/events", b"", HeaderMap::new(), &key());
    plain.query = Some("limit=1".to_owned());
    assert_eq!(plain.admit(), Err(SignatureError::Incomplete("@query")));
}

#[test]
fn a_signature_that_leaves_out_a_component_is_incomplete_whoever_made_it() {
    for name in ["@method", "@path", "content-type", "content-digest"] {
        let stripped = Arrived::plain().resigned(|input| {
            input
                .replace(&format!("\"{name}\" "), "")
                .replace(&format!(" \"{name}\")"), ")")
        });
        assert_eq!(stripped, Err(SignatureError::Incomplete(name)));
    }
    for header in ["idempotency-key", "if-match"] {
        let mut arrived = Arrived::plain();
        arrived.set(header, "\"0123456789abcdef0123456789\"");
        assert_eq!(arrived.admit(), Err(SignatureError::Incomplete(header)));
    }
    for parameter in ["created=1709600000", "nonce=\"CQkJCQkJCQkJCQkJCQkJCQ\""] {
        let name = if parameter.starts_with('c') {
            "created"
        } else {
            "nonce"
        };
        let stripped =
            Arrived::plain().resigned(|input| input.replace(&format!(";{parameter}"), ""));
        assert_eq!(stripped, Err(SignatureError::Incomplete(name)));
    }
}

#[test]
fn what_the_rules_do_not_take_is_malformed_even_when_rightly_signed() {
    type Change = fn(&str) -> String;
    let changes: [(&str, Change); 11] = [
        ("another algorithm", |input| {
            input.replace("\"ed25519\"", "\"rsa-pss-sha512\"")
        }),
        ("no algorithm", |input| {
            input.replace(";alg=\"ed25519\"", "")
        }),
        ("a short nonce", |input| {
            input.replace("CQkJCQkJCQkJCQkJCQkJCQ", "CQkJ")
        }),
        ("a nonce with blanks", |input| {
            input.replace("CQkJCQkJCQkJCQkJCQkJCQ", "CQkJCQkJCQk CQkJCQkJCQ")
        }),
        ("a component twice", |input| {
            input.replace("(\"@method\"", "(\"@method\" \"@method\"")
        }),
        ("a component's parameter", |input| {
            input.replace("\"@path\"", "\"@path\";req")
        }),
        ("a field that may not be kept", |input| {
            input.replace("(\"@method\"", "(\"authorization\" \"@method\"")
        }),
        ("a derived component", |input| {
            input.replace("(\"@method\"", "(\"@authority\" \"@method\"")
        }),
        ("an unknown parameter", |input| format!("{input};tag=\"x\"")),
        ("a parameter twice", |input| {
            format!("{input};alg=\"ed25519\"")
        }),
        ("odd blanks", |input| {
            input.replace("(\"@method\" ", "(\"@method\"  ")
        }),
    ];
    for (name, change) in changes {
        let mut arrived = Arrived::plain();
        arrived.set("authorization", "x");
        let result = arrived.resigned(change);
        assert!(
            matches!(result, Err(SignatureError::Malformed(_))),
            "{name}: {result:?}"
        );
    }
}

#[test]
fn headers_that_stand_there_twice_or_are_not_one_signature_are_malformed() {
    for name in [
        "signature",
        "signature-input",
        "content-digest",
        "content-type",
    ] {
        let mut arrived = Arrived::plain();
        let value = arrived.headers[name].clone();
        arrived.headers.append(HeaderName::from_static(name), value);
        assert!(
            matches!(arrived.admit(), Err(SignatureError::Malformed(_))),
            "{name}"
        );
    }
    let digest = content_digest(BODY);
    let changes = [
        ("signature", "sig1=:AAAA:".to_owned()),
        ("signature", "sig2=:AAAA:".to_owned()),
        ("signature", "sig1=1".to_owned()),
        ("signature", String::new()),
        ("signature-input", "sig1".to_owned()),
        ("signature-input", "((((".to_owned()),
        ("signature-input", "sig1=(), sig2=()".to_owned()),
        ("content-digest", "sha-512=:AAAA:".to_owned()),
        ("content-digest", format!("{digest}, sha-512=:AAAA:")),
        ("content-digest", format!("{digest};x=1")),
        ("content-digest", "sha-256=?1".to_owned()),
    ];
    for (name, value) in changes {
        let mut arrived = Arrived::plain();
        arrived.set(name, &value);
        let result = arrived.admit();
        assert!(
            matches!(result, Err(SignatureError::Malformed(_))),
            "{name}: {value}: {result:?}"
        );
    }
}

#[test]
fn a_signature_is_good_for_five_minutes_either_way() {
    let arrived = Arrived::plain();
    for skew in [-SIGNATURE_SKEW_S, 0, SIGNATURE_SKEW_S] {
        arrived.admit_at(NOW + skew).unwrap();
    }
    for skew in [
        -SIGNATURE_SKEW_S - 1,
        SIGNATURE_SKEW_S + 1,
        i64::MAX - NOW,
        -NOW,
    ] {
        assert_eq!(arrived.admit_at(NOW + skew), Err(SignatureError::Skewed));
    }
    let expiring = |at: i64| {
        Arrived::plain()
            .resigned(move |input| input.replace(";nonce", &format!(";expires={at};nonce")))
    };
    expiring(NOW).unwrap();
    assert_eq!(expiring(NOW - 1), Err(SignatureError::Skewed));
}

#[test]
fn only_the_key_named_verifies_and_no_weak_one() {
    let target = Target {
        method: &Method::POST,
        path: "/v1/accounts/a/locks",
        query: None,
        authority: None,
    };
    let arrived = Arrived::plain();
    let presented = present(&target, &arrived.headers, &arrived.body, NOW).unwrap();
    let other = SigningKey::from_bytes(&[8; 32]);
    assert_eq!(
        presented.verify(&public(&other)),
        Err(SignatureError::Invalid)
    );
    // A point of small order: under it, one signature would be good for any message.
    let mut weak = [0; 32];
    weak[0] = 1;
    let weak = PublicKey(weak);
    let mut forged = presented.clone();
    forged.key_id = weak.id();
    let mut identity = [0; 64];
    identity[0] = 1;
    forged.signature = Signature(identity);
    assert_eq!(forged.verify(&weak), Err(SignatureError::WeakKey));
}

#[test]
fn a_nonce_is_used_once_by_each_key_and_forgotten_when_it_cannot_matter() {
    let nonces = Nonces::default();
    let presented = Arrived::plain().admit().unwrap();
    presented.consume(&nonces, NOW).unwrap();
    assert_eq!(
        presented.consume(&nonces, NOW),
        Err(SignatureError::Replayed)
    );
    assert_eq!(
        presented.consume(&nonces, NOW + 2 * SIGNATURE_SKEW_S),
        Err(SignatureError::Replayed)
    );
    assert_eq!(
        nonces.consume(KeyId([1; 16]), &presented.nonce, NOW),
        NonceUse::Fresh
    );
    // By then its time is out of range whatever clock made it.
    presented
        .consume(&nonces, NOW + 2 * SIGNATURE_SKEW_S + 2)
        .unwrap();
    assert_eq!(nonces.len(), 1);
}

#[test]
fn the_table_of_nonces_is_bounded_and_full_means_no_not_yes() {
    let nonces = Nonces::with_limit(2);
    for nonce in ["a", "b"] {
        assert_eq!(nonces.consume(KeyId::ZERO, nonce, NOW), NonceUse::Fresh);
    }
    assert_eq!(nonces.consume(KeyId::ZERO, "c", NOW), NonceUse::Full);
    assert_eq!(nonces.consume(KeyId::ZERO, "a", NOW), NonceUse::Replayed);
    assert_eq!(
        nonces.consume(KeyId::ZERO, "c", NOW + 2 * SIGNATURE_SKEW_S + 2),
        NonceUse::Fresh
    );
}

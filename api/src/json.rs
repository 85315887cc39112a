//! Strict JSON: one value, UTF-8, every field known and there once. What is wrong is said with a JSON
//! pointer and a code, never with the value: values are personal.

use crate::problem::{Code, Problem};
use core::fmt;
use core::marker::PhantomData;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

/// Longest field name that is named back to the sender.
const NAMED_FIELD_CHARS_MAX: usize = 40;

/// Parses a whole body, which must be an object.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.is_empty() {
        return Err(Problem::new(Code::BodyMissing));
    }
    if core::str::from_utf8(bytes).is_err() {
        return Err(Problem::new(Code::InvalidUtf8));
    }
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut source)
        .map_err(|error| problem(error.path(), error.inner()))?;
    source
        .end()
        .map_err(|_| Problem::new(Code::MalformedJson))?;
    Ok(value)
}

/// A value that must be written as an object. serde also takes an array for a struct, field by field;
/// the contract does not.
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfFields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OfFields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer
            .deserialize_map(OfFields(PhantomData))
            .map(Self)
    }
}

/// For fields that hold an object.
pub fn object<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Object::deserialize(deserializer).map(|Object(value)| value)
}

/// For fields that may hold an object.
pub fn object_if_given<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let given = Option::<Object<T>>::deserialize(deserializer)?;
    Ok(given.map(|Object(value)| value))
}

fn problem(path: &Path, error: &serde_json::Error) -> Problem {
    if error.classify() != Category::Data {
        return Problem::new(Code::MalformedJson);
    }
    // serde says what kind of error it is only in words. The words are matched and thrown away:
    // they may quote the value.
    let words = error.to_string();
    let named = quoted(&words).unwrap_or_default();
    let pointer = pointer(path);
    if words.starts_with("unknown field") {
        // The name is the sender's own text, so only what looks like a field's name is said back.
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        let shown = named.len() <= NAMED_FIELD_CHARS_MAX && named.chars().all(plain);
        let detail = if shown {
            format!("`{named}` is not known here")
        } else {
            String::new()
        };
        return Problem::field(Code::UnknownField, parent(&pointer), detail);
    }
    if words.starts_with("missing field") {
        let detail = "needed and not there";
        return Problem::field(Code::MissingField, format!("{pointer}/{named}"), detail);
    }
    if words.starts_with("duplicate field") {
        let detail = "stands there twice";
        return Problem::field(Code::DuplicateField, format!("{pointer}/{named}"), detail);
    }
    Problem::field(
        Code::WrongType,
        pointer,
        "not of the type or the list it must be of",
    )
}

/// The first text between backticks.
fn quoted(words: &str) -> Option<&str> {
    let (_, rest) = words.split_once('`')?;
    rest.split_once('`').map(|(name, _)| name)
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
    }
    pointer
}

/// The pointer without its last step, which for an unknown field is the sender's own text.
fn parent(pointer: &str) -> String {
    pointer
        .rsplit_once('/')
        .map_or(String::new(), |(parent, _)| parent.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        #[serde(default, deserialize_with = "object_if_given")]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        number: u32,
    }

    fn check(body: &[u8], code: Code, pointer: Option<&str>) {
        let problem = parse::<Outer>(body).unwrap_err();
        assert_eq!(problem.code, code, "{}", String::from_utf8_lossy(body));
        assert_eq!(
            problem.errors.first().map(|error| error.pointer.as_str()),
            pointer
        );
        for error in &problem.errors {
            assert!(
                !error.detail.contains("030"),
                "a value is said back: {}",
                error.detail
            );
            assert!(
                !error.pointer.contains("030"),
                "a value is said back: {}",
                error.pointer
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_a_code_and_a_place() {
        check(b"", Code::BodyMissing, None);
        check(b"{", Code::MalformedJson, None);
        check(b"\xff\xfe", Code::InvalidUtf8, None);
        check(b"{\"name\":\"\xc3\x28\"}", Code::InvalidUtf8, None);
        check(b"{\"name\":\"a\"} x", Code::MalformedJson, None);
        check(b"{\"name\":\"a\"}{}", Code::MalformedJson, None);
        check(b"{\"name\":\"\\ud800\"}", Code::MalformedJson, None);
        check(b"[]", Code::WrongType, Some(""));
        check(b"[\"a\",null]", Code::WrongType, Some(""));
        check(
            b"{\"name\":\"a\",\"inner\":[1]}",
            Code::WrongType,
            Some("/inner"),
        );
        check(b"{\"name\":30099}", Code::WrongType, Some("/name"));
        check(
            b"{\"name\":\"a\",\"inner\":{\"number\":\"030099000001\"}}",
            Code::WrongType,
            Some("/inner/number"),
        );
        check(
            b"{\"name\":\"a\",\"inner\":{\"number\":-1}}",
            Code::WrongType,
            Some("/inner/number"),
        );
        check(b"{\"inner\":null}", Code::MissingField, Some("/name"));
        check(
            b"{\"name\":\"a\",\"inner\":{}}",
            Code::MissingField,
            Some("/inner/number"),
        );
        check(
            b"{\"name\":\"a\",\"name\":\"b\"}",
            Code::DuplicateField,
            Some("/name"),
        );
        check(
            b"{\"name\":\"a\",\"surname\":1}",
            Code::UnknownField,
            Some(""),
        );
        check(
            b"{\"name\":\"a\",\"inner\":{\"number\":1,\"x\":1}}",
            Code::UnknownField,
            Some("/inner"),
        );
        check(
            b"{\"name\":\"a\",\"030099000001\":1}",
            Code::UnknownField,
            Some(""),
        );
    }

    #[test]
    fn a_deep_body_is_refused_and_not_followed() {
        let mut deep = b"{\"name\":".to_vec();
        deep.extend(core::iter::repeat_n(b'[', 60_000));
        assert!(parse::<Outer>(&deep).is_err());
        assert!(parse::<serde_json::Value>(&deep).is_err());
    }

    #[test]
    fn what_is_right_is_taken() {
        let value: Outer =
            parse(" {\"inner\":{\"number\":7},\"name\":\"Nguyễn\"}\n".as_bytes()).unwrap();
        assert_eq!(
            value,
            Outer {
                name: "Nguyễn".to_owned(),
                inner: Some(Inner { number: 7 })
            }
        );
    }
}

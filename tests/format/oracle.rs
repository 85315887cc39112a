//! `wincode` writes the format; `bincode` 2.0.1 (`legacy`: fixed integers, `u64` lengths) says what
//! it should have written. The two differ in one thing by choice: enum tags are one byte in the
//! format and four in bincode, so [`OneByteTags`] stands between serde and bincode and turns each
//! variant into a tuple that starts with a `u8`. Everything else (integers, lengths, options,
//! texts, arrays, field order) is bincode's own doing.

use domain::command::Command;
use domain::envelope::{Envelope, Evidence};
use domain::event::Event;
use domain::personal::Personal;
use idledger_tests::sample::Draw;
use proptest::prelude::*;
use serde::ser::{self, Serialize, Serializer};

/// What bincode writes for a value.
pub fn oracle<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let config = bincode::config::legacy().with_limit::<{ 64 * 1024 }>();
    bincode::serde::encode_to_vec(OneByteTags(value), config).expect("a sample is short")
}

fn envelope_oracle(envelope: &Envelope) -> Vec<u8> {
    let e = envelope;
    let first = (
        &e.event_id,
        &e.stream,
        &e.revision,
        &e.link,
        &e.kind,
        &e.schema,
        &e.recorded_at,
        &e.occurred_at,
        &e.command,
        &e.causation,
        &e.correlation,
    );
    let second = (
        &e.actor,
        &e.evidence,
        &e.policy,
        &e.catalogue,
        &e.receipt,
        &e.facts,
        &e.sealed,
        &e.ledger_key,
    );
    oracle(&(first, second))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn facts_of_every_kind_are_what_bincode_writes(seed in any::<u64>()) {
        let mut draw = Draw::new(seed);
        for (kind, name, _) in Event::KINDS {
            let event = draw.event(*kind);
            prop_assert_eq!(event.encode().unwrap(), oracle(&event), "{}", name);
        }
    }

    #[test]
    fn envelopes_and_sealed_texts_are_what_bincode_writes(seed in any::<u64>()) {
        let mut draw = Draw::new(seed);
        for (kind, _, _) in Event::KINDS.iter().step_by(7) {
            let event = draw.event(*kind);
            let evidence: Evidence = draw.value();
            let mut envelope = draw.envelope(&event, evidence);
            envelope.sealed = draw.value();
            prop_assert_eq!(domain::bytes::encode(&envelope).unwrap(), envelope_oracle(&envelope));
            let personal: Personal = draw.value();
            prop_assert_eq!(domain::bytes::encode(&personal).unwrap(), oracle(&personal));
        }
    }
}

#[test]
fn a_command_encodes_to_bytes_that_decode_to_it() {
    let command = Command::ExpireActivationWindow;
    let bytes = domain::bytes::encode(&command).unwrap();
    assert_eq!(bytes.len(), 1, "one byte of tag");
    assert!(domain::bytes::decode::<Command>(&bytes).unwrap() == command);
}

/// A value whose enums are written with one-byte tags.
struct OneByteTags<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> Serialize for OneByteTags<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Through(serializer))
    }
}

struct Through<S>(S);

macro_rules! same {
    ($( $method:ident($type:ty); )*) => { $(
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.0.$method(value)
        }
    )* };
}

impl<S: Serializer> Serializer for Through<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Through<S::SerializeSeq>;
    type SerializeTuple = Through<S::SerializeTuple>;
    type SerializeTupleStruct = Through<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Through<S::SerializeTuple>;
    type SerializeMap = ser::Impossible<S::Ok, S::Error>;
    type SerializeStruct = Through<S::SerializeStruct>;
    type SerializeStructVariant = Through<S::SerializeTuple>;

    same! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.serialize_some(&OneByteTags(value))
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit_struct(name)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.0
            .serialize_u8(u8::try_from(index).expect("fewer than 256 variants"))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_struct(name, &OneByteTags(value))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        use ser::SerializeTuple;
        let mut tuple = tagged(self.0, index, 1)?;
        tuple.serialize_element(value)?;
        tuple.end()
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.0.serialize_seq(len).map(Through)
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.0.serialize_tuple(len).map(Through)
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.0.serialize_tuple_struct(name, len).map(Through)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        tagged(self.0, index, len)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        Err(ser::Error::custom("no maps in the format"))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        self.0.serialize_struct(name, len).map(Through)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        tagged(self.0, index, len)
    }
}

/// A variant as a tuple (bincode frames neither) of its tag and its fields.
fn tagged<S: Serializer>(
    serializer: S,
    index: u32,
    len: usize,
) -> Result<Through<S::SerializeTuple>, S::Error> {
    let mut tuple = serializer.serialize_tuple(1 + len)?;
    let tag = u8::try_from(index).expect("fewer than 256 variants");
    ser::SerializeTuple::serialize_element(&mut tuple, &tag)?;
    Ok(Through(tuple))
}

macro_rules! compound {
    ($( $trait:ident $method:ident; )*) => { $(
        impl<S: ser::$trait> ser::$trait for Through<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                self.0.$method(&OneByteTags(value))
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.0.end()
            }
        }
    )* };
}

compound! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
}

impl<S: ser::SerializeStruct> ser::SerializeStruct for Through<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), S::Error> {
        self.0.serialize_field(key, &OneByteTags(value))
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

impl<S: ser::SerializeTuple> ser::SerializeTupleVariant for Through<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.0.serialize_element(&OneByteTags(value))
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

impl<S: ser::SerializeTuple> ser::SerializeStructVariant for Through<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        _: &'static str,
        value: &T,
    ) -> Result<(), S::Error> {
        self.0.serialize_element(&OneByteTags(value))
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

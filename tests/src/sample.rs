//! Arbitrary values of any type of the format, out of a seed: a deserializer that makes up its
//! input. What it makes for a seed may change; nothing but the vectors' first making depends on it.

use domain::envelope::{Envelope, Evidence, Receipt};
use domain::event::{Event, KindCode};
use domain::ids::{
    CommandId, CorrelationId, Digest, EventId, KeyId, Micros, Revision, Signature, StreamId,
};
use serde::de::value::{Error, U32Deserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer, Visitor};

/// A source of arbitrary values.
pub struct Draw(blake3::OutputReader);

impl Draw {
    /// The values that belong to a seed.
    pub fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("idledger tests 2026 samples v1");
        hasher.update(&seed.to_le_bytes());
        Self(hasher.finalize_xof())
    }

    /// Bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        u32::from_le_bytes(self.array()) % end.max(1)
    }

    /// A value of any type that serde can read from a binary form.
    ///
    /// # Panics
    /// If the type asks to look at its input first (untagged enums, maps).
    pub fn value<T: DeserializeOwned>(&mut self) -> T {
        T::deserialize(self).expect("types of the format say what they need")
    }

    /// An event of a kind.
    ///
    /// # Panics
    /// If there is no such kind.
    pub fn event(&mut self, kind: KindCode) -> Event {
        Event::deserialize(kind, self)
            .expect("a known kind")
            .expect("facts say what they need")
    }

    /// An envelope around an event, without commitments.
    ///
    /// # Panics
    /// If the event is too long to encode.
    pub fn envelope(&mut self, event: &Event, evidence: Evidence) -> Envelope {
        Envelope {
            event_id: EventId(self.array()),
            stream: self.value::<StreamId>(),
            revision: self.value::<Revision>(),
            link: Digest(self.array()),
            kind: event.kind(),
            schema: 1,
            recorded_at: self.value::<Micros>(),
            occurred_at: self.value::<Micros>(),
            command: CommandId(self.array()),
            causation: self.value(),
            correlation: CorrelationId(self.array()),
            actor: self.value(),
            evidence,
            policy: self.value(),
            catalogue: self.value(),
            receipt: self.value::<Option<Receipt>>(),
            facts: event.encode().expect("facts of a sample are short"),
            sealed: Vec::new(),
            ledger_key: KeyId(self.array()),
        }
    }

    /// A signature of nothing.
    pub fn signature(&mut self) -> Signature {
        Signature(self.array())
    }

    fn text(&mut self) -> String {
        const LETTERS: [char; 16] = [
            'a', 'N', 'g', 'u', 'y', 'ễ', 'n', ' ', 'Đ', 'ỗ', '0', '7', '-', '"', '\n', '𝟙',
        ];
        let letters = (0..self.below(12)).map(|_| self.below(16) as usize);
        letters.filter_map(|letter| LETTERS.get(letter)).collect()
    }
}

macro_rules! numbers {
    ($( $method:ident $visit:ident $type:ty; )*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(<$type>::from_le_bytes(self.array()))
        }
    )* };
}

macro_rules! unsupported {
    ($( $method:ident )*) => { $(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(Error::custom(concat!(stringify!($method), " has no place in the format")))
        }
    )* };
}

impl<'de> serde::Deserializer<'de> for &mut Draw {
    type Error = Error;

    numbers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
    }

    unsupported! {
        deserialize_any deserialize_f32 deserialize_f64 deserialize_char deserialize_map
        deserialize_identifier deserialize_ignored_any
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.below(2) == 1)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text())
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_byte_buf(self.text().into_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_byte_buf(self.text().into_bytes())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.below(2) == 1 {
            visitor.visit_some(self)
        } else {
            visitor.visit_none()
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.below(5) as usize;
        visitor.visit_seq(Items { draw: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(Items { draw: self, left })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(Items { draw: self, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(Items {
            draw: self,
            left: fields.len(),
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let variant = self.below(variants.len() as u32);
        visitor.visit_enum(Variant {
            draw: self,
            variant,
        })
    }
}

struct Items<'a> {
    draw: &'a mut Draw,
    left: usize,
}

impl<'de> serde::de::SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.draw).map(Some)
    }
}

struct Variant<'a> {
    draw: &'a mut Draw,
    variant: u32,
}

impl<'de> serde::de::EnumAccess<'de> for Variant<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let index: U32Deserializer<Error> = self.variant.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> serde::de::VariantAccess<'de> for Variant<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.draw)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Items {
            draw: self.draw,
            left: len,
        })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(Items {
            draw: self.draw,
            left: fields.len(),
        })
    }
}

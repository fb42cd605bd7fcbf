//! Deserializes parameters from a query string.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};

use super::json_value::Name;
use super::mismatch::{Form, Mismatch, Reason};

/// Parses a query string. Unknown and repeated parameters are errors.
pub(super) fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Mismatch> {
    let mut parameters = BTreeMap::new();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        if parameters.contains_key(&name) {
            return Err(Mismatch { path: name.into_owned(), reason: Reason::Repeated });
        }
        parameters.insert(name.clone(), Text { name, text });
    }
    let named = parameters.into_values().map(|text| (Parameter(text.name.clone()), text));
    T::deserialize(MapDeserializer::new(named)).map_err(|mut error| {
        if let Reason::Missing(name) = error.reason {
            error.path = name.to_owned();
        } else if let Reason::Unknown { name, .. } = &error.reason {
            error.path.clone_from(name);
        }
        error
    })
}

/// The name of a parameter.
struct Parameter<'a>(Cow<'a, str>);

/// The text of a parameter, and its name for errors.
struct Text<'a> {
    name: Cow<'a, str>,
    text: Cow<'a, str>,
}

impl<'de> IntoDeserializer<'de, Mismatch> for Parameter<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Parameter<'_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_str(&self.0)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Mismatch> for Text<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Text<'_> {
    fn named<T>(name: &str, result: Result<T, Mismatch>) -> Result<T, Mismatch> {
        result.map_err(|error| Mismatch { path: name.to_owned(), ..error })
    }

    fn expected<T>(&self, expected: Form) -> Result<T, Mismatch> {
        Self::named(&self.name, Err(Mismatch::new(Reason::Type { expected, found: "" })))
    }
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        Self::named(&self.name, visitor.visit_str(&self.text))
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let is_number = self.text.bytes().all(|byte| byte.is_ascii_digit());
        match self.text.parse().ok().filter(|_| is_number) {
            Some(number) => Self::named(&self.name, visitor.visit_u64(number)),
            None => self.expected(Form::WholeNumber),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match &*self.text {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => self.expected(Form::Boolean),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let name = self.name.clone();
        Self::named(&name, visitor.visit_some(self))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        let name = self.name.clone();
        Self::named(&name, visitor.visit_newtype_struct(self))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        Self::named(&self.name, visitor.visit_enum(Name(&self.text)))
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

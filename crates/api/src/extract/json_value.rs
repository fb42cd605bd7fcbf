//! Deserializes a request from a JSON value. The wrong type of a value is found here, before a visitor sees it.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::{Map, Value};

use super::mismatch::{Form, Mismatch, Reason};

/// A value of the body.
#[derive(Clone, Copy)]
pub(super) struct JsonValue<'de>(pub(super) &'de Value);

impl JsonValue<'_> {
    fn expected<T>(self, expected: Form) -> Result<T, Mismatch> {
        let found = match self.0 {
            Value::Null => Form::Null.as_str(),
            Value::Bool(true) => "true",
            Value::Bool(false) => "false",
            Value::Number(number) if expected == Form::WholeNumber => match number.as_f64() {
                Some(number) if number < 0.0 => "a number below 0",
                Some(number) if number.fract() != 0.0 => "a number with a fraction",
                Some(_) if number.is_f64() => "a number with a fraction or an exponent",
                _ => "a larger number",
            },
            Value::Number(_) => Form::Number.as_str(),
            Value::String(text) if Self::is_quoted(text, expected) => "a string: write it without the quotes",
            Value::String(_) => Form::Text.as_str(),
            Value::Array(_) => Form::Array.as_str(),
            Value::Object(_) => Form::Object.as_str(),
        };
        Err(Mismatch::new(Reason::Type { expected, found }))
    }

    /// Returns whether a text is a value of the expected form in quotes.
    fn is_quoted(text: &str, expected: Form) -> bool {
        match expected {
            Form::WholeNumber => text.parse::<u64>().is_ok(),
            Form::Number => serde_json::from_str::<f64>(text).is_ok(),
            Form::Boolean => matches!(text, "true" | "false"),
            _ => false,
        }
    }
}

/// Reads a number of 0 or more that fits the type.
macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.0.as_u64().and_then(|number| <$type>::try_from(number).ok()) {
                Some(number) => visitor.$visit(number),
                None => self.expected(Form::WholeNumber),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for JsonValue<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (_, Some(number)) => visitor.visit_i64(number),
                _ => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(elements) => visitor.visit_seq(Elements { elements: elements.iter(), index: 0 }),
            Value::Object(members) => visitor.visit_map(Members::new(members)),
        }
    }

    whole_numbers! {
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0.as_f64() {
            Some(number) => visitor.visit_f64(number),
            None => self.expected(Form::Number),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0.as_bool() {
            Some(value) => visitor.visit_bool(value),
            None => self.expected(Form::Boolean),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0.as_str() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => self.expected(Form::Text),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.0.is_array() { self.deserialize_any(visitor) } else { self.expected(Form::Array) }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.0.is_object() { self.deserialize_any(visitor) } else { self.expected(Form::Object) }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::String(text) => visitor.visit_enum(Name(text)),
            _ => Err(Mismatch::new(Reason::Choice(variants))),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// The elements of an array.
struct Elements<'de> {
    elements: std::slice::Iter<'de, Value>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mismatch> {
        let Some(element) = self.elements.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        seed.deserialize(JsonValue(element)).map(Some).map_err(|error| error.within(&index.to_string()))
    }
}

/// The members of an object.
struct Members<'de> {
    members: serde_json::map::Iter<'de>,
    value: Option<(&'de str, &'de Value)>,
}

impl<'de> Members<'de> {
    fn new(members: &'de Map<String, Value>) -> Self {
        Self { members: members.iter(), value: None }
    }
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mismatch> {
        let Some((name, value)) = self.members.next() else { return Ok(None) };
        self.value = Some((name, value));
        let token: StrDeserializer<'_, Mismatch> = name.as_str().into_deserializer();
        seed.deserialize(token).map(Some).map_err(|error| error.within(name))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        let (name, value) = self.value.take().unwrap_or(("", &Value::Null));
        seed.deserialize(JsonValue(value)).map_err(|error| error.within(name))
    }
}

/// The name of a variant without content.
pub(super) struct Name<'a>(pub(super) &'a str);

impl<'de> EnumAccess<'de> for Name<'_> {
    type Error = Mismatch;
    type Variant = NoContent;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, NoContent), Mismatch> {
        let name: StrDeserializer<'_, Mismatch> = self.0.into_deserializer();
        seed.deserialize(name).map(|variant| (variant, NoContent))
    }
}

/// The content of a variant that has none.
pub(super) struct NoContent;

impl<'de> VariantAccess<'de> for NoContent {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Mismatch> {
        Err(Mismatch::new(Reason::Other))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Mismatch> {
        Err(Mismatch::new(Reason::Other))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Mismatch> {
        Err(Mismatch::new(Reason::Other))
    }
}

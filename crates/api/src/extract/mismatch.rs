//! The error of a deserializer: input of the wrong form. Its texts are a closed set; a text of a library cannot get in.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

/// The beginning of the texts that our own `Deserialize` implementations give. Others are dropped.
const OURS: &str = "expected ";

/// Input of the wrong form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// The JSON Pointer to the invalid member, or the name of the parameter.
    pub(super) path: String,
    /// The reason.
    pub(super) reason: Reason,
}

/// The reason for a mismatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// The value is of another type.
    Type { expected: Form, found: &'static str },
    /// The text is none of a list.
    Choice(&'static [&'static str]),
    /// A member or a parameter is unknown.
    Unknown { name: String, known: &'static [&'static str] },
    /// A required member or parameter is missing.
    Missing(&'static str),
    /// A member or a parameter is given twice.
    Repeated,
    /// A text of our own.
    Own(String),
    /// Anything else.
    Other,
}

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    WholeNumber,
    Number,
    Boolean,
    Text,
    Null,
    Array,
    Object,
}

impl Form {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::WholeNumber => "a whole number of 0 or more",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Text => "a string",
            Self::Null => "null",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

impl Mismatch {
    pub(super) fn new(reason: Reason) -> Self {
        Self { path: String::new(), reason }
    }

    /// Puts a token in front of the path.
    pub(super) fn within(mut self, token: &str) -> Self {
        self.path = format!("/{}{}", token.replace('~', "~0").replace('/', "~1"), self.path);
        self
    }

    /// Returns the text for the sender. `kind` is "member" or "parameter".
    pub(super) fn detail(&self, kind: &str) -> String {
        match &self.reason {
            Reason::Type { expected, found: "" } => format!("expected {}", expected.as_str()),
            Reason::Type { expected, found } => format!("expected {}, but found {found}", expected.as_str()),
            Reason::Choice(options) => format!("expected one of: {}", options.join(", ")),
            Reason::Unknown { name, known: [] } => format!("unknown {kind} `{name}`: remove it, there are none"),
            Reason::Unknown { name, known } => {
                format!("unknown {kind} `{name}`: expected one of: {}", known.join(", "))
            }
            Reason::Missing(name) => format!("missing {kind} `{name}`: add it"),
            Reason::Repeated => format!("expected the {kind} once, but found it twice"),
            Reason::Own(text) => text.clone(),
            Reason::Other => "expected another value: GET /openapi.json describes it".to_owned(),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail("member"))
    }
}

impl std::error::Error for Mismatch {}

impl Error for Mismatch {
    /// Keeps a text of our own, which begins with "expected ".
    fn custom<T: fmt::Display>(text: T) -> Self {
        let text = text.to_string();
        Self::new(if text.starts_with(OURS) { Reason::Own(text) } else { Reason::Other })
    }

    fn invalid_type(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self::new(Reason::Other)
    }

    fn invalid_value(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self::new(Reason::Other)
    }

    fn invalid_length(_: usize, _: &dyn Expected) -> Self {
        Self::new(Reason::Other)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Reason::Choice(expected))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Reason::Unknown { name: field.chars().take(64).collect(), known: expected })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Reason::Missing(field))
    }

    fn duplicate_field(_: &'static str) -> Self {
        Self::new(Reason::Repeated)
    }
}

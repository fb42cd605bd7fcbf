//! The mistakes against the grammar of JSON, each with the message for the sender.

use crate::intake::failure::FailureCode;

macro_rules! mistakes {
    ($($variant:ident $code:ident $text:literal;)*) => {
        /// A mistake against the grammar of JSON. The set is closed: no text of a library reaches a sender.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Mistake {
            $($variant,)*
        }

        impl Mistake {
            /// All mistakes.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Mistake] = &[$(Mistake::$variant,)*];

            /// Returns the code of the failure.
            pub(crate) fn code(self) -> FailureCode {
                match self {
                    $(Mistake::$variant => FailureCode::$code,)*
                }
            }

            /// Returns the message: what is wrong, and what to write instead.
            pub(crate) fn text(self) -> &'static str {
                match self {
                    $(Mistake::$variant => $text,)*
                }
            }
        }
    };
}

mistakes! {
    Empty NotJson "there is nothing here but white space: send a JSON object, such as {\"name\": 1}";

    EndsInArray Truncated "the text ends within an array: a ] is missing, or the data was cut off";
    EndsInObject Truncated "the text ends within an object: a } is missing, or the data was cut off";
    EndsInString Truncated "the text ends within a string: a closing \" is missing, or the data was cut off";
    EndsInNumber Truncated "the text ends within a number: the data was cut off";
    EndsInWord Truncated "the text ends within a word: write true, false or null in full, and text in double quotes";
    EndsBeforeValue Truncated "the text ends before the value of a member: the data was cut off";

    NotFinite NotJson "JSON has neither NaN nor infinity: write null where the schema allows it, or leave the record out";
    LeadingZero NotJson "a number has no zeros in front: write 7 instead of 007, or put an identifier in double quotes";
    PointAtEnd NotJson "a decimal point needs digits after it: write 5 or 5.0 instead of 5.";
    PointAtStart NotJson "a decimal point needs a digit before it: write 0.5 instead of .5";
    PlusSign NotJson "a number has no plus sign: write 1 instead of +1";
    LoneMinus NotJson "a minus sign needs a digit after it: write -1, or null where the schema allows it";
    ExponentAtEnd NotJson "an exponent needs digits after it: write 1e5 instead of 1e";
    NotDecimal NotJson "JSON has decimal numbers only: write 31 instead of 0x1F, or put the text in double quotes";
    DigitSeparator NotJson "a number has no separators between its digits: write 1000 instead of 1_000";
    NumberSuffix NotJson "letters follow a number: write the number alone, or put all of it in double quotes";
    UnquotedTime NotJson "a date or a time must be in double quotes, such as \"2025-02-28T12:00:00Z\"";
    DecimalComma NotJson "a number has a decimal point, not a comma: write 22.5 instead of 22,5";
    OutOfRange NumberOutOfRange "the number is too large for double precision: the largest is 1.7976931348623157e308";

    MissingValue NotJson "the value of a member is missing: write it, or null where the schema allows it";
    MissingElement NotJson "an element of the array is missing at this comma: remove the comma, or write null";
    MissingMember NotJson "a member is missing at this comma: remove the comma";
    TrailingComma NotJson "a comma before a closing bracket: remove the comma, JSON has no trailing commas";
    MissingComma NotJson "a comma is missing before this: write one between elements and between members";
    MissingColon NotJson "a colon is missing between the name of a member and its value: write \"name\": value";
    EqualsSign NotJson "a colon stands between the name of a member and its value: write : instead of =";
    Semicolon NotJson "a comma separates elements and members: write , instead of ;";
    WrongBracket NotJson "the bracket does not fit the opening one: close an array with ] and an object with }";

    SingleQuotes NotJson "strings and names of members must be in double quotes, not in single quotes";
    CurlyQuotes NotJson "strings and names of members must be in straight double quotes (U+0022)";
    UnquotedName NotJson "the name of a member must be in double quotes";
    UnquotedText NotJson "text must be in double quotes; the only words without quotes are true, false and null";
    Capitals NotJson "JSON writes true, false and null in lowercase";
    NullWord NotJson "JSON has only null for a missing value: write null where the schema allows it";

    InvalidEscape NotJson "there is no such escape: write two backslashes for one, as in C:\\\\data";
    InvalidUnicodeEscape NotJson "\\u needs four hexadecimal digits, as in \\u00e9; write two backslashes for one";
    LoneSurrogate LoneSurrogate "half of a surrogate pair: a character beyond U+FFFF takes two \\u escapes, one after the other";
    LineBreakInString NotJson "a line break within a string: write \\n, or add the closing quote that is missing before it";
    TabInString NotJson "a tab within a string: write \\t";
    ControlInString NotJson "a control character within a string: write it as an escape, such as \\u0000 for NUL";
    TextAfterString NotJson "text follows a string: a quote is missing before it, or a quote within the string needs a backslash";

    Comment NotJson "JSON has no comments: remove it";
    EscapedJson NotJson "a backslash outside of a string: the JSON was escaped once too often, send it without the backslashes";
    Nul NotJson "a NUL byte (00) between values: remove it; a block of them is a file that was not written to its end";
    RecordSeparator NotJson "a record separator (1E, RFC 7464): remove it, and send one record a line as NDJSON";
    ControlCharacter NotJson "a control character outside of a string: remove it; only space, tab and line ends may separate values";
    StrangeSpace NotJson "an invisible character outside of a string, such as a no-break space or a byte order mark: remove it";
    CarriageReturns NotJson "the lines end with a carriage return alone (old Mac): end them with a line feed";

    Markup NotJson "this is HTML or XML, not JSON; it may be the error page of a server: send the data itself";
    Csv NotJson "this looks like CSV, not JSON: send each row as an object with names, such as {\"value\": 22.5}";
    ServerSentEvents NotJson "this is a stream of server-sent events: send only the JSON after `data:`, one record a line";
    Multipart NotJson "this looks like multipart form data: send the file alone as the body, not as a part of a form";
    FormData NotJson "this looks like form data or key=value pairs: send a JSON object, such as {\"value\": 22.5}";

    SecondValue NotJson "another value follows on the same line: send one JSON value, or in NDJSON one record a line";
    CommaAfterRecord NotJson "a comma follows the end of the JSON value: remove it; NDJSON has none between its lines";
    BracketAfterRecord NotJson "a closing bracket without an opening one: remove it, or add the bracket that is missing";
    TextAfterRecord NotJson "more text follows the end of the JSON value: remove it";

    NotAValue NotJson "no value begins with this character: text must be in double quotes";
    NotARecord NotJson "this is not JSON: a record is an object, such as {\"value\": 22.5}";
    Unknown NotJson "this is not JSON: look for a missing or superfluous quote, comma or bracket here";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_mistake_has_a_message_of_its_own_that_says_what_to_do() {
        let mut seen = HashSet::new();
        for &mistake in Mistake::ALL {
            let text = mistake.text();
            assert!(seen.insert(text), "{mistake:?} has the text of another mistake");
            assert!(text.len() <= 120, "{mistake:?}: {} bytes", text.len());
            assert!(!text.ends_with('.') || mistake == Mistake::PointAtEnd, "{mistake:?}: follows a colon");
            assert!(text.contains([':', ';', ',']) || text.contains("must"), "{mistake:?} gives no advice");
        }
    }
}

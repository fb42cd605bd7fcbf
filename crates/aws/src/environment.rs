//! The environment variables of a process. A reader collects every problem, so that one error names all of them.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The problems of an environment: variables that are missing or malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("missing or invalid environment variables: {}", .0.join(", "))]
pub struct ConfigError(pub Vec<String>);

/// Returns the value of a variable.
type Lookup<'a> = Box<dyn Fn(&str) -> Option<String> + 'a>;

/// Reads variables with types.
pub struct Environment<'a> {
    lookup: Lookup<'a>,
    problems: Vec<String>,
}

impl<'a> Environment<'a> {
    /// Reads the variables of this process.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // the one place that reads the environment
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// Reads variables by a function. An empty variable is a missing one.
    #[must_use]
    pub fn new(lookup: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self { lookup: Box::new(lookup), problems: Vec::new() }
    }

    /// Returns a variable, if it is set.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// Returns a variable that must be set. If it is not, returns an empty text and records the problem.
    pub fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(name.to_owned());
            String::new()
        })
    }

    /// Parses a variable that must be set. If that fails, records the problem; `expected` describes the form.
    pub fn parsed<T>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.required(name);
        let value = parse(&text);
        if value.is_none() && !text.is_empty() {
            self.problems.push(format!("{name} (expected {expected})"));
        }
        value
    }

    /// Parses a whole number in a range. If that fails, returns the least number of the range and records the problem.
    pub fn number<T>(&mut self, name: &str, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Display + Clone,
    {
        let (least, most) = (range.start().clone(), range.end());
        let expected = format!("a whole number from {least} to {most}");
        let number = self.parsed(name, &expected, |text| text.parse().ok().filter(|number| range.contains(number)));
        number.unwrap_or(least)
    }

    /// Returns the value that was read.
    ///
    /// # Errors
    /// Returns a [`ConfigError`] with every problem that was recorded.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, ConfigError> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(ConfigError(self.problems)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_error_names_all_problems() {
        let mut environment = Environment::new(|name| match name {
            "TEXT" => Some("a b+c%2Bé".to_owned()),
            "DAYS" | "MANY" => Some("91".to_owned()),
            "EMPTY" => Some(String::new()),
            "WORD" => Some("many".to_owned()),
            _ => None,
        });
        assert_eq!(environment.required("TEXT"), "a b+c%2Bé");
        assert_eq!(environment.number("DAYS", 1..=91), 91);
        assert_eq!((environment.optional("EMPTY"), environment.optional("NONE")), (None, None));
        assert_eq!(environment.number("MANY", 1..=90), 1);
        environment.required("EMPTY");
        environment.number("NONE", 1..=90);
        environment.parsed::<u8>("WORD", "a byte", |text| text.parse().ok());
        let expected = ["MANY (expected a whole number from 1 to 90)", "EMPTY", "NONE", "WORD (expected a byte)"];
        assert_eq!(environment.finish(Some(())).unwrap_err().0, expected);
    }
}

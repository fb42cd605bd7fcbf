//! Durations, shares and rates in the notation of the command line.

use std::time::Duration;

/// The reason why a text is not an amount.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotAnAmount {
    /// The text is not a duration.
    #[error("{0:?} is not a duration: give a whole number and s, m, h or d, such as 90s")]
    Span(String),
    /// The text is not a share.
    #[error("{0:?} is not a share: give a number from 0 to 1 or from 0% to 100%, such as 2% or 0.02")]
    Share(String),
    /// The text is not a rate.
    #[error("{0:?} is not a rate: give a number above 0 and at most 10000, such as 50 or 0.5")]
    Rate(String),
}

/// Parses a duration: a whole number and `s`, `m`, `h` or `d`.
///
/// # Errors
/// Fails for any other text.
pub fn parse_span(text: &str) -> Result<Duration, NotAnAmount> {
    let wrong = || NotAnAmount::Span(text.to_owned());
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let digits = &text[..text.len() - 1]; // the unit is one byte
    // The parser of integers takes a sign too.
    let count: u64 = Some(digits)
        .filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|it| it.parse().ok())
        .ok_or_else(wrong)?;
    // A century is enough, and can be added to any instant.
    count.checked_mul(seconds).filter(|&it| it <= 36_525 * 86_400).map(Duration::from_secs).ok_or_else(wrong)
}

/// Parses a share: `2%` and `0.02` are the same.
///
/// # Errors
/// Fails for any other text, and for shares below 0 or above 1.
pub fn parse_share(text: &str) -> Result<f64, NotAnAmount> {
    let share = match text.strip_suffix('%') {
        Some(percent) => decimal(percent).map(|it| it / 100.0),
        None => decimal(text),
    };
    share.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| NotAnAmount::Share(text.to_owned()))
}

/// Parses a rate in messages per second.
///
/// # Errors
/// Fails for any other text, and for rates of 0 or less, or above 10000.
pub fn parse_rate(text: &str) -> Result<f64, NotAnAmount> {
    decimal(text).filter(|&rate| rate > 0.0 && rate <= 10_000.0).ok_or_else(|| NotAnAmount::Rate(text.to_owned()))
}

/// Parses digits with at most one decimal point. Rust's parser also accepts texts such as `inf` and `1e1`.
fn decimal(text: &str) -> Option<f64> {
    Some(text).filter(|it| it.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        for (text, seconds) in [("0s", 0), ("60s", 60), ("5m", 300), ("1h", 3600), ("7d", 604_800), ("007s", 7)] {
            assert_eq!(parse_span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "60", "+1s", "-1s", "1.5h", "1 h", "1hé", "1é", "٥s", "1w", "18446744073709551615d"] {
            assert_eq!(parse_span(text), Err(NotAnAmount::Span(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn shares_are_percentages_or_fractions() {
        for (text, share) in [("2%", 0.02), ("0.02", 0.02), ("0", 0.0), ("100%", 1.0), ("1", 1.0), (".5%", 0.005)] {
            assert_eq!(parse_share(text), Ok(share), "{text}");
        }
        for text in ["", "%", "2", "101%", "-1%", "+1%", "nan", "inf", "1e-2", "2%%", "2 %", "0,02", "1.0.0", "."] {
            assert_eq!(parse_share(text), Err(NotAnAmount::Share(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn rates_are_positive() {
        for (text, rate) in [("50", 50.0), ("0.5", 0.5), ("10000", 10_000.0)] {
            assert_eq!(parse_rate(text), Ok(rate), "{text}");
        }
        for text in ["", "0", "0.0", "-1", "10001", "inf", "fast"] {
            assert_eq!(parse_rate(text), Err(NotAnAmount::Rate(text.to_owned())), "{text}");
        }
    }
}

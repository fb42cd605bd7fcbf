//! The numbers of a set of values, and the reasons for those that are not available.

use std::collections::BTreeMap;

use eventpulse_core::statistics::quantile::QuantileValues;
use eventpulse_core::statistics::summary::{Statistics, Unavailable};
use serde::Serialize;
use utoipa::ToSchema;

use super::verdict_refs::unavailable;

/// The numbers of one or more values. Each is the double nearest to the exact number.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Numbers {
    /// The number of values.
    #[schema(minimum = 1)]
    count: u64,
    /// The sum; null if it exceeds the largest double.
    #[schema(required)]
    sum: Option<f64>,
    /// The arithmetic mean.
    mean: f64,
    /// The median: the middle value, or the mean of the two middle values.
    median: f64,
    /// The sample variance (n - 1); null for a single value, or if it exceeds the largest double.
    #[schema(required)]
    variance: Option<f64>,
    /// The sample standard deviation (n - 1); null for a single value, or if it exceeds the largest double.
    #[schema(required)]
    standard_deviation: Option<f64>,
    /// The difference of the quantiles 0.75 and 0.25; null if it exceeds the largest double.
    #[schema(required)]
    interquartile_range: Option<f64>,
    /// The smallest value.
    min: f64,
    /// The largest value.
    max: f64,
    /// The value of each quantile, by its text in the parameter `quantiles` and in that order. Absent without the parameter.
    #[serde(skip_serializing_if = "QuantileValues::is_empty")]
    #[schema(value_type = BTreeMap<String, f64>, required = false)]
    quantiles: QuantileValues,
    /// The reason for each number that is null, by the name of its member. Absent if no number is null.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(schema_with = unavailable, required = false)]
    unavailable: BTreeMap<&'static str, Unavailable>,
}

impl From<Statistics> for Numbers {
    fn from(statistics: Statistics) -> Self {
        Self {
            unavailable: statistics.unavailable(),
            count: statistics.count,
            sum: statistics.sum,
            mean: statistics.mean,
            median: statistics.median,
            variance: statistics.variance,
            standard_deviation: statistics.standard_deviation,
            interquartile_range: statistics.interquartile_range,
            min: statistics.min,
            max: statistics.max,
            quantiles: statistics.quantiles,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventpulse_core::statistics::answer::{Answer, Pass};
    use eventpulse_core::statistics::chunk::Chunk;
    use eventpulse_core::statistics::quantile::Quantiles;
    use eventpulse_core::statistics::series::{Point, Series};
    use eventpulse_core::time::Timestamp;
    use serde_json::{Value, json};

    /// Returns the numbers of some values, as the API serves them.
    fn served(values: &[f64], quantiles: Option<&str>) -> String {
        let series = Series { owner: "u1".parse().unwrap(), entity: "d".into(), measure: "value".into() };
        let points = values.iter().map(|value| Point { time: Timestamp::from_secs(0), value: *value }).collect();
        let quantiles = quantiles.map(|text| Quantiles::parse(text).unwrap()).unwrap_or_default();
        let mut answer = Answer::new(None, None).with_quantiles(quantiles);
        answer.add(&Chunk::new(series, "up_1", 0, points).unwrap()).unwrap();
        let Ok(Pass::Complete(Some(statistics))) = answer.end_pass() else { panic!("one pass is enough") };
        serde_json::to_string(&Numbers::from(statistics)).unwrap()
    }

    #[test]
    fn every_null_has_a_reason() {
        let rows: [(&str, &[f64], Value); 5] = [
            ("two values", &[1.0, 2.0], json!({})),
            ("one value", &[1.0], json!({ "variance": "one_value", "standard_deviation": "one_value" })),
            ("a large sum", &[f64::MAX, f64::MAX], json!({ "sum": "too_large" })),
            ("a large variance", &[1e200, -1e200], json!({ "variance": "too_large" })),
            (
                "a large range",
                &[f64::MIN, f64::MIN, f64::MAX, f64::MAX],
                json!({ "variance": "too_large", "standard_deviation": "too_large", "interquartile_range": "too_large" }),
            ),
        ];
        for (name, values, reasons) in rows {
            let numbers: Value = serde_json::from_str(&served(values, None)).unwrap();
            let members = numbers.as_object().unwrap();
            assert_eq!(members.get("unavailable").cloned().unwrap_or(json!({})), reasons, "{name}");
            let nulls: Vec<&String> =
                members.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name).collect();
            assert_eq!(nulls, reasons.as_object().unwrap().keys().collect::<Vec<_>>(), "{name}");
        }
    }

    #[test]
    fn quantiles_are_served_as_asked_and_only_if_asked() {
        assert!(served(&[1.0, 2.0], Some("0.95,0.050")).contains(r#""quantiles":{"0.95":1.95,"0.050":1.05}"#));
        assert!(!served(&[1.0, 2.0], None).contains("quantiles"));
    }

    #[test]
    fn served_numbers_read_back_to_the_same_bits() {
        let values = [0.1, 5e-324, 1.0 / 3.0, 123_456_789.123_456_78, -2.2e-308, 9_007_199_254_740_993.0];
        let quantiles = "0,0.2,0.4,0.6,0.8,1";
        let numbers: Value = serde_json::from_str(&served(&values, Some(quantiles))).unwrap();
        let mut sorted = values;
        sorted.sort_by(f64::total_cmp);
        for (quantile, value) in quantiles.split(',').zip(sorted) {
            let found = numbers["quantiles"][quantile].as_f64().unwrap();
            assert_eq!(found.to_bits(), value.to_bits(), "{quantile}");
        }
    }
}

//! Values that are hard to compute with.

use proptest::prelude::*;
use proptest::sample::select;

const MAX: f64 = f64::MAX;
const SMALLEST: f64 = 5e-324;

/// Returns `2^exponent`, for exponents of normal doubles.
pub fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(u64::try_from(exponent + 1023).unwrap() << 52)
}

/// Returns named sets of values, each at an edge of the range, of the precision or of a definition.
pub fn hard_sets() -> Vec<(&'static str, Vec<f64>)> {
    let next = |value: f64| f64::from_bits(value.to_bits() + 1);
    let before = |value: f64| f64::from_bits(value.to_bits() - 1);
    // Half of the distance from the largest double to 2^1024.
    let half = power_of_two(970);
    vec![
        ("one value", vec![22.5]),
        ("one, two, three", vec![1.0, 2.0, 3.0]),
        ("one, two, four", vec![1.0, 2.0, 4.0]),
        ("tenths", vec![0.1, 0.2, 0.3, 0.7, 0.1, 1.1, -0.1]),
        ("ten equal tenths", vec![0.1; 10]),
        ("zero", vec![0.0]),
        ("negative zeros", vec![-0.0, -0.0]),
        ("zeros of both signs", vec![0.0, -0.0]),
        ("mean in the middle of two doubles, the lower one even", vec![1.0, next(1.0)]),
        ("mean in the middle of two doubles, the upper one even", vec![next(1.0), next(next(1.0))]),
        ("negative mean in the middle of two doubles", vec![-next(1.0), -next(next(1.0))]),
        ("mean just above the middle", vec![1.0, next(1.0), 1.0, next(1.0) + power_of_two(-52), 1.0]),
        ("smallest double", vec![SMALLEST, SMALLEST]),
        ("half of the smallest double", vec![SMALLEST, 0.0]),
        ("half of the smallest negative double", vec![-SMALLEST, 0.0]),
        ("two thirds of the smallest double", vec![SMALLEST, SMALLEST, 0.0]),
        ("subnormal values", vec![1e-310, 3e-310, -7e-312, SMALLEST]),
        (
            "around the smallest normal double",
            vec![f64::MIN_POSITIVE, before(f64::MIN_POSITIVE), next(f64::MIN_POSITIVE)],
        ),
        ("variance that vanishes", vec![1e-170, 3e-170]),
        ("variance in the middle between zero and the smallest double", vec![0.0, power_of_two(-537)]),
        ("variance just above the middle", vec![0.0, next(power_of_two(-537))]),
        ("variance in the middle of two doubles", vec![-134_217_727.0, 0.0, 134_217_727.0]),
        (
            "deviation in the middle of two doubles, the lower one even",
            vec![-9_007_199_254_740_992.0, 1.0, 9_007_199_254_740_994.0],
        ),
        (
            "deviation in the middle of two doubles, the upper one even",
            vec![-9_007_199_254_740_994.0, 1.0, 9_007_199_254_740_996.0],
        ),
        ("subnormal variance", vec![1e-160, 3e-160, 4e-160]),
        ("largest double", vec![MAX]),
        ("largest double, thrice", vec![MAX, MAX, MAX]),
        ("largest double and its negative", vec![MAX, -MAX]),
        ("deviation equal to the largest double", vec![MAX, -MAX, 0.0]),
        ("deviation beyond the largest double", vec![MAX, -MAX, MAX, -MAX]),
        ("sum that rounds beyond the largest double", vec![MAX, half]),
        ("sum that rounds to the largest double", vec![MAX, before(half)]),
        ("negative sum that rounds beyond the largest double", vec![-MAX, -half]),
        ("partial sums beyond the largest double", vec![MAX, MAX, -MAX, -MAX, 1.0]),
        ("variance just below the largest double", vec![power_of_two(511), -power_of_two(511), 0.0]),
        ("variance beyond the largest double", vec![power_of_two(512), -power_of_two(512), 0.0]),
        ("huge and tiny", vec![1e300, 1e-300]),
        ("tiny rest of huge values", vec![1e300, 1.5, -1e300, SMALLEST]),
        ("all scales", vec![MAX, -1e200, 1e100, 1.0, -1e-100, 1e-200, SMALLEST, -SMALLEST]),
        ("integers beyond 2^53", vec![9_007_199_254_740_993.0, 9_007_199_254_740_994.0, -9_007_199_254_740_997.0]),
        ("large offset", vec![1e15 + 0.125, 1e15 + 0.25, 1e15 + 0.5, 1e15]),
        ("large offset, one unit apart", vec![1e9, next(1e9), before(1e9)]),
        ("alternating with an offset", [vec![10_000_000.2], [10_000_000.1, 10_000_000.3].repeat(20)].concat()),
    ]
}

/// Any finite value; special ones are more frequent than in uniformly random bits.
pub fn any_finite() -> impl Strategy<Value = f64> {
    let special = select(vec![0.0, -0.0, SMALLEST, -SMALLEST, f64::MIN_POSITIVE, MAX, -MAX, 1.0, 0.1]);
    let any = any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite());
    prop_oneof![6 => any, 1 => special]
}

/// Sets of 1 to `most` values of one kind: any bits, decimals of sensors, neighbours of one double, or small integers of one scale.
pub fn sets(most: usize) -> impl Strategy<Value = Vec<f64>> {
    let decimals = (-99_999_i64..99_999, 0_i32..6).prop_map(|(digits, places)| digits as f64 / 10_f64.powi(places));
    let scale = select(vec![-1074, -1073, -1030, -600, -538, -537, -53, 0, 1, 52, 400, 511, 512, 900, 960]);
    let scaled = scale.prop_flat_map(move |exponent| {
        let unit = if exponent < -1022 { f64::from_bits(1 << (exponent + 1074)) } else { power_of_two(exponent) };
        prop::collection::vec((-40_i32..40).prop_map(move |units| f64::from(units) * unit), 1..=most)
    });
    let neighbours = any_finite().prop_flat_map(move |value| {
        let near = move |step: u64| f64::from_bits(value.to_bits().wrapping_add(step));
        let near = (0_u64..4).prop_map(near).prop_map(move |near| if near.is_finite() { near } else { value });
        prop::collection::vec(near, 1..=most)
    });
    prop_oneof![
        3 => prop::collection::vec(any_finite(), 1..=most),
        2 => prop::collection::vec(decimals, 1..=most),
        2 => scaled,
        1 => neighbours,
    ]
}

/// One or two different quantiles as a client writes them: decimals from 0 to 1 with 1 to 15 places.
pub fn quantiles() -> impl Strategy<Value = String> {
    let quantile = (1_usize..=15, 0_u64..=1_000_000_000_000_000).prop_map(|(places, units)| {
        let decimal = format!("{}.{:015}", units / 1_000_000_000_000_000, units % 1_000_000_000_000_000);
        decimal[..2 + places].to_owned()
    });
    (quantile, any::<bool>()).prop_map(|(quantile, is_alone)| if is_alone { quantile } else { format!("{quantile},1") })
}

"""Judges numbers of EventPulse with the exact fractions of Python.

Reads a file of sets in JSON, one per line: {"name", "values", "numbers", "quantiles"}. Doubles are hexadecimal, so that no
decimal rounds them; a number that EventPulse does not serve is null. Prints each difference, and the number of judged sets
and numbers. Exits with 1 if there is a difference. Needs Python 3.10 or later, and nothing else.
"""

import json
import math
import statistics
import sys
from fractions import Fraction


def nearest(fraction):
    """Returns the nearest double, ties to even; None if it exceeds the largest double."""
    try:
        return float(fraction)
    except OverflowError:
        return None


def variance(values):
    """Returns the exact variance, rounded once. Before 3.11, statistics.variance is exact for fractions only."""
    if len(values) == 1:
        return None
    try:
        if sys.version_info >= (3, 11):
            return statistics.variance(values)
        return nearest(statistics.variance([Fraction(value) for value in values]))
    except OverflowError:
        return None


def standard_deviation(values):
    """Returns the root of the exact variance, rounded once, as statistics.stdev does since Python 3.11."""
    if len(values) == 1:
        return None
    try:
        if sys.version_info >= (3, 11):
            return statistics.stdev(values)
        return root(statistics.variance([Fraction(value) for value in values]))
    except OverflowError:
        return None


def root(fraction):
    """Returns the nearest double to the root: of an integer of at least 64 bits, whose last bit is set if it is inexact."""
    shift = max(0, (128 - fraction.numerator.bit_length() + fraction.denominator.bit_length()) // 2)
    scaled = (fraction.numerator << 2 * shift) // fraction.denominator
    integer = math.isqrt(scaled)
    inexact = integer * integer * fraction.denominator != fraction.numerator << 2 * shift
    return float(Fraction(integer | inexact, 1 << shift))


def quantile(values, p):
    """Returns the exact quantile by linear interpolation, the default of numpy."""
    ordered = sorted(map(Fraction, values))
    position = (len(ordered) - 1) * p
    index = math.floor(position)
    rest = position - index
    return ordered[index] if rest == 0 else ordered[index] + rest * (ordered[index + 1] - ordered[index])


def expected_numbers(values):
    return {
        "count": len(values),
        "sum": nearest(sum(map(Fraction, values))),
        "mean": statistics.mean(values),
        "variance": variance(values),
        "standard_deviation": standard_deviation(values),
        "min": min(values),
        "max": max(values),
        "median": nearest(statistics.median(map(Fraction, values))),
        "interquartile_range": nearest(quantile(values, Fraction(3, 4)) - quantile(values, Fraction(1, 4))),
    }


def is_same(found, expected):
    """Compares to the bit. A zero has no sign in the answers of EventPulse."""
    if found is None or expected is None or isinstance(found, int):
        return found == expected
    return found == expected and not (found == 0 and math.copysign(1, found) < 0)


def decoded(number):
    return float.fromhex(number) if isinstance(number, str) else number


def main(path):
    sets = judged = differences = 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            given = json.loads(line)
            values = [float.fromhex(value) for value in given["values"]]
            expected = expected_numbers(values)
            numbers = [(name, number, expected[name]) for name, number in given["numbers"].items()]
            numbers += [
                (f"quantile {p}", number, nearest(quantile(values, Fraction(p))))
                for p, number in given["quantiles"].items()
            ]
            for name, number, wanted in numbers:
                if not is_same(decoded(number), wanted):
                    differences += 1
                    print(f"{given['name']}: {name} is {decoded(number)!r}, not {wanted!r}: {values[:20]}")
            sets += 1
            judged += len(numbers)
    print(f"{sets} sets, {judged} numbers, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

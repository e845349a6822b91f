"""Says how what was read differs from what is there: counts of each file, sums, then every field of every row."""

from collections import Counter

EXAMPLES = 5    # rows shown; the rest is counted


def differences(expected, found):
    """Lines of text; none if both hold exactly the same rows, in any order."""
    lines = [f"{file}: {was} rows instead of {right}"
             for file, right, was in pairs(Counter(row.file for row in expected), Counter(row.file for row in found))]
    lines += [f"{name} adds up to {was} instead of {right}" for name in ("event_sequence", "log_offset")
              if (right := total(expected, name)) != (was := total(found, name))]
    lines += [f"{was} times instead of {right}: {str(tuple(row))[:300]}"
              for row, right, was in pairs(Counter(expected), Counter(found))]
    return lines[:EXAMPLES] + ([f"and {len(lines) - EXAMPLES} more"] if len(lines) > EXAMPLES else [])


def pairs(expected, found):
    """Each key whose counts differ, with both."""
    keys = dict.fromkeys([*expected, *found])
    return [(key, expected[key], found[key]) for key in keys if expected[key] != found[key]]


def total(rows, name):
    return sum(value for row in rows if isinstance(value := getattr(row, name), int))

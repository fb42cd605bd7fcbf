"""The same work in Python: json, a validator compiled once with formats asserted, statistics of every series by numpy.

Arguments: the validator (fastjsonschema or jsonschema), a directory of inputs and the name of one. Prints a line of JSON:
the versions, the CPU time per record in nanoseconds, and sums over all series. jsonschema is slow: it gets the first
records of the input only, and its sums are left out then.
"""

import json
import platform
import sys
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy

SAMPLES = 5
SAMPLE_SECONDS = 0.5
MAX_RECORDS_OF_JSONSCHEMA = 5_000


def is_valid_by(validator, schema):
    """Returns a function that tells whether a record is valid."""
    if validator == "jsonschema":
        import jsonschema

        kind = jsonschema.Draft202012Validator
        return kind(schema, format_checker=kind.FORMAT_CHECKER).is_valid
    import fastjsonschema

    # It knows drafts up to 7. The keywords of these schemas mean the same there.
    check = fastjsonschema.compile({**schema, "$schema": "http://json-schema.org/draft-07/schema#"})

    def is_valid(record):
        try:
            check(record)
        except fastjsonschema.JsonSchemaValueException:
            return False
        return True

    return is_valid


def parse(text, is_ndjson):
    """Returns the records of a text."""
    if is_ndjson:
        return [json.loads(line) for line in text.splitlines()]
    document = json.loads(text)
    return document if isinstance(document, list) else [document]


def run(text, is_ndjson, is_valid, names):
    """Returns the sums of the statistics of all series."""
    entity_name, time_name, measures = names
    entities = {}
    for record in parse(text, is_ndjson):
        if not is_valid(record):
            continue
        entity = record[entity_name]
        if entity not in entities:
            entities[entity] = [([], []) for _ in measures]
        for reading in record.get("readings", [record]):
            at = datetime.fromisoformat(reading[time_name])
            for measure, (times, values) in zip(measures, entities[entity]):
                value = reading.get(measure)
                if value is not None:
                    times.append(at)
                    values.append(value)
    sums = {"count": 0, "mean": 0.0, "median": 0.0, "deviation": 0.0}
    for _, values in (points for series in entities.values() for points in series):
        array = numpy.array(values)
        sums["count"] += len(values)
        sums["mean"] += float(numpy.mean(array))
        sums["median"] += float(numpy.median(array))
        sums["deviation"] += float(numpy.std(array, ddof=1)) if len(values) > 1 else 0.0
    return sums


def shortened(text, is_ndjson):
    """Returns the first records of a text, and their number if there are more."""
    records = parse(text, is_ndjson)
    if len(records) <= MAX_RECORDS_OF_JSONSCHEMA:
        return text, None
    records = records[:MAX_RECORDS_OF_JSONSCHEMA]
    text = "\n".join(map(json.dumps, records)) if is_ndjson else json.dumps(records)
    return text.encode(), len(records)


def timed(work, runs):
    """Returns the CPU seconds of this many runs."""
    start = time.process_time()
    for _ in range(runs):
        work()
    return time.process_time() - start


def main():
    validator, directory, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    inputs = json.loads((directory / "inputs.json").read_text())
    found = next(entry for entry in inputs if entry["name"] == name)
    schema = json.loads((directory / found["schema"]).read_text())
    text, is_ndjson, records = (directory / found["file"]).read_bytes(), found["ndjson"], found["records"]
    is_partial = False
    if validator == "jsonschema":
        text, number = shortened(text, is_ndjson)
        is_partial, records = number is not None, number or records
    annotation = schema["x-eventpulse"]
    last = lambda pointer: pointer.rpartition("/")[2]
    names = last(annotation["entity"]), last(annotation["time"]), list(map(last, annotation["measures"].values()))
    is_valid = is_valid_by(validator, schema)

    wrong = parse(text, is_ndjson)[0]
    wrong.get("readings", [wrong])[0][names[1]] = "yesterday"
    if is_valid(wrong):
        sys.exit(f"{validator} accepts a wrong time")

    def work():
        return run(text, is_ndjson, is_valid, names)

    sums, runs = work(), 1
    while timed(work, runs) < SAMPLE_SECONDS:
        runs *= 2
    seconds = median(timed(work, runs) / runs for _ in range(SAMPLES))
    versions = f"{validator} {version(validator)}, Python {platform.python_version()}"
    print(json.dumps({"version": versions, "ns": seconds * 1e9 / records, "sums": None if is_partial else sums}))


if __name__ == "__main__":
    main()

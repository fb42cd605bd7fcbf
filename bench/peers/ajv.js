// The same work in Node.js: JSON.parse, ajv compiled once with formats asserted, statistics of every series.
//
// Arguments: a directory of inputs and the name of one. Prints a line of JSON: the versions, the CPU time per record in
// nanoseconds (of the whole process, garbage collection included), and sums over all series.

import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { mean, median, sampleStandardDeviation } from "simple-statistics";

const SAMPLES = 5;
const SAMPLE_MS = 500;

const [directory, name] = process.argv.slice(2);
const input = JSON.parse(readFileSync(join(directory, "inputs.json"), "utf8")).find((input) => input.name === name);
const schema = JSON.parse(readFileSync(join(directory, input.schema), "utf8"));
const bytes = readFileSync(join(directory, input.file));

const ajv = new Ajv({ strict: false });
addFormats(ajv);
const validate = ajv.compile(schema);
const { entity, time, measures } = schema["x-eventpulse"];
const [entityName, timeName, measureNames] = [last(entity), last(time), Object.values(measures).map(last)];

function last(pointer) {
  return pointer.slice(pointer.lastIndexOf("/") + 1);
}

function parse(bytes) {
  const text = bytes.toString("utf8");
  if (input.ndjson) return text.trimEnd().split("\n").map((line) => JSON.parse(line));
  const document = JSON.parse(text);
  return Array.isArray(document) ? document : [document];
}

function run() {
  const entities = new Map();
  for (const record of parse(bytes)) {
    if (!validate(record)) continue;
    let series = entities.get(record[entityName]);
    if (series === undefined) {
      series = measureNames.map(() => ({ times: [], values: [] }));
      entities.set(record[entityName], series);
    }
    for (const reading of record.readings ?? [record]) {
      const at = Date.parse(reading[timeName]);
      for (let index = 0; index < measureNames.length; index++) {
        const value = reading[measureNames[index]];
        if (value == null) continue;
        series[index].times.push(at);
        series[index].values.push(value);
      }
    }
  }
  const sums = { count: 0, mean: 0, median: 0, deviation: 0 };
  for (const { values } of [...entities.values()].flat()) {
    sums.count += values.length;
    sums.mean += mean(values);
    sums.median += median(values);
    sums.deviation += values.length > 1 ? sampleStandardDeviation(values) : 0;
  }
  return sums;
}

// Returns the CPU milliseconds of this many runs.
function timed(runs) {
  const before = process.cpuUsage();
  for (let index = 0; index < runs; index++) run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const [first] = parse(bytes);
(first.readings ?? [first])[0][timeName] = "yesterday";
if (validate(first)) throw new Error("ajv accepts a wrong time");

const sums = run();
let runs = 1;
while (timed(runs) < SAMPLE_MS) runs *= 2;
const samples = Array.from({ length: SAMPLES }, () => timed(runs) / runs);
const version = JSON.parse(readFileSync(join("node_modules", "ajv", "package.json"), "utf8")).version;
console.log(JSON.stringify({ version: `ajv ${version}, Node.js ${process.version.slice(1)}`, ns: (median(samples) * 1e6) / input.records, sums }));

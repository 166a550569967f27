// Bodies that are wrong as a whole, by the rule that refuses them.
import { gzipSync } from "node:zlib";
import { expect } from "vitest";

/** What is sent, how it is answered, and what the message must say. `problems`: of the reports, where they are at fault. */
export type BadBody = [
  what: string,
  status: number,
  code: string,
  body: string | Uint8Array<ArrayBuffer>,
  says: RegExp,
  headers?: Record<string, string>,
  problems?: object[],
];

const GOOD = '{"metrics":{"temp":21.5}}';
const TEN_MB = `{"metrics":{"temp":1},"note":"${"x".repeat(10 * 1024 * 1024)}"}`;
const CROWD = `[${Array(20_001).fill(GOOD).join()}]`;
const NESTED = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
const GZIP = { "content-encoding": "gzip" };
const NDJSON = { "content-type": "application/x-ndjson" };
const zipped = (text: string, end?: number) => new Uint8Array(gzipSync(text).subarray(0, end));
const NOT_UTF8 = new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]);

const invalid = (index: number, message: RegExp) => ({
  index,
  code: "invalid_report",
  message: expect.stringMatching(message),
});
const malformed = (index: number) => expect.objectContaining({ index, code: "malformed_json" });
const THREE = [invalid(0, /string "x"/), invalid(1, /number 7/), invalid(2, /nothing/)];

export const UNREADABLE: BadBody[] = [
  ["JSON cut off", 400, "malformed_json", '{"metrics":{"temp":21', /not JSON/],
  [
    "a report a line, said to be JSON",
    400,
    "malformed_json",
    `${GOOD}\n${GOOD}`,
    /send application\/x-ndjson/,
  ],
  ["nothing", 400, "empty_body", "", /empty; send a report/],
  ["blanks", 400, "empty_body", " \n ", /empty; send a report/],
  ["bytes that are no UTF-8", 400, "malformed_json", NOT_UTF8, /UTF-8/],
  ["a number", 400, "invalid_report", "42", /number 42/, {}, [invalid(0, /an object/)]],
  ["null", 400, "invalid_report", "null", /null/, {}, [invalid(0, /an object/)]],
  ["a report without metrics", 400, "invalid_report", '{"temp":21.5}', /"metrics".*nothing/],
  ["metrics as an array", 400, "invalid_report", '{"metrics":[1,2]}', /an array/],
  ["three that are none", 400, "invalid_report", '[{"metrics":"x"},7,{}]', /string "x"/, {}, THREE],
  [
    "lines that are no JSON",
    400,
    "malformed_json",
    "{\n}",
    /line is not JSON/,
    NDJSON,
    [malformed(0), malformed(1)],
  ],
  ["100,000 levels", 400, "invalid_report", NESTED, /an array/],
  ["100,000 levels never closed", 400, "malformed_json", "[".repeat(100_000), /not JSON/],
  ["100,000 objects never closed", 400, "malformed_json", '{"a":'.repeat(100_000), /not JSON/],
];

export const TOO_LARGE: BadBody[] = [
  ["10 MB", 413, "payload_too_large", TEN_MB, /4194304.*in parts/],
  ["10 MB in a gzip of 10 KB", 413, "payload_too_large", zipped(TEN_MB), /inflating.*4194304/, GZIP],
  ["20,001 reports", 413, "payload_too_large", CROWD, /20001.*20000.*in parts/],
];

export const OF_UNKNOWN_TYPE: BadBody[] = [
  [
    "text/plain",
    415,
    "unsupported_media_type",
    GOOD,
    /plain.*application\/json/,
    { "content-type": "text/plain" },
  ],
  ["a type that is none", 415, "unsupported_media_type", GOOD, /json.*x-ndjson/, { "content-type": "json" }],
  ["Brotli", 415, "unsupported_media_type", GOOD, /br .*gzip/, { "content-encoding": "br" }],
  ["gzip that is none", 400, "malformed_json", GOOD, /inflated as gzip/, GZIP],
  ["gzip cut off", 400, "malformed_json", zipped(GOOD, 20), /inflated as gzip/, GZIP],
];

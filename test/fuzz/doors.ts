// Each door of Telltale: texts near what it takes, and what is wrong when it takes or refuses one that it should not.
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import type * as z from "zod";
import { checkReport } from "../../core/decode/check-report.ts";
import { DeviceCsvError, parseDeviceCsv } from "../../core/decode/device-csv.ts";
import { decodeFrame } from "../../core/decode/device-frame.ts";
import { type ParsedReport, parseJsonBody, parseNdjsonBody } from "../../core/decode/parse-json.ts";
import {
  type ActionKind,
  actionBodies,
  channelChange,
  channelNew,
  previewBody,
  ruleChange,
  ruleNew,
} from "../../schemas/alert-http.ts";
import { apiKeyBody } from "../../schemas/api-key.ts";
import { silenceBody } from "../../schemas/channel.ts";
import { NOTE_CODES, type ReadingProblem } from "../../schemas/codes.ts";
import { importBody, replayBody } from "../../schemas/job.ts";
import { BODY_BYTES_MAX, FRAME_BYTES_MAX } from "../../schemas/limits.ts";
import { claimBody, provisioningKeySpec } from "../../schemas/provisioning.ts";
import { deviceChange, newDevice } from "../../schemas/query.ts";
import { deviceFrame, report } from "../../schemas/reading.ts";
import { tenantSettingsChange } from "../../schemas/tenant.ts";
import { validateBody } from "../../workers/api/validate.ts";
import { Problem } from "../../workers/problem.ts";
import { readBody } from "../../workers/read-body.ts";
import { nearJson } from "./grammar.ts";

/** The year 2096: a silence that is over is refused. */
const ALWAYS_TO_COME = 4e12;

/** What came of one body: whether it was taken, and what is wrong with that; undefined: nothing. */
export interface Judged {
  taken: boolean;
  wrong: string | undefined;
}

export interface Door {
  name: string;
  bodies: fc.Arbitrary<string>;
  judge(body: string): Judged | Promise<Judged>;
  /** A body of about so many characters, whose time may grow no faster than they do. */
  large(chars: number): string;
}

export const NOW = Date.UTC(2026, 0, 1);
export const REPORTS = [
  { metrics: { temperature: 21.5 } },
  { at: NOW, device: "pump-1", metrics: { a: 1, b: -2.5e-3, "°C": 0 } },
  { at: "2026-01-01T00:00:00.123Z", metrics: { a: 2 ** 53 } },
  { device: "d", metrics: {} },
];
const many = (text: string, chars: number, between: string) =>
  Array(Math.ceil(chars / (text.length + between.length)))
    .fill(text)
    .join(between);
const REPORT_TEXT = JSON.stringify(REPORTS[1]);

/** The schema knows shapes only; whether an instant is near enough is a matter of the clock. */
export const OF_THE_CLOCK: ReadonlySet<string> = new Set([
  "too_old",
  "at_in_seconds",
  "at_in_microseconds",
  "at_in_digits",
  "at_in_future",
]);

/** Whether the hand-written check takes the report whole. */
function fits(value: unknown): boolean {
  const found = checkReport(value, 0, NOW).problems.filter(({ code }) => !NOTE_CODES.has(code));
  if (found.length === 0) return true;
  if (found[0]!.code === "at_in_digits" && typeof (value as { at: unknown }).at === "string") return false;
  return OF_THE_CLOCK.has(found[0]!.code) && fits({ ...(value as object), at: NOW });
}

/** Compares the check of a report with the schema's. */
function judgeReport(parsed: ParsedReport): Judged {
  if (!parsed.ok) return { taken: false, wrong: undefined };
  const taken = fits(parsed.value);
  const schema = report.safeParse(parsed.value).success;
  return { taken, wrong: taken === schema ? undefined : `taken: ${taken}, by the schema: ${schema}` };
}

export const isJson = (text: string) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

/** Judges a body of reports: what is JSON is read, and of what is read each report as the schema has it. */
function judgeReports(text: string, parse: (text: string) => ParsedReport[]): Judged {
  let reports: ParsedReport[];
  try {
    reports = parse(text);
  } catch (error) {
    const isOurs = !(error instanceof SyntaxError) || isJson(text);
    return { taken: false, wrong: isOurs ? `not read: ${error}` : undefined };
  }
  const judged = reports.map(judgeReport);
  return {
    taken: judged.length > 0 && judged.every(({ taken }) => taken),
    wrong: judged.find(({ wrong }) => wrong !== undefined)?.wrong,
  };
}

/** A frame is what the schema has, with what only a local run's frames say of the clock. */
function judgeFrame(text: string): Judged {
  const frame = decodeFrame(text, () => NOW);
  const problems: Pick<ReadingProblem, "code">[] =
    frame.type === "invalid" ? [] : (frame.problems as Pick<ReadingProblem, "code">[]);
  const real = problems.filter(({ code }) => !NOTE_CODES.has(code));
  const taken = frame.type !== "invalid" && real.length === 0;
  if (real.some(({ code }) => OF_THE_CLOCK.has(code))) return { taken: false, wrong: undefined };
  if (!isJson(text) || new TextEncoder().encode(text).length > FRAME_BYTES_MAX)
    return { taken, wrong: taken ? "taken, and it is no JSON" : undefined };
  const schema = deviceFrame.safeParse(JSON.parse(text)).success;
  return { taken, wrong: taken === schema ? undefined : `taken: ${taken}, by the schema: ${schema}` };
}

async function judgeGzip(text: string): Promise<Judged> {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  try {
    const request = new Request("https://telltale.test/v1/telemetry", {
      method: "POST",
      headers: { "content-encoding": "gzip" },
      body: bytes,
    });
    return judgeReports(
      await readBody(request, { mostBytes: BODY_BYTES_MAX, remedy: "send it in parts" }),
      parseNdjsonBody,
    );
  } catch (error) {
    return { taken: false, wrong: error instanceof Problem && error.status < 500 ? undefined : `${error}` };
  }
}

/** Gzip files of texts, whole, cut, and with other bytes in places, as base64. */
export const gzipsOf = (texts: fc.Arbitrary<string>) =>
  fc
    .tuple(
      texts,
      fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 255 })), {
        maxLength: 2,
      }),
      fc.constantFrom(0, 0, 0, 1, 8, 20),
    )
    .map(([text, changes, cut]) => {
      const bytes = new Uint8Array(gzipSync(text));
      for (const [where, byte] of changes) bytes[Math.floor(where * (bytes.length - 1))] = byte;
      return Buffer.from(bytes.subarray(0, bytes.length - cut)).toString("base64");
    });

export const RULE = {
  name: "Too hot",
  condition: { type: "threshold", metric: "temp", above: 80 },
  scope: { zone: "north" },
  severity: "critical",
};
export const CHANNEL = {
  name: "Hook",
  target: { type: "webhook", url: "https://example.com/hook", secret: "s3cret" },
};

const ACTIONS: Record<ActionKind, unknown[]> = {
  ack: [{}],
  assign: [{ to: "ada" }],
  comment: [{ text: "seen" }],
  resolve: [{}],
};

/** The body of every route that takes one, and what fits it. */
export const API_BODIES: Record<string, { schema: z.ZodType; samples: unknown[] }> = {
  "PUT /v1/devices/:device": {
    schema: deviceChange,
    samples: [{ zone: "north", name: "Pump", location: { latitude: 1, longitude: 2 } }],
  },
  "PUT /v1/tenant": {
    schema: tenantSettingsChange,
    samples: [
      { limits: { reportsPerSecondPerDevice: 5 } },
      { access: [{ domain: "acme.example", role: "viewer" }] },
      {},
    ],
  },
  "POST /v1/rules": { schema: ruleNew, samples: [RULE, { ...RULE, id: "hot", forMs: 60_000 }] },
  "PUT /v1/rules/:rule": { schema: ruleChange, samples: [RULE] },
  "POST /v1/rules/preview": { schema: previewBody, samples: [{ rule: RULE, from: NOW - 1_000, to: NOW }] },
  "POST /v1/channels": { schema: channelNew, samples: [CHANNEL, { ...CHANNEL, id: "ops", perHourMax: 5 }] },
  "PUT /v1/channels/:channel": { schema: channelChange, samples: [CHANNEL] },
  "POST /v1/silences": {
    schema: silenceBody,
    samples: [{ comment: "works", startsAt: NOW, endsAt: ALWAYS_TO_COME, matcher: { zone: "north" } }],
  },
  "POST /v1/api-keys": { schema: apiKeyBody, samples: [{ name: "CI", role: "viewer", days: 30 }] },
  "POST /v1/admin/replay": {
    schema: replayBody,
    samples: [{ from: NOW - 1_000, to: NOW, source: "archive" }],
  },
  "POST /v1/admin/import": { schema: importBody, samples: [{ zone: "north" }, {}] },
  "POST /v1/provisioning-keys": {
    schema: provisioningKeySpec,
    samples: [
      { maxDevices: 5, ttlSeconds: 60 },
      {
        name: "Line 3",
        zone: "north",
        devicePrefix: "pump-",
        maxDevices: 5,
        ttlSeconds: 60,
        tokenTtlSeconds: 60,
      },
    ],
  },
  "POST /v1/claim": { schema: claimBody, samples: [{ device: "pump-1", secret: "0123456789abcdef" }] },
  ...Object.fromEntries(
    Object.entries(actionBodies).map(([kind, schema]) => [
      `POST /v1/alerts/:alert/${kind}`,
      { schema: schema as z.ZodType, samples: ACTIONS[kind as ActionKind] },
    ]),
  ),
};

const apiDoor = ([name, { schema, samples }]: [string, (typeof API_BODIES)[string]]): Door => ({
  name,
  bodies: nearJson(samples),
  large: (chars) => `{${many('"unknown":{"a":[1,2]}', chars, ",")}}`,
  judge: async (body) => {
    const text = body.replace(/^\ufeff/, ""); // who reads a body as UTF-8 drops its mark (RFC 8259 §8.1)
    const fitting = isJson(text) && schema.safeParse(JSON.parse(text)).success;
    try {
      await validateBody(schema, new Request("https://telltale.test/", { method: "POST", body }));
      return { taken: true, wrong: fitting ? undefined : "taken, and the schema refuses it" };
    } catch (error) {
      if (!(error instanceof Problem) || error.status >= 500) return { taken: false, wrong: `${error}` };
      return {
        taken: false,
        wrong: fitting ? `refused, and the schema takes it: ${error.message}` : undefined,
      };
    }
  },
});

/** Devices as CSV: a file is refused as a whole, or each line of it is taken or refused. */
async function judgeCsv(text: string): Promise<Judged> {
  try {
    const lines = await parseDeviceCsv(text, Number.POSITIVE_INFINITY);
    const taken = lines.every((line) => "value" in line && newDevice.safeParse(line.value).success);
    return { taken: taken && lines.length > 0, wrong: undefined };
  } catch (error) {
    return { taken: false, wrong: error instanceof DeviceCsvError ? undefined : `${error}` };
  }
}

const cells = fc.constantFrom(
  "pump-1",
  "pump-2",
  "",
  "52.5",
  "13,4",
  '"a, b"',
  '"open',
  'st"ray',
  "'=1",
  "ü",
);
const files = fc
  .tuple(
    fc.constantFrom(
      "device",
      "device;name",
      "sep=|\ndevice|latitude|longitude",
      "\ufeffdevice\tzone",
      "name",
    ),
    fc.array(fc.tuple(fc.array(cells, { maxLength: 4 }), fc.constantFrom(",", ";", "|", "\t")), {
      maxLength: 10,
    }),
    fc.constantFrom("\n", "\r\n", "\r"),
  )
  .map(([header, rows, end]) => [header, ...rows.map(([row, between]) => row.join(between))].join(end));

export const FRAMES = [...REPORTS.map((own, seq) => ({ type: "report", seq, ...own })), { type: "flush" }];
const frameDoor = (name: string, frames: unknown[]): Door => ({
  name,
  bodies: nearJson(frames),
  judge: judgeFrame,
  large: (chars) =>
    `{"type":"report","seq":1,"metrics":{${many('"metric":1.25', Math.min(chars, 60_000), ",")}}}`,
});

export const DOORS: readonly Door[] = [
  {
    name: "HTTPS, JSON",
    bodies: nearJson([...REPORTS, REPORTS]),
    judge: (text) => judgeReports(text, parseJsonBody),
    large: (chars) => `[${many(REPORT_TEXT, chars, ",")}]`,
  },
  {
    name: "HTTPS, NDJSON",
    bodies: fc.array(nearJson(REPORTS), { maxLength: 5 }).map((lines) => lines.join("\n")),
    judge: (text) => judgeReports(text, parseNdjsonBody),
    large: (chars) => many(REPORT_TEXT, chars, "\n"),
  },
  {
    name: "HTTPS, gzip",
    bodies: gzipsOf(nearJson(REPORTS)),
    judge: judgeGzip,
    large: (chars) => gzipSync(many(REPORT_TEXT, chars, "\n")).toString("base64"),
  },
  {
    name: "devices as CSV",
    bodies: files,
    judge: judgeCsv,
    large: (chars) => `device,name\n${many('pump-1,"open', chars, "\n")}`,
  },
  frameDoor("device's socket", FRAMES),
  frameDoor(
    "gateway's socket",
    FRAMES.map((frame) => ({ ...frame, device: "pump-1" })),
  ),
  ...Object.entries(API_BODIES).map(apiDoor),
];

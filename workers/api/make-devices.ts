// Devices that are to be there before they report → the registry, all at once, and what became of each.
import { DeviceCsvError, type DeviceLine, parseDeviceCsv } from "../../core/decode/device-csv.ts";
import { csvField } from "../../core/history/export-text.ts";
import { DEVICES_PER_REQUEST_MAX } from "../../schemas/limits.ts";
import { type DevicesMade, type DevicesMadeOfLines, type NewDevice, newDevice } from "../../schemas/query.ts";
import { Problem } from "../problem.ts";
import { insertDevices } from "./registry.ts";
import { validate } from "./validate.ts";

/** What is said of a device, not checked yet, or why that cannot be read, and at which place: its index, or its line. */
type Asked = { at: number; value: unknown } | { at: number; problem: string };

interface Outcome {
  at: number;
  device: string | null;
  result: "made" | "exists" | "invalid";
  detail: string | null;
}

type Counts = Pick<DevicesMade, "made" | "exists" | "invalid">;

/**
 * Registers the devices of `values` that are in order and not known yet. One that is not in order costs no other. Linear in
 * their number; costs three rows of D1 for each, and no call of its object.
 * @throws Problem `unavailable`: asked again, what was made is known as `exists`.
 */
export async function makeDevices(
  control: D1Database,
  tenant: string,
  values: readonly unknown[],
  nowMs: number,
): Promise<DevicesMade> {
  const asked = values.map((value, at) => ({ at, value }));
  const { outcomes, counts } = await makeEach(control, tenant, asked, "at", nowMs);
  const others = outcomes.flatMap(({ at, device, result, detail }) =>
    result === "made" ? [] : [{ index: at, device, result, detail: detail! }],
  );
  return { ...counts, others };
}

/** The same of the lines of a CSV file. */
export async function makeDevicesOfLines(
  control: D1Database,
  tenant: string,
  lines: readonly DeviceLine[],
  nowMs: number,
): Promise<DevicesMadeOfLines> {
  const asked = lines.map(({ line: at, ...rest }) => ({ at, ...rest }));
  const { outcomes, counts } = await makeEach(control, tenant, asked, "in line", nowMs);
  return { ...counts, lines: outcomes.map(({ at, ...rest }) => ({ line: at, ...rest })) };
}

async function makeEach(
  control: D1Database,
  tenant: string,
  asked: readonly Asked[],
  where: "at" | "in line",
  nowMs: number,
): Promise<{ outcomes: Outcome[]; counts: Counts }> {
  const good = new Map<string, { outcome: Outcome; entry: NewDevice }>();
  const outcomes = asked.map((one): Outcome => {
    const { at } = one;
    if ("problem" in one) return { at, device: null, result: "invalid", detail: one.problem };
    const outcome: Outcome = { at, device: nameIn(one.value), result: "invalid", detail: null };
    try {
      const entry = validate(newDevice, one.value, "invalid_body");
      const { device, gateway } = entry;
      const first = good.get(device)?.outcome;
      if (first !== undefined)
        outcome.detail = `${device} is named before, ${where} ${first.at}; each device is named once`;
      else if (gateway === device)
        outcome.detail = `gateway: ${device} is not its own gateway; name another, or null`;
      else good.set(device, { outcome, entry });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      outcome.detail = error.message;
    }
    return outcome;
  });
  const entries = [...good.values()].map(({ entry }) => entry);
  const made = entries.length === 0 ? new Set() : await insertDevices(control, tenant, entries, nowMs);
  for (const [device, { outcome }] of good) {
    outcome.result = made.has(device) ? "made" : "exists";
    if (outcome.result === "exists")
      outcome.detail = `${device} is registered, and left as it is; PUT /v1/devices/${device} changes it`;
  }
  const exists = good.size - made.size;
  const counts = { made: made.size, exists, invalid: outcomes.length - good.size };
  return { outcomes, counts };
}

/** Returns the name of a device that is to be made, cut where it is none for its length; null: it says none. */
export function nameIn(value: unknown): string | null {
  const { device } = (value ?? {}) as { device?: unknown };
  return typeof device === "string" ? device.slice(0, SHOWN_MAX) : null;
}

const SHOWN_MAX = 128;

/**
 * Returns the lines of a CSV file of at most 5,000 devices.
 * @throws Problem `invalid_body`: it has not the columns; `payload_too_large`: it has more lines; `empty_body`: it has none.
 */
export async function readDeviceLines(text: string): Promise<DeviceLine[]> {
  try {
    const lines = await parseDeviceCsv(text, DEVICES_PER_REQUEST_MAX);
    if (lines.length === 0)
      throw new Problem("empty_body", "no line follows the header; send one for each device");
    if (lines.length <= DEVICES_PER_REQUEST_MAX) return lines;
  } catch (error) {
    if (error instanceof DeviceCsvError) throw new Problem("invalid_body", error.message);
    throw error;
  }
  throw new Problem(
    "payload_too_large",
    `the file has more than ${DEVICES_PER_REQUEST_MAX} lines of devices, and so many are taken at once; make them in several requests, each with the header`,
  );
}

/** Returns what became of the lines as CSV. */
export const madeAsCsv = ({ lines }: DevicesMadeOfLines): string =>
  [
    "line,device,result,detail",
    ...lines.map(({ line, device, result, detail }) =>
      [line, csvField(device ?? ""), result, csvField(detail ?? "")].join(),
    ),
    "",
  ].join("\r\n");

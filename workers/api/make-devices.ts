// Devices that are to be there before they report → the registry, all at once, and what became of each.
import { type DevicesMade, type NewDevice, newDevice } from "../../schemas/query.ts";
import { Problem } from "../problem.ts";
import { insertDevices } from "./registry.ts";
import { validate } from "./validate.ts";

/**
 * Registers the devices of `asked` that are in order and not known yet. One that is not in order costs no other. Linear in
 * their number; costs two rows of D1 for each.
 * @throws Problem `unavailable`: asked again, what was made is known as `exists`.
 */
export async function makeDevices(
  control: D1Database,
  tenant: string,
  asked: readonly unknown[],
  nowMs: number,
): Promise<DevicesMade> {
  const others: DevicesMade["others"] = [];
  const good = new Map<string, { index: number; entry: NewDevice }>();
  for (const [index, one] of asked.entries()) {
    try {
      const entry = validate(newDevice, one, "invalid_body");
      const { device, gateway } = entry;
      const refuse = (detail: string) => others.push({ index, device, result: "invalid", detail });
      const first = good.get(device);
      if (first !== undefined)
        refuse(`${device} is named before, at ${first.index}; each device is named once`);
      else if (gateway === device) refuse(`gateway: ${device} is not its own gateway; name another, or null`);
      else good.set(device, { index, entry });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      others.push({ index, device: nameIn(one), result: "invalid", detail: error.message });
    }
  }
  const invalid = others.length;
  const entries = [...good.values()].map(({ entry }) => entry);
  const made = entries.length === 0 ? new Set() : await insertDevices(control, tenant, entries, nowMs);
  for (const [device, { index }] of good) {
    if (made.has(device)) continue;
    const detail = `${device} is registered, and left as it is; PUT /v1/devices/${device} changes it`;
    others.push({ index, device, result: "exists", detail });
  }
  others.sort((a, b) => a.index - b.index);
  return { made: made.size, exists: others.length - invalid, invalid, others };
}

function nameIn(one: unknown): string | null {
  const { device } = (one ?? {}) as { device?: unknown };
  return typeof device === "string" ? device.slice(0, SHOWN_MAX) : null;
}

const SHOWN_MAX = 128;

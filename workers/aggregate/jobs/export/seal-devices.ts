// A tenant's devices, a page at a time → what only their objects have is sealed, sent, and then in storage.
import { AT_AHEAD_MS_MAX } from "../../../../schemas/limits.ts";
import { inLanes } from "../../../lanes.ts";
import { withDeadline } from "../../../with-deadline.ts";
import type { AggregateEnv } from "../../env.ts";
import type { RunningJob } from "../step.ts";

const DEVICES_A_PAGE = 200;
const DEVICES_AT_ONCE = 20;
const DEVICE_ANSWERS_MS = 10_000;
/** Most devices that an error names. */
const NAMED_MAX = 10;

type Job = Pick<RunningJob, "env" | "tenant" | "createdAt">;

/** How many devices a page had, and the last of them; null: no device is left. */
interface Page {
  devices: number;
  last: string | null;
}

/**
 * Seals the open blocks of the next 200 devices of the registry after `after`, and sends what is unconfirmed. Costs a call and a row
 * written a device.
 * @throws when a device does not answer, which is named; or D1.
 */
export async function sealDevices({ env, tenant }: Job, after: string): Promise<Page> {
  const devices = await devicesAfter(env, tenant, after);
  await askEach(env, tenant, devices, async (device) => void (await device.seal()));
  return { devices: devices.length, last: devices.at(-1) ?? null };
}

/**
 * Returns the next 200 devices, and which of them have blocks of before the export that storage has not confirmed yet. Costs a call
 * a device.
 * @throws as `sealDevices` does.
 */
export async function unstoredDevices(
  { env, tenant, createdAt }: Job,
  after: string,
): Promise<Page & { unstored: string[] }> {
  const devices = await devicesAfter(env, tenant, after);
  const unstored: string[] = [];
  // A reading's instant may lie so far ahead of its receipt. A later block of a busy device is not waited for.
  const beforeMs = createdAt + AT_AHEAD_MS_MAX;
  await askEach(env, tenant, devices, async (device, name) => {
    if ((await device.unconfirmed(beforeMs)) > 0) unstored.push(name);
  });
  return { devices: devices.length, last: devices.at(-1) ?? null, unstored };
}

/** Returns the first of the names as a text, and how many more there are. */
export function namesOf(devices: readonly string[]): string {
  const named = devices.toSorted().slice(0, NAMED_MAX).join(", ");
  return devices.length <= NAMED_MAX ? named : `${named} and ${devices.length - NAMED_MAX} more`;
}

async function devicesAfter({ CONTROL }: AggregateEnv, tenant: string, after: string): Promise<string[]> {
  const { results } = await CONTROL.prepare(
    "SELECT device FROM device WHERE tenant = ?1 AND device > ?2 ORDER BY device LIMIT ?3",
  )
    .bind(tenant, after, DEVICES_A_PAGE)
    .all<{ device: string }>();
  return results.map(({ device }) => device);
}

type DeviceStub = ReturnType<AggregateEnv["DEVICE"]["getByName"]>;

/** Asks all of them, also when one does not answer. @throws Error that names those. */
async function askEach(
  env: AggregateEnv,
  tenant: string,
  devices: readonly string[],
  ask: (device: DeviceStub, name: string) => Promise<void>,
): Promise<void> {
  const silent: string[] = [];
  await inLanes(devices, DEVICES_AT_ONCE, async (device) => {
    try {
      const asked = ask(env.DEVICE.getByName(`${tenant}/${device}`), device);
      await withDeadline(DEVICE_ANSWERS_MS, device, asked);
    } catch (error) {
      console.warn("a device did not answer an export", { tenant, device, error: String(error) });
      silent.push(device);
    }
  });
  if (silent.length > 0) throw new Error(`no answer from ${namesOf(silent)}; they are asked again`);
}

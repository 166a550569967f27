// A seed → what the operator of a round does meanwhile: revokes, limits, and changes the secret. Nobody samples
// (`excess: "sample"`): that changes what is stored, and the ledger would not know what to expect.
import type { SettingsChange } from "../../schemas/tenant.ts";
import type { Random } from "./chance.ts";
import type { Kill } from "./plan-round.ts";

export type Act = { afterShare: number } & (
  | { does: "revoke the tenant's tokens" }
  | { does: "revoke a device's tokens" | "revoke a token by its id"; holder: number }
  | { does: "limit"; limits: NonNullable<SettingsChange["limits"]>; forMs: number }
);

/** Who holds tokens: the streams by their place in the round, and after them the viewer. */
export const VIEWER = 4;
/** Whose tokens can be revoked alone. */
export const LISTED: readonly number[] = [1, 3, VIEWER];
/** Who is a device and nothing else. */
const DEVICES: readonly number[] = [1, 2];

const somewhere = (random: Random) => 0.1 + 0.75 * random.next();

/** What the operator does, in the order of its time. */
export function planActs(random: Random): Act[] {
  const limits = random.pick([
    // A device that does not hear of its end goes on with it, and comes to an end all the same.
    { reportsPerSecondPerDevice: random.between(3, 8), burstPerDevice: random.between(1, 4) },
    { readingsPerSecond: random.between(15, 40) },
    { devices: 0 }, // which concerns those that have not come yet
  ]);
  const acts: Act[] = [
    { afterShare: somewhere(random), does: "revoke the tenant's tokens" },
    { afterShare: somewhere(random), does: "revoke a device's tokens", holder: random.pick(DEVICES) },
    { afterShare: somewhere(random), does: "revoke a token by its id", holder: random.pick(LISTED) },
    {
      ...{ afterShare: "devices" in limits ? 0 : 0.05 + 0.25 * random.next(), does: "limit", limits },
      forMs: random.between(600, 1_800),
    },
  ];
  return acts.filter(() => random.hits(0.6)).sort((a, b) => a.afterShare - b.afterShare);
}

/** The kills of a round with, perhaps, two more: the server comes back with a new secret beside the old, and later without it. */
export function planRotation(random: Random, kills: readonly Kill[]): Kill[] {
  if (!random.hits(0.35)) return [...kills];
  // Early: after the second much is still to be sent, and everybody has a token of the old one.
  const begins = 0.05 + 0.25 * random.next();
  const ends = begins + 0.05 + 0.2 * random.next();
  const kill = { delayMs: random.between(0, 40), how: "kill -9 of process and runtime" } as const;
  const changes: Kill[] = [
    { ...kill, afterShare: begins, rotation: "begins" },
    { ...kill, afterShare: ends, rotation: "ends" },
  ];
  return [...kills, ...changes].sort((a, b) => a.afterShare - b.afterShare);
}

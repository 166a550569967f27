// What the operator of a round does while everything breaks: revokes tokens and sets limits, and asks until it is answered.
import { setTimeout as sleep } from "node:timers/promises";
import type { RevokeAnswer } from "../../schemas/token.ts";
import type { TenantClient } from "../flow/tenant-client.ts";
import type { Credentials, Fits, Holder } from "./credentials.ts";
import type { OperatorFault } from "./faults.ts";
import type { Act } from "./plan-acts.ts";

const RETRY_MS = 60;

/** What the operator works on. */
export interface Office {
  client: TenantClient;
  credentials: Credentials;
  /** Who may be revoked, as acts number them. */
  holders: readonly Holder[];
  /** All that report. */
  devices: readonly string[];
  signal: AbortSignal;
  note(fault: OperatorFault): void;
}

/** Each act in its turn, when so much of the round has been sent; all that are left when it is over. */
export async function playActs(
  office: Office,
  acts: readonly Act[],
  share: () => number,
  isOver: () => boolean,
): Promise<void> {
  for (const act of acts) {
    while (share() < act.afterShare && !isOver()) await sleep(5);
    if (office.signal.aborted) return;
    await play(office, act);
  }
}

async function play(office: Office, act: Act): Promise<void> {
  const { holders, credentials, note } = office;
  switch (act.does) {
    case "revoke the tenant's tokens":
      await credentials.voiding(
        () => true,
        async () => {
          const areKnown = await areRegistered(office);
          const { notBefore, told } = (await ask(office, "POST", "/v1/tokens/revoke")).body as RevokeAnswer;
          return { fits: issuedThrough(notBefore!), isCertain: told && areKnown };
        },
      );
      return note("tenant's tokens revoked");
    case "revoke a device's tokens": {
      const { device } = holders[act.holder]!;
      await credentials.voiding(
        (each) => each.device === device,
        async () => {
          const { body } = await ask(office, "POST", `/v1/devices/${device}/revoke`);
          return { fits: issuedThrough((body as { notBefore: number }).notBefore), isCertain: true };
        },
      );
      return note("device's tokens revoked");
    }
    case "revoke a token by its id": {
      const id = credentials.held(holders[act.holder]!)?.id;
      if (id === undefined) return; // it has not come yet
      const fits: Fits = (each) => each.id === id;
      await credentials.voiding(fits, async () => {
        const areKnown = await areRegistered(office);
        const { body, tries } = await ask(office, "POST", "/v1/tokens/revoke", { id });
        // A second answer says nothing of whom the first did not reach.
        return { fits, isCertain: (body as RevokeAnswer).told && areKnown && tries === 1 };
      });
      return note("token revoked by id");
    }
    case "limit":
      await ask(office, "PUT", "/v1/tenant", { limits: act.limits });
      await sleep(act.forMs);
      await ask(office, "PUT", "/v1/tenant", { limits: NO_LIMITS });
      return note("limits changed");
  }
}

const NO_LIMITS = {
  ...{ reportsPerSecondPerDevice: null, burstPerDevice: 100_000 },
  ...{ readingsPerSecond: null, devices: null },
};

const issuedThrough =
  (notBefore: number): Fits =>
  ({ issuedAtMs }) =>
    issuedAtMs <= notBefore;

/** Whether all devices are in the registry: who reports and is not there yet is not told. */
async function areRegistered({ client, devices }: Office): Promise<boolean> {
  const answer = await client.get("/v1/devices?limit=100").catch(() => undefined);
  if (answer?.status !== 200) return false;
  const { devices: listed } = answer.body as { devices: { device: string }[] };
  return devices.every((name) => listed.some(({ device }) => device === name));
}

/** Asks again and again, as an operator does whose server goes away. */
async function ask({ client, signal }: Office, method: string, path: string, body?: object) {
  const headers = { "content-type": "application/json" };
  for (let tries = 1; ; tries++, await sleep(RETRY_MS)) {
    signal.throwIfAborted();
    const asked = { method, token: await client.token("admin"), headers };
    const answer = await client
      .ask(path, body === undefined ? asked : { ...asked, body: JSON.stringify(body) })
      .catch(() => undefined);
    if (answer === undefined || answer.status >= 500 || answer.status === 401) continue;
    if (answer.status < 300) return { body: answer.body, tries };
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
}

// The demo: twelve real stations with a week of history, reporting live until they are told to stop.
import { HISTORY_HOURS, HOUR_MS, historyUntil, readSlice } from "./demo/hours.ts";
import { introduceStations } from "./demo/introduce.ts";
import { playLive, TICK_MS } from "./demo/play-live.ts";
import { sendHistory } from "./demo/send-history.ts";
import { STATIONS } from "./demo/stations.ts";
import { sleep } from "./replay/retry.ts";
import { signedTokens } from "./replay/tokens.ts";

export interface DemoFleetOptions {
  /** Origin of the server; it need not be up yet. */
  url: string;
  secret: string;
  tenant: string;
  signal: AbortSignal;
  log?(line: string): void;
}

/**
 * How long the live stations wait for the history to be in. A fast server gets readings in the order of their time;
 * with a slow one the fleet is alive all the same, and the rest of the history comes in late.
 */
const HISTORY_FIRST_MS = 3_000;

/** Runs until the signal aborts. Never throws: what goes wrong is logged. */
export async function runDemoFleet({
  url,
  secret,
  tenant,
  signal,
  log = () => {},
}: DemoFleetOptions): Promise<void> {
  try {
    const tokens = signedTokens(secret, tenant, Date.now());
    const [hours, adminToken, gatewayToken] = await Promise.all([
      readSlice(),
      tokens.admin(),
      tokens.gateway(),
    ]);
    log(
      `${STATIONS.length} stations play a recording of Beijing's air, ${hours.length} hours of it round and round; --no-demo leaves it out`,
    );
    await introduceStations({ url, adminToken: adminToken ?? "", signal, log });
    log(`sending the last ${HISTORY_HOURS} hours as history`);
    const history = sendHistory(historyUntil(Date.now(), hours), { url, gatewayToken, signal, log });
    await Promise.race([history, sleep(HISTORY_FIRST_MS, signal)]);
    log(
      `live: a recorded hour every ${TICK_MS / 1_000} s, ${HOUR_MS / TICK_MS} times as fast as recorded, each stamped with the time it is sent`,
    );
    await Promise.all([history, playLive(hours, { url, tokens, signal })]);
  } catch (error) {
    log(`the demo fleet stopped: ${(error as Error).message}`);
  }
}

// The demo: twelve real stations with a week of history, reporting live until they are told to stop.
import { historyUntil, readSlice } from "./demo/hours.ts";
import { introduceStations } from "./demo/introduce.ts";
import { playLive } from "./demo/play-live.ts";
import { sendHistory } from "./demo/send-history.ts";
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
    await introduceStations({ url, adminToken: adminToken ?? "", signal, log });
    const history = sendHistory(historyUntil(Date.now(), hours), { url, gatewayToken, signal, log });
    await Promise.race([history, sleep(HISTORY_FIRST_MS, signal)]);
    await Promise.all([history, playLive(hours, { url, tokens, signal })]);
  } catch (error) {
    log(`the demo fleet stopped: ${(error as Error).message}`);
  }
}

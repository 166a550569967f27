// Starts the program that counts, and plays fleets on it.
import { bundle } from "../../scripts/bundle.ts";
import { serveProgram } from "../run/serve-program.ts";
import type { Played, PlayedFleet } from "./fleet.ts";

export interface Ledger {
  play(fleet: PlayedFleet): Promise<Played>;
  stop(): Promise<void>;
}

export async function startLedger(): Promise<Ledger> {
  const { miniflare, stop } = await serveProgram(await bundle("bench/ledger/worker/worker.ts"));
  return {
    play: async (fleet) => {
      const body = JSON.stringify(fleet);
      const response = await miniflare.dispatchFetch("http://ledger/ledger/play", { method: "POST", body });
      if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
      return (await response.json()) as Played;
    },
    stop,
  };
}

// Starts the counted program, as `startLocal` does.
import { bundle } from "../../scripts/bundle.ts";
import { serveProgram } from "../run/serve-program.ts";
import { TENANT } from "../run/telltale.ts";

export type Counts = Record<string, Record<string, number>>;

export interface CountedRun {
  url: string;
  secret: string;
  /** Everything counted since the start, by tenant; under "" what tenants share. */
  operations(): Promise<Counts>;
  stop(): Promise<void>;
}

export async function startCounted(): Promise<CountedRun> {
  const contents = await bundle("bench/counted/worker.ts", { alias: { telltale: "./workers/single.ts" } });
  const { url, secret, stop } = await serveProgram(contents, { CLOCK: "settable", LOCAL_TENANT: TENANT });
  return {
    url,
    secret,
    operations: async () => (await (await fetch(`${url}/bench/operations`)).json()) as Counts,
    stop,
  };
}

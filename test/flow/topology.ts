// Runs the same tests on the single Worker and on the three, side by side, each on a server of its own.
import { afterAll, beforeAll, describe } from "vitest";
import { type LocalOptions, type LocalRun, startLocal } from "../../scripts/local-run.ts";
import { TenantClient } from "./tenant-client.ts";

const TOPOLOGIES = [
  { topology: "single", split: false },
  { topology: "split", split: true },
];

/** A server under test; each test takes a tenant of its own, so that none sees what another left. */
export interface ServerUnderTest {
  readonly run: LocalRun;
  tenant(name: string): TenantClient;
}

/** Starts a server for the tests of this block and ends it after them. */
export function useServer(options: Partial<LocalOptions> = {}): ServerUnderTest {
  let run: LocalRun | undefined;
  const server: ServerUnderTest = {
    get run() {
      if (run === undefined) throw new Error("the server runs from beforeAll to afterAll only");
      return run;
    },
    tenant: (name) => new TenantClient(server.run.url, server.run.secret, name),
  };
  beforeAll(async () => {
    run = await startLocal({
      port: 0,
      state: undefined,
      split: false,
      tenant: "local",
      quiet: true,
      ...options,
    });
  });
  afterAll(() => run?.stop());
  return server;
}

/** `tests` on both topologies. The two run at the same time, the tests of one in their order. */
export function eachTopology(
  tests: (server: ServerUnderTest) => void,
  options: Partial<LocalOptions> = {},
): void {
  describe.concurrent.each(TOPOLOGIES)("$topology", ({ split }) => {
    const server = useServer({ ...options, split });
    describe.sequential("in order", () => tests(server));
  });
}

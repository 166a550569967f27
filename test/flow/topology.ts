// Runs the same tests on the single Worker and on the three, side by side. Files that look only at
// their own tenants share servers.
import { afterAll, beforeAll, describe } from "vitest";
import { type LocalOptions, type LocalRun, startLocal } from "../../scripts/local-run.ts";
import { TenantClient } from "./tenant-client.ts";

const TOPOLOGIES = [
  { topology: "single", split: false },
  { topology: "split", split: true },
];

/** A tick is all there is to do: what comes hourly, and sweeps of every object. */
const EVERY_CHORE = { CHORES: "always" };
/** How long a batch waits to be full: the wait of wrangler.toml is for 5,000 devices, and here only delays. */
const BATCH_TIMEOUT_SECONDS = 0.2;

/** A server under test; each test takes a tenant of its own, so that none sees what another left. */
export interface ServerUnderTest {
  readonly run: LocalRun;
  tenant(name: string): TenantClient;
}

const start = (options: Partial<LocalOptions>): Promise<LocalRun> =>
  startLocal({
    port: 0,
    state: undefined,
    split: false,
    tenant: "local",
    quiet: true,
    batchTimeoutSeconds: BATCH_TIMEOUT_SECONDS,
    ...options,
    vars: { ...EVERY_CHORE, ...options.vars },
  });

/** What runs from beforeAll to afterAll; `nameOf` gives a tenant's whole name. */
class Server implements ServerUnderTest {
  #run: LocalRun | undefined;
  readonly #nameOf: (name: string) => string;

  constructor(
    begin: () => Promise<LocalRun>,
    end: (run: LocalRun) => Promise<void>,
    nameOf = (name: string) => name,
  ) {
    this.#nameOf = nameOf;
    beforeAll(async () => {
      this.#run = await begin();
    });
    afterAll(async () => {
      if (this.#run !== undefined) await end(this.#run);
    });
  }

  get run(): LocalRun {
    if (this.#run === undefined) throw new Error("the server runs from beforeAll to afterAll only");
    return this.#run;
  }

  tenant(name: string): TenantClient {
    return new TenantClient(this.run.url, this.run.secret, this.#nameOf(name));
  }
}

/** Starts a server for the tests of this block and ends it after them. */
export const useServer = (options: Partial<LocalOptions> = {}): ServerUnderTest =>
  new Server(
    () => start(options),
    (run) => run.stop(),
  );

/** The shared servers by topology. A process runs one file at a time; their runtimes end with it. */
const shared = new Map<boolean, Promise<LocalRun>>();
let sharers = 0;

/** The server that the files of this process share; a tenant's whole name is the one given and the number of the block. */
function shareServer(split: boolean): ServerUnderTest {
  const sharer = ++sharers;
  const begin = () => {
    const run = shared.get(split) ?? start({ split });
    shared.set(split, run);
    return run;
  };
  return new Server(
    begin,
    async () => undefined,
    (name) => `${name}-${sharer}`,
  );
}

/** The two run at the same time, the tests of one in their order. */
function onBoth(
  tests: (server: ServerUnderTest) => void,
  serverOf: (split: boolean) => ServerUnderTest,
): void {
  describe.concurrent.each(TOPOLOGIES)("$topology", ({ split }) => {
    const server = serverOf(split);
    describe.sequential("in order", () => tests(server));
  });
}

/** `tests` on both topologies, each on a server of its own. */
export const eachTopology = (
  tests: (server: ServerUnderTest) => void,
  options: Partial<LocalOptions> = {},
): void => onBoth(tests, (split) => useServer({ ...options, split }));

/** `tests` on both topologies, on servers shared with other files: for those that look at their own tenants only. */
export const eachSharedTopology = (tests: (server: ServerUnderTest) => void): void =>
  onBoth(tests, shareServer);

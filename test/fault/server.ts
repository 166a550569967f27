// The server that the harness breaks: the faulty Worker on a state folder of its own, told by messages to evict objects and
// to let the cron tick. Ends itself when the harness is gone.
import { parseArgs } from "node:util";
import { type LocalRun, startLocal } from "../../scripts/local-run.ts";

export type ServerOrder = { id: number } & (
  | { do: "evict"; kind?: "ZoneObject" | "ChannelObject"; object: string; webSockets: "close" | "hibernate" }
  | { do: "tick" }
);
export interface ServerAnswer {
  id: number;
  error?: string;
}

/** Everything that waits for a time waits little, so that a round is seconds. */
const VARS = {
  OUTBOX_RESEND_MS: "400",
  SEAL_SPREAD_MS: "0",
  GRACE_MS: "500",
  NOTICE_RESEND_MS: "400",
  CHORES: "always",
};

let run: LocalRun | undefined;

/** Also before it runs: a harness that ends leaves nothing behind. */
async function stop(): Promise<void> {
  await run?.stop();
  process.exit(0);
}

async function obey(order: ServerOrder): Promise<void> {
  if (run === undefined) throw new Error("it does not run yet");
  // Not through Miniflare's proxy: that waits for the runtime with its hands in its lap, and a runtime whose log nobody
  // reads meanwhile waits for us.
  if (order.do === "tick") {
    await (await fetch(`${run.url}/local/fault/tick`, { method: "POST" })).arrayBuffer();
    return;
  }
  await run.miniflare.unsafeEvictDurableObject(run.objectsWorker, order.kind ?? "DeviceObject", {
    name: order.object,
    webSockets: order.webSockets,
  });
}

process.on("disconnect", stop);
process.on("SIGTERM", stop);
process.on("message", (order: ServerOrder) => {
  obey(order).then(
    () => process.send?.({ id: order.id } satisfies ServerAnswer),
    (error) => process.send?.({ id: order.id, error: String(error) } satisfies ServerAnswer),
  );
});

const { values } = parseArgs({
  options: {
    ...{ port: { type: "string" }, state: { type: "string" }, worker: { type: "string" } },
    secret: { type: "string", multiple: true, default: [] },
  },
});
const [secret, old] = values.secret;
const secrets = { ...(secret && { TOKEN_SECRET: secret }), ...(old && { TOKEN_SECRET_OLD: old }) };
run = await startLocal({
  port: Number(values.port),
  state: values.state,
  split: false,
  tenant: "fault",
  main: values.worker,
  vars: { ...VARS, ...secrets },
  batchTimeoutSeconds: 0.1,
  quiet: true,
});
process.send?.({ id: 0 } satisfies ServerAnswer);

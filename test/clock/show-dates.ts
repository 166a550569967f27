// What time it is for Node and for workerd, as a line of JSON: to be run as a process of its own.
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

const runtime = new Miniflare(
  convertV4MiniflareOptions({
    modules: true,
    script: "export default { fetch: () => Response.json(Date.now()) };",
    compatibilityDate: "2026-08-01",
    telemetry: { enabled: false },
  } as Parameters<typeof convertV4MiniflareOptions>[0]),
);
const answer = await runtime.dispatchFetch("http://localhost/");
console.log(JSON.stringify({ node: Date.now(), workerd: await answer.json() }));
await runtime.dispose();

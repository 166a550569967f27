// GET /v1/connect: a WebSocket of one device ends in that device's object, one of a gateway in this Worker.
import { authenticate } from "../authenticate.ts";
import { Problem } from "../problem.ts";
import type { IngestEnv } from "./env.ts";
import { serveGateway } from "./serve-gateway.ts";

export async function acceptSocket(request: Request, env: IngestEnv): Promise<Response> {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    throw new Problem(
      "upgrade_required",
      "GET /v1/connect is a WebSocket; to post reports use POST /v1/telemetry",
    );
  }
  const caller = await authenticate(request, env, ["device", "gateway"]);
  if (caller.device === undefined) return serveGateway(request, env, caller);
  const headers = new Headers(request.headers);
  headers.delete("authorization");
  return await env.DEVICE.getByName(`${caller.tenant}/${caller.device}`).fetch(
    new Request(request, { headers }),
  );
}

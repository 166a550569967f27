// GET /v1/connect: a WebSocket of one device ends in that device's object, one of a gateway in this Worker.
import { describe } from "../../core/decode/check-report.ts";
import { COMMIT_EVERY_MS_MAX } from "../../schemas/limits.ts";
import { withoutToken } from "../authenticate.ts";
import { nowMs } from "../clock.ts";
import { Problem } from "../problem.ts";
import { readQuery } from "../query.ts";
import { authenticateSender } from "./device-certificate.ts";
import type { IngestEnv } from "./env.ts";
import { serveGateway } from "./serve-gateway.ts";

/**
 * Returns the upgrade of `GET /v1/connect`.
 * @throws Problem when the token, the query or the upgrade is not in order.
 */
export async function acceptSocket(request: Request, env: IngestEnv): Promise<Response> {
  nowMs(env, request); // refuses a header that says no time, where the time may be said: an object could only throw
  const caller = await authenticateSender(request, env);
  const isGateway = caller.device === undefined;
  checkCommitEvery(readQuery(request.url, ["commitEveryMs"]).commitEveryMs, isGateway);
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    throw new Problem(
      "upgrade_required",
      "GET /v1/connect is a WebSocket; to post reports use POST /v1/telemetry",
    );
  }
  if (isGateway) return serveGateway(request, env, caller);
  const object = env.DEVICE.getByName(`${caller.tenant}/${caller.device}`);
  return await object.fetch(withoutToken(request, caller));
}

/** @throws Problem `invalid_query`: it is no number of ms, too long, or of a gateway, whose frames are each committed at once. */
function checkCommitEvery(asked: string | string[] | undefined, isGateway: boolean): void {
  if (asked === undefined) return;
  const ms = Number(asked);
  const most = isGateway ? 0 : COMMIT_EVERY_MS_MAX;
  if (/^\d+$/.test(String(asked)) && ms <= most) return;
  const takes = isGateway
    ? "a gateway's frames are each committed at once, so it is 0"
    : `an integer from 0 to ${most}`;
  throw new Problem("invalid_query", `commitEveryMs: ${takes}, not ${describe(asked)}`);
}

// A request's body → JSON of bounded size; and the refusal of a body where none is taken.
import { JSON_BODY_BYTES_MAX } from "../../schemas/limits.ts";
import { Problem } from "../problem.ts";
import { type BodyLimit, readBody } from "../read-body.ts";

const LIMIT: BodyLimit = { mostBytes: JSON_BODY_BYTES_MAX, remedy: "nothing that is taken here is as long" };

/** What JSON is sent as, besides its own types: what curl and fetch say of a text when nobody said what it is. */
const UNSAID = new Set(["", "text/plain", "application/x-www-form-urlencoded"]);
const JSON_TYPE = /^(application|text)\/([\w.!#$&^+-]+\+)?json$/;
const UTF_8 = new Set(["utf-8", "utf8", "us-ascii"]);

/**
 * Returns a request's body as JSON, of at most 64 KB unless `limit` says otherwise.
 * @param empty what no body stands for; absent: one has to be there
 * @throws Problem `payload_too_large` (413), `unsupported_media_type` (415), `empty_body` or `malformed_json` (400)
 */
export async function readJson(request: Request, empty?: unknown, limit = LIMIT): Promise<unknown> {
  const text = await readBody(request, limit);
  if (text.trim() === "") {
    if (empty !== undefined) return empty;
    throw new Problem("empty_body", "the body is empty; send a JSON object");
  }
  checkType(request.headers.get("content-type") ?? "");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Problem("malformed_json", `the body is not JSON: ${(error as Error).message}`);
  }
}

/** @throws Problem `unsupported_media_type`: it says that the body is something else than JSON in UTF-8. */
function checkType(header: string): void {
  const [type = "", ...parameters] = header.split(";").map((part) => part.trim().toLowerCase());
  const charset = parameters.find((part) => part.startsWith("charset="))?.slice("charset=".length);
  const isJson = UNSAID.has(type) || JSON_TYPE.test(type);
  if (isJson && (charset === undefined || UTF_8.has(charset.replaceAll('"', "")))) return;
  throw new Problem(
    "unsupported_media_type",
    `content-type ${header.slice(0, 80)} is not taken; send application/json, in UTF-8`,
  );
}

/**
 * Refuses a request that brings a body, for its route takes none; an empty JSON object counts as none.
 * @throws Problem `invalid_body`, or what is wrong with the body itself.
 */
export async function refuseBody(request: Request): Promise<void> {
  if (request.body === null) return;
  const text = (await readBody(request, LIMIT)).trim();
  if (text === "" || /^\{\s*\}$/.test(text)) return;
  const { pathname } = new URL(request.url);
  throw new Problem(
    "invalid_body",
    `${request.method} ${pathname} takes no body, and nothing is done with ${JSON.stringify(text.slice(0, 40))}: leave it out`,
  );
}

// The doors of a running server, by HTTP and WebSocket → the same texts sent there, and judged by what was answered.
import fc from "fast-check";
import { signToken } from "../../core/token/sign.ts";
import { NOTE_CODES } from "../../schemas/codes.ts";
import type { Role } from "../../schemas/token.ts";
import type { LocalRun } from "../../scripts/local-run.ts";
import { childrenOf, commandOf, residentBytesOf } from "../../scripts/processes.ts";
import {
  API_BODIES,
  CHANNEL,
  DOORS,
  type Door,
  FRAMES,
  gzipsOf,
  isJson,
  type Judged,
  NOW,
  OF_THE_CLOCK,
  REPORTS,
  RULE,
} from "./doors.ts";
import { nearJson } from "./grammar.ts";

/** A server's doors; `close` ends what they hold open. */
export interface HttpDoors {
  doors: readonly Door[];
  close(): void;
  /** How many bytes of memory workerd has; undefined where nobody says. */
  memoryBytes(): number | undefined;
}

/** What is said of a report that has the right shape: whose it is, and when. */
const NOT_OF_SHAPE = new Set([...OF_THE_CLOCK, "device_missing", "device_mismatch"]);
/** What is said of a body that has not: other codes refuse one that has. */
const OF_SHAPE = new Set(["malformed_json", "empty_body", "invalid_body", "unknown_setting"]);
/** How a body is refused whose time is over, which no schema knows. */
const IS_OVER = /is over; now it is/;
/** Bodies that a tenant takes at most of a door that makes something: fewer than it may have jobs, rules or channels. */
const TAKEN_A_TENANT = 15;

const named = REPORTS.map((report) => ({ device: "pump-1", ...report }));

/** Opens the doors of a server that runs, whose devices may then send as much as they like. */
export async function openDoors(run: LocalRun): Promise<HttpDoors> {
  const tokens = new Map<string, Promise<string>>();
  const bearer = async (tenant: string, role: Role, device?: string) => {
    const key = `${tenant} ${role} ${device}`;
    const made =
      tokens.get(key) ?? signToken({ tenant, role, device, ttlSeconds: 86_400 }, run.secret, Date.now());
    tokens.set(key, made);
    return { authorization: `Bearer ${await made}` };
  };
  const admin = async (tenant: string, method: string, path: string, body: string): Promise<Answer> => {
    const headers = await bearer(tenant, "admin");
    return answerOf(await fetch(run.url + path, { method, headers, body }));
  };
  const asAdmin = async (method: string, path: string, body: string, type: string): Promise<Answer> => {
    const headers = { ...(await bearer("doors", "admin")), "content-type": type };
    return answerOf(await fetch(run.url + path, { method, headers, body }));
  };
  const keys = new Map<string, Promise<string>>();
  const claim = async (tenant: string, method: string, path: string, body: string): Promise<Answer> => {
    if (path !== "/v1/claim") return await admin(tenant, method, path, body);
    const key = keys.get(tenant) ?? provisioningKeyOf(tenant, admin);
    keys.set(tenant, key);
    const headers = { authorization: `Bearer ${await key}` };
    return answerOf(await fetch(run.url + path, { method, headers, body }));
  };
  const limits = { reportsPerSecondPerDevice: null };
  const { status } = await admin("doors", "PUT", "/v1/tenant", JSON.stringify({ limits }));
  if (status !== 200) throw new Error(`the limits cannot be lifted: ${status}`);
  const telemetry = async (body: string | Uint8Array<ArrayBuffer>, type: string, encoding = {}) => {
    const headers = {
      ...(await bearer("doors", "gateway")),
      "content-type": type,
      "telltale-clock": String(NOW),
      ...encoding,
    };
    return answerOf(await fetch(`${run.url}/v1/telemetry`, { method: "POST", headers, body }));
  };
  const sockets = [
    new FuzzSocket(run.url, await bearer("doors", "device", "pump-1")),
    new FuzzSocket(run.url, await bearer("doors", "gateway")),
  ];
  const inner = (name: string) => DOORS.find((door) => door.name === name)!;
  const https = (
    name: string,
    bodies: fc.Arbitrary<string>,
    send: (body: string) => Promise<Answer>,
  ): Door => {
    const own = inner(name);
    return {
      ...own,
      name: `${name}, sent`,
      bodies,
      judge: async (body) => {
        const text = asSent(body).replace(/^\ufeff/, "");
        return judgeReports(await send(text), await own.judge(text));
      },
    };
  };
  const frames = (name: string, socket: FuzzSocket, own: readonly unknown[]): Door => ({
    ...inner(name),
    name: `${name}, sent`,
    bodies: nearJson(own),
    judge: async (body) => {
      const text = asSent(body);
      const codes = await socket.codesOf(text);
      const expected = await inner(name).judge(text);
      return judgeCodes(codes, expected.taken);
    },
  });
  return {
    doors: [
      https("HTTPS, JSON", nearJson([...named, named]), (body) => telemetry(body, "application/json")),
      https(
        "HTTPS, NDJSON",
        fc.array(nearJson(named), { maxLength: 5 }).map((lines) => lines.join("\n")),
        (body) => telemetry(body, "application/x-ndjson"),
      ),
      https("HTTPS, gzip", gzipsOf(nearJson(named)), (body) =>
        telemetry(new Uint8Array(Buffer.from(body, "base64")), "application/x-ndjson", {
          "content-encoding": "gzip",
        }),
      ),
      frames("device's socket", sockets[0]!, FRAMES),
      frames(
        "gateway's socket",
        sockets[1]!,
        FRAMES.map((frame) => ({ device: "pump-1", ...(frame as object) })),
      ),
      csvDoor(inner("devices as CSV"), (body) => asAdmin("POST", "/v1/devices", body, "text/csv")),
      ...Object.entries(API_BODIES).map(([name, { schema }]) =>
        apiDoor(name, schema, inner(name), name === "POST /v1/claim" ? claim : admin),
      ),
    ],
    close: () => {
      for (const socket of sockets) socket.close();
    },
    memoryBytes: () => {
      const own = childrenOf(process.pid).filter((pid) => /workerd/.test(commandOf(pid)));
      const bytes = own.flatMap((pid) => residentBytesOf(pid) ?? []);
      return bytes.length === 0 ? undefined : Math.max(...bytes);
    },
  };
}

/** What reaches the other side: half a surrogate pair is no UTF-8. */
const asSent = (text: string) =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text));

interface Answer {
  status: number;
  /** Undefined: the answer is no JSON. */
  body: { code?: string; detail?: string; problems?: { code: string }[] } | undefined;
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  return { status: response.status, body: isJson(text) ? JSON.parse(text) : undefined };
}

/** What is wrong with any answer; undefined: nothing. */
const faultOf = ({ status, body }: Answer) =>
  status >= 500 || body === undefined ? `${status} ${JSON.stringify(body)}` : undefined;

function judgeReports(answer: Answer, expected: Judged): Judged {
  const fault = faultOf(answer);
  if (fault !== undefined) return { taken: false, wrong: fault };
  const { code, problems = [] } = answer.body!;
  if (code !== undefined && problems.length === 0 && expected.taken)
    return { taken: false, wrong: `refused as ${code}, and fits` };
  // A body in which no report is has nothing to take.
  if (code !== undefined && problems.length === 0) return { taken: false, wrong: undefined };
  if (code === undefined && problems.length === 0 && !expected.taken) {
    const { stored, duplicate, corrected, late } = answer.body as Record<string, number>;
    if (stored! + duplicate! + corrected! + late! === 0) return { taken: false, wrong: undefined };
  }
  return judgeCodes(
    problems.map((problem) => problem.code),
    expected.taken,
  );
}

/** Compares what was said of a body with what was to be said. */
function judgeCodes(codes: readonly string[], expected: boolean): Judged {
  const real = codes.filter((code) => !NOTE_CODES.has(code as never));
  if (real.some((code) => NOT_OF_SHAPE.has(code))) return { taken: false, wrong: undefined };
  const taken = real.length === 0;
  const wrong = taken === expected ? undefined : `taken: ${taken} (${real}), and fits: ${expected}`;
  return { taken, wrong };
}

/** A key with which a thousand devices of the tenant may claim a token. */
async function provisioningKeyOf(tenant: string, ask: Ask): Promise<string> {
  const body = JSON.stringify({ maxDevices: 1_000, ttlSeconds: 86_400 });
  const answer = await ask(tenant, "POST", "/v1/provisioning-keys", body);
  return (answer.body as { provisioningKey: string }).provisioningKey;
}

/** A file of devices is refused as a whole, or every line of it is made, known or refused. */
function csvDoor(own: Door, send: (body: string) => Promise<Answer>): Door {
  return {
    ...own,
    name: `${own.name}, sent`,
    judge: async (body) => {
      const text = asSent(body);
      const answer = await send(text);
      const fault = faultOf(answer);
      if (fault !== undefined) return { taken: false, wrong: fault };
      const { taken: fits } = await own.judge(text);
      const { made = 0, exists = 0, invalid = 0 } = answer.body as Record<string, number>;
      const isWhole = made + exists > 0 && invalid === 0;
      return {
        taken: made + exists > 0,
        wrong: isWhole && !fits ? "taken whole, and a line of it does not fit" : undefined,
      };
    },
  };
}

type Ask = (tenant: string, method: string, path: string, body: string) => Promise<Answer>;

function apiDoor(
  name: string,
  schema: { safeParse(value: unknown): { success: boolean } },
  own: Door,
  ask: Ask,
): Door {
  const [method, route] = name.split(" ") as [string, string];
  const path = route.replace(":rule", "hot").replace(":channel", "hook").replace(/:\w+/g, "d1");
  let taken = 0;
  let tenant = "";
  const send = async (body: string) => {
    const nth = method === "POST" ? Math.floor(taken / TAKEN_A_TENANT) : 0;
    const next = `${name.replace(/\W+/g, "-")}-${nth}`;
    if (next !== tenant) {
      tenant = next;
      await ask(tenant, "POST", "/v1/rules", JSON.stringify({ ...RULE, id: "hot" }));
      await ask(tenant, "POST", "/v1/channels", JSON.stringify({ ...CHANNEL, id: "hook" }));
    }
    return await ask(tenant, method, path, body);
  };
  return {
    ...own,
    name: `${name}, sent`,
    judge: async (body) => {
      const text = asSent(body).replace(/^\ufeff/, "");
      const fits = isJson(text) && schema.safeParse(JSON.parse(text)).success;
      const answer = await send(text);
      const fault = faultOf(answer);
      if (fault !== undefined) return { taken: false, wrong: fault };
      const isTaken = answer.status < 300;
      if (isTaken) taken += 1;
      const { code = "", detail } = answer.body!;
      if (isTaken && !fits) return { taken: true, wrong: "taken, and the schema refuses it" };
      const isWrong = !isTaken && fits && OF_SHAPE.has(code) && !IS_OVER.test(detail ?? "");
      return { taken: isTaken, wrong: isWrong ? `refused, and the schema takes it: ${detail}` : undefined };
    },
  };
}

/** Longest wait for the answer to a frame. */
const ANSWER_MS = 30_000;

/** The global of Node, whose constructor takes headers, which the DOM's type does not say. */
const Socket = globalThis.WebSocket as unknown as new (
  url: string,
  init: { protocols: string[]; headers: Record<string, string> },
) => WebSocket;

/** A socket that says what was answered to a frame: after each it sends one that is none, whose answer ends the others. */
class FuzzSocket {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  #socket: Promise<WebSocket> | undefined;
  #marks = 0;
  #came: { type: string; seq?: number; code?: string }[] = [];
  #onFrame: () => void = () => undefined;

  constructor(url: string, headers: Record<string, string>) {
    this.#url = `${url.replace(/^http/, "ws")}/v1/connect`;
    this.#headers = { ...headers, "telltale-clock": String(NOW) };
  }

  /** The codes of the problems that one frame has. @throws when the socket is closed or nobody answers. */
  async codesOf(frame: string): Promise<string[]> {
    this.#socket ??= this.#open();
    const socket = await this.#socket;
    const mark = 900_000_000_000 + this.#marks++;
    this.#came = [];
    const isMark = ({ type, seq }: { type: string; seq?: number }) => type === "problem" && seq === mark;
    const answered = new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("no answer")), ANSWER_MS);
      this.#onFrame = () => {
        const isClosed = socket.readyState !== socket.OPEN;
        if (!isClosed && !this.#came.some(isMark)) return;
        clearTimeout(late);
        if (isClosed) reject(new Error("the socket was closed"));
        else resolve();
      };
    });
    socket.send(frame);
    socket.send(`no frame, "seq":${mark}`);
    await answered.catch((error) => {
      this.#socket = undefined;
      socket.close();
      throw error;
    });
    return this.#came.flatMap(({ type, code, seq }) =>
      type === "problem" && seq !== mark ? [code ?? ""] : [],
    );
  }

  close(): void {
    void this.#socket?.then((socket) => socket.close());
  }

  async #open(): Promise<WebSocket> {
    const socket = new Socket(this.#url, { protocols: ["telltale.v1"], headers: this.#headers });
    socket.addEventListener("message", ({ data }) => {
      this.#came.push(JSON.parse(String(data)));
      this.#onFrame();
    });
    socket.addEventListener("close", () => this.#onFrame());
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error(`${this.#url} does not open`)));
    });
    return socket;
  }
}

// What the tests of the api Worker share: requests to it.
import { createExecutionContext, env } from "cloudflare:test";
import { signToken } from "../../core/token/sign.ts";
import type { Role } from "../../schemas/token.ts";
import { bearer } from "../test-support.ts";
import type { ApiEnv } from "./env.ts";
import { api } from "./worker.ts";

export const apiEnv = env as unknown as ApiEnv;

interface Asked {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** In place of the real ones. */
  bindings?: Partial<Record<keyof ApiEnv, unknown>>;
}

/** What goes out as it is; anything else as JSON. */
const isRaw = (body: unknown): body is BodyInit =>
  typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;

/** Asks as somebody of this tenant and role. */
export async function ask(
  tenant: string,
  role: Role,
  path: string,
  { method = "GET", body, headers = {}, bindings = {} }: Asked = {},
) {
  const own = await bearer(tenant, role, role === "device" ? "d1" : undefined);
  const request = new Request(`https://telltale.test${path}`, {
    method,
    headers: { ...own, ...headers },
    ...(body === undefined ? {} : { body: isRaw(body) ? body : JSON.stringify(body) }),
  });
  return await api.fetch(request, { ...apiEnv, ...bindings } as ApiEnv, createExecutionContext());
}

/** The answer, which must be 200 or 201. */
export async function answerOf<Answer>(response: Response | Promise<Response>): Promise<Answer> {
  const answered = await response;
  const text = await answered.text();
  if (answered.status !== 200 && answered.status !== 201) throw new Error(`${answered.status}: ${text}`);
  return JSON.parse(text) as Answer;
}

/** An authorization header of somebody with a name. */
export async function named(tenant: string, role: Role, sub: string): Promise<{ authorization: string }> {
  const token = await signToken(
    { tenant, role, sub, ttlSeconds: 10 * 365 * 86_400 },
    env.TOKEN_SECRET,
    Date.now(),
  );
  return { authorization: `Bearer ${token}` };
}

/** Registers devices at once, without their objects. */
export async function register(tenant: string, devices: readonly { device: string; zone?: string }[]) {
  await env.CONTROL.prepare(
    `INSERT INTO device (tenant, device, zone, created_at)
     SELECT ?1, value ->> 'device', coalesce(value ->> 'zone', 'default'), 0 FROM json_each(?2)`,
  )
    .bind(tenant, JSON.stringify(devices))
    .run();
}

// What the tests of the api Worker share: requests to it.
import { createExecutionContext, env } from "cloudflare:test";
import type { Role } from "../../schemas/token.ts";
import { bearer } from "../test-support.ts";
import type { ApiEnv } from "./env.ts";
import { api } from "./worker.ts";

export const apiEnv = env as unknown as ApiEnv;

interface Asked {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Asks as somebody of this tenant and role. */
export async function ask(
  tenant: string,
  role: Role,
  path: string,
  { method = "GET", body, headers = {} }: Asked = {},
) {
  const own = await bearer(tenant, role, role === "device" ? "d1" : undefined);
  const request = new Request(`https://telltale.test${path}`, {
    method,
    headers: { ...own, ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return await api.fetch(request, apiEnv, createExecutionContext());
}

/** The answer, which must be 200. */
export async function answerOf<Answer>(response: Response | Promise<Response>): Promise<Answer> {
  const answered = await response;
  const text = await answered.text();
  if (answered.status !== 200) throw new Error(`${answered.status}: ${text}`);
  return JSON.parse(text) as Answer;
}

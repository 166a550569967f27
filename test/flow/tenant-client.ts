// What one tenant's devices and operators do over HTTP, made short; answers are checked against the contract's schemas.
import { gzipSync } from "node:zlib";
import { signToken } from "../../core/token/sign.ts";
import { type ProblemDocument, problemDocument } from "../../schemas/error.ts";
import { type HistoryAnswer, historyAnswer, type LatestAnswer, latestAnswer } from "../../schemas/query.ts";
import { type TelemetryAnswer, telemetryAnswer } from "../../schemas/reading.ts";
import type { Role } from "../../schemas/token.ts";

export interface Answer {
  status: number;
  contentType: string;
  headers: Headers;
  /** Parsed when it is JSON, else the text. */
  body: unknown;
}

export interface Asked {
  method?: string;
  token?: string | undefined;
  body?: string | Uint8Array<ArrayBuffer>;
  headers?: Record<string, string>;
}

export class TenantClient {
  readonly url: string;
  readonly tenant: string;
  /** What tokens are signed with. */
  secret: string;

  constructor(url: string, secret: string, tenant: string) {
    this.url = url;
    this.tenant = tenant;
    this.secret = secret;
  }

  token(role: Role, device?: string, nowMs = Date.now()): Promise<string> {
    const tenant = role === "owner" ? undefined : this.tenant;
    return signToken({ tenant, role, device, ttlSeconds: 3_600 }, this.secret, nowMs);
  }

  async ask(path: string, { method = "GET", token, body, headers = {} }: Asked = {}): Promise<Answer> {
    const authorization: Record<string, string> =
      token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(this.url + path, {
      method,
      body,
      headers: { ...authorization, ...headers },
    });
    const contentType = response.headers.get("content-type") ?? "";
    const text = await response.text();
    const isJson = /^application\/(problem\+)?json/.test(contentType);
    return {
      status: response.status,
      contentType,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : text,
    };
  }

  // ---- devices -----------------------------------------------------------------------------------------------------

  /** Posts a body as it is; `device` undefined: as a gateway. */
  async post(
    body: string | Uint8Array<ArrayBuffer>,
    device?: string,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const token = await this.token(device === undefined ? "gateway" : "device", device);
    const type = { "content-type": "application/json" };
    return this.ask("/v1/telemetry", { method: "POST", token, body, headers: { ...type, ...headers } });
  }

  /** Posts reports that are taken: the six counts and the problems. */
  async send(
    reports: object,
    device?: string,
    headers: Record<string, string> = {},
  ): Promise<TelemetryAnswer> {
    const { status, body } = await this.post(JSON.stringify(reports), device, headers);
    if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
    return telemetryAnswer.parse(body);
  }

  async sendGzip(
    text: string,
    device: string,
    headers: Record<string, string> = {},
  ): Promise<TelemetryAnswer> {
    const zipped = new Uint8Array(gzipSync(text));
    const { body } = await this.post(zipped, device, { "content-encoding": "gzip", ...headers });
    return telemetryAnswer.parse(body);
  }

  // ---- operators ---------------------------------------------------------------------------------------------------

  async get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask(path, { token: await this.token("viewer"), headers });
  }

  async put(path: string, body: object, role: Role = "operator"): Promise<Answer> {
    const headers = { "content-type": "application/json" };
    return this.ask(path, {
      method: "PUT",
      token: await this.token(role),
      body: JSON.stringify(body),
      headers,
    });
  }

  async latest(device: string): Promise<LatestAnswer> {
    return latestAnswer.parse((await this.get(`/v1/devices/${device}/latest`)).body);
  }

  async history(device: string, query: Record<string, string | number | undefined>): Promise<HistoryAnswer> {
    const search = new URLSearchParams(query as Record<string, string>);
    return historyAnswer.parse((await this.get(`/v1/devices/${device}/history?${search}`)).body);
  }

  /** `[at, value]` of every raw reading since 1973, wherever it lies. */
  async readings(device: string, metric: string): Promise<[at: number, value: number][]> {
    const { points } = await this.history(device, {
      metric,
      from: 1e11,
      to: Date.now() + 3_600_000,
      resolution: "raw",
    });
    return points.map((point) => ("at" in point ? [point.at, point.value] : [Number.NaN, Number.NaN]));
  }

  async seal(device: string): Promise<Answer> {
    return this.ask(`/v1/devices/${device}/seal`, { method: "POST", token: await this.token("operator") });
  }
}

/** The problem document of an answer; throws when it is none, or its status is not the answer's. */
export function problemOf({ status, contentType, body }: Answer): ProblemDocument {
  if (contentType !== "application/problem+json")
    throw new Error(`${status} ${contentType} is no problem document`);
  const document = problemDocument.parse(body);
  if (document.status !== status)
    throw new Error(`the document says ${document.status}, the answer ${status}`);
  return document;
}

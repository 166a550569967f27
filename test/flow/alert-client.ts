// What a tenant's people do about alerts over HTTP, made short; answers are checked against the contract's schemas.
import type * as z from "zod";
import { signToken } from "../../core/token/sign.ts";
import { incidentSnapshot, type RuleBody } from "../../schemas/alert.ts";
import {
  type AlertDetail,
  alertAnswer,
  alertList,
  deliveriesAnswer,
  incidentList,
} from "../../schemas/alert-http.ts";
import { type Channel, silence } from "../../schemas/channel.ts";
import type { Role } from "../../schemas/token.ts";
import type { Answer, TenantClient } from "./tenant-client.ts";

/** Who has signed: what they do is noted under this name. */
export interface Person {
  role: Role;
  name?: string;
}
const ADMIN: Person = { role: "admin" };

export type NewRule = Partial<RuleBody> & Pick<RuleBody, "condition"> & { id: string };
export type NewChannel = Partial<Channel> & Pick<Channel, "id" | "target">;

export class AlertClient {
  readonly tenant: TenantClient;
  readonly #secret: string;

  constructor(tenant: TenantClient, secret: string) {
    this.tenant = tenant;
    this.#secret = secret;
  }

  /** Asks as a person of that name would. */
  async as(person: Person, method: string, path: string, body?: object): Promise<Answer> {
    const { tenant } = this.tenant;
    const subject = { tenant, role: person.role, sub: person.name, ttlSeconds: 3_600 };
    return await this.tenant.ask(path, {
      method,
      token: await signToken(subject, this.#secret, Date.now()),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { "content-type": "application/json" },
    });
  }

  /** The answer to what must succeed. */
  async do<T>(schema: z.ZodType<T>, method: string, path: string, body?: object, person = ADMIN): Promise<T> {
    const answer = await this.as(person, method, path, body);
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return schema.parse(answer.body);
  }

  async addRule(rule: NewRule): Promise<void> {
    await this.#make("/v1/rules", { name: rule.id, ...rule });
  }

  async addChannel(channel: NewChannel): Promise<void> {
    await this.#make("/v1/channels", { name: channel.id, ...channel });
  }

  async place(device: string, profile: { zone: string; gateway?: string }): Promise<void> {
    const { status, body } = await this.tenant.put(`/v1/devices/${device}`, profile);
    if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  }

  async silence(body: object): Promise<string> {
    return (await this.do(silence, "POST", "/v1/silences", body)).id;
  }

  async alerts(query = ""): Promise<z.infer<typeof alertList>> {
    return await this.do(alertList, "GET", `/v1/alerts?${query}`);
  }

  async alert(id: string): Promise<AlertDetail> {
    return await this.do(alertAnswer, "GET", `/v1/alerts/${id}`);
  }

  async incidents(): Promise<z.infer<typeof incidentList>["incidents"]> {
    return (await this.do(incidentList, "GET", "/v1/incidents")).incidents;
  }

  async incident(id: string): Promise<z.infer<typeof incidentSnapshot>> {
    return await this.do(incidentSnapshot, "GET", `/v1/incidents/${id}`);
  }

  async deliveries(channel: string): Promise<z.infer<typeof deliveriesAnswer>> {
    return await this.do(deliveriesAnswer, "GET", `/v1/channels/${channel}/deliveries?limit=1000`);
  }

  async #make(path: string, body: object): Promise<void> {
    const answer = await this.as(ADMIN, "POST", path, body);
    if (answer.status !== 201)
      throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
}

// What the small Workers of the benchmarks use of the platform, no more: `@cloudflare/workers-types` would replace Node's
// globals for the programs that load them.

declare module "cloudflare:workers" {
  export abstract class DurableObject<Env> {
    protected readonly ctx: DurableObjectState;
    protected readonly env: Env;
    constructor(ctx: DurableObjectState, env: Env);
    fetch?(request: Request): Promise<Response>;
    webSocketMessage?(ws: WebSocket, message: string | ArrayBuffer): void;
  }
}

/** The program that is deployed, by the name under which the bundler finds it. */
declare module "telltale" {
  import { DurableObject } from "cloudflare:workers";

  class TelltaleObject extends DurableObject<Record<string, unknown>> {}

  export class DeviceObject extends TelltaleObject {}
  export class ZoneObject extends TelltaleObject {}
  export class TenantObject extends TelltaleObject {}
  export class ChannelObject extends TelltaleObject {}
  export class FleetObject extends TelltaleObject {}
  const worker: {
    fetch(request: Request, env: Record<string, unknown>, ctx: unknown): Promise<Response>;
    queue(batch: unknown, env: Record<string, unknown>): Promise<void>;
  };
  export default worker;
}

interface SqlCursor {
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

interface DurableObjectState {
  readonly id: { readonly name?: string };
  readonly storage: {
    readonly sql: { exec: (query: string, ...bindings: unknown[]) => SqlCursor };
    setAlarm: (atMs: number) => Promise<void>;
  };
  acceptWebSocket(ws: WebSocket, tags?: string[]): void;
  getTags(ws: WebSocket): string[];
}

interface DurableObjectNamespace<T> {
  getByName(name: string): {
    [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never;
  };
}

declare class WebSocketPair {
  0: WebSocket;
  1: WebSocket;
}

interface SocketResponseInit extends ResponseInit {
  webSocket: WebSocket;
}

// The least a platform can do for a socket's message: a hibernatable object that answers it, with one row written or none.
import { DurableObject } from "cloudflare:workers";

const ROW_BYTES = 10_000;

interface BareEnv {
  BARE: DurableObjectNamespace<BareObject>;
}

/** One number in each 100 bytes changes: SQLite does not write a page, nor sync a file, for a row that stays as it was. */
function change(row: Uint32Array): void {
  for (let i = 0; i < row.length; i += 25) row[i]! += 1;
}

export class BareObject extends DurableObject<BareEnv> {
  readonly #row = crypto.getRandomValues(new Uint32Array(ROW_BYTES / 4));

  constructor(ctx: DurableObjectState, env: BareEnv) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, row BLOB NOT NULL)");
  }

  override async fetch(request: Request): Promise<Response> {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, [new URL(request.url).pathname.split("/")[1]!]);
    const init: SocketResponseInit = { status: 101, webSocket: client };
    return new Response(null, init);
  }

  /** Sends the message back, after writing a row when the socket was opened as `/row/…`. */
  override webSocketMessage(ws: WebSocket, message: string | ArrayBuffer): void {
    if (this.ctx.getTags(ws)[0] === "row") {
      change(this.#row);
      const upsert =
        "INSERT INTO state (id, row) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET row = excluded.row";
      this.ctx.storage.sql.exec(upsert, this.#row);
    }
    ws.send(message);
  }
}

/** `/echo/<object>`, `/row/<object>`. */
export default {
  fetch: (request: Request, env: BareEnv) => env.BARE.getByName(new URL(request.url).pathname).fetch(request),
};

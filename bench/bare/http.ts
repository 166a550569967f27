// The least a platform can do for a request: answer it, call an object, or have the object write one row.
import { DurableObject } from "cloudflare:workers";

/** As large as a device's open block with its state. */
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

  nothing(): number {
    return 0;
  }

  /** The answer waits at the output gate until the row is durable. */
  oneRow(): number {
    change(this.#row);
    const upsert =
      "INSERT INTO state (id, row) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET row = excluded.row";
    return this.ctx.storage.sql.exec(upsert, this.#row).rowsWritten;
  }
}

/** `/answer`, `/rpc/<object>`, `/row/<object>`: each takes any body, does not read it, and answers 204. */
export default {
  async fetch(request: Request, env: BareEnv): Promise<Response> {
    const [, what, name] = new URL(request.url).pathname.split("/");
    if (what === "rpc") await env.BARE.getByName(name!).nothing();
    if (what === "row") await env.BARE.getByName(name!).oneRow();
    return new Response(null, { status: 204 });
  },
};

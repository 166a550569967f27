// The token secret of the local run: made once, kept in .dev.vars, where wrangler looks for it too.
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { checkSecret } from "../core/token/secret.ts";

const DEV_VARS = new URL("../.dev.vars", import.meta.url);

/** The local secret; creates `.dev.vars` (git-ignored, mode 600) on first use. Two racing creators agree on one. */
export async function readLocalSecret(): Promise<string> {
  const secret = randomBytes(32).toString("base64url");
  await writeFile(DEV_VARS, `TOKEN_SECRET="${secret}"\n`, { flag: "wx", mode: 0o600 }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    },
  );
  const found = /^TOKEN_SECRET="?([^"\n]+)"?$/m.exec(await readFile(DEV_VARS, "utf8"));
  if (!found?.[1]) throw new Error(".dev.vars has no TOKEN_SECRET=… line; add one or delete the file");
  checkSecret(found[1], "TOKEN_SECRET in .dev.vars");
  return found[1];
}

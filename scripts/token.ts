// Prints a token that the local run accepts: npm run -s token -- --tenant demo --device pump-1
import { parseArgs } from "node:util";
import { signToken } from "../core/token/sign.ts";
import { claims } from "../schemas/token.ts";
import { readLocalSecret } from "./local-secret.ts";

const USAGE = `usage: npm run -s token -- [--tenant demo] (--device NAME | --role viewer|operator|admin|gateway) [--name TEXT] [--days 365]
  --name says who its bearer is: what they do to an alert is noted under it, else under the role.
  TOKEN_SECRET in the environment signs for a deployment instead of the local run.`;

try {
  const { values } = parseArgs({
    options: {
      tenant: { type: "string", default: "demo" },
      device: { type: "string" },
      role: { type: "string" },
      name: { type: "string" },
      days: { type: "string", default: "365" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help || (values.device === undefined && values.role === undefined)) {
    console.log(USAGE);
    process.exit(values.help ? 0 : 2);
  }
  const days = Number(values.days);
  if (!(days > 0 && days <= 3650)) throw new Error(`--days ${values.days}: a number above 0, at most 3650`);
  const wanted = {
    tenant: values.tenant,
    role: values.role ?? "device",
    device: values.device,
    sub: values.name,
  };
  const checked = claims.pick({ tenant: true, role: true, device: true, sub: true }).safeParse(wanted);
  if (!checked.success) {
    const issue = checked.error.issues[0]!;
    const option = issue.path[0] === "sub" ? "name" : issue.path.join(".");
    throw new Error(`--${option}: ${issue.message}`);
  }
  if ((checked.data.role === "device") !== (checked.data.device !== undefined)) {
    throw new Error("--device goes with role device and with no other");
  }
  const secret = process.env.TOKEN_SECRET ?? (await readLocalSecret());
  console.log(
    await signToken({ ...checked.data, ttlSeconds: Math.round(days * 86_400) }, secret, Date.now()),
  );
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exit(2);
}

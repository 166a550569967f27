// Prints a token that the local run accepts: npm run -s token -- --tenant demo --device pump-1
import { parseArgs } from "node:util";
import { signToken } from "../core/token/sign.ts";
import { claims } from "../schemas/token.ts";
import { TENANT, tokenSecret } from "./command/arguments.ts";
import { runCommand, UsageError } from "./command/run-command.ts";

const USAGE = `usage: npm run -s token -- [--tenant demo] (--device NAME | --role viewer|operator|admin|gateway | --owner) [--name TEXT] [--days 365]
  --owner is for whoever runs the deployment: makes, lists and deletes tenants, and reads nothing of theirs.
  --name says who its bearer is: what they do to an alert is noted under it, else under the role.
  TOKEN_SECRET in the environment signs for a deployment instead of the local run.`;

const OPTIONS = {
  tenant: { type: "string", default: TENANT },
  device: { type: "string" },
  role: { type: "string" },
  owner: { type: "boolean", default: false },
  name: { type: "string" },
  days: { type: "string", default: "365" },
  help: { type: "boolean", short: "h", default: false },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.owner && (values.device !== undefined || values.role !== undefined))
    throw new UsageError("--owner goes with neither --device nor --role: an owner is of no tenant");
  if (!values.owner && values.device === undefined && values.role === undefined)
    throw new UsageError(
      "say whose: --device NAME, --role and one of viewer, operator, admin, gateway, or --owner",
    );
  const days = Number(values.days);
  if (!(days > 0 && days <= 3650))
    throw new UsageError(`--days ${values.days}: a number above 0, at most 3650`);
  const wanted = {
    tenant: values.owner ? undefined : values.tenant,
    role: values.owner ? "owner" : (values.role ?? "device"),
    device: values.device,
    sub: values.name,
  };
  const checked = claims.pick({ tenant: true, role: true, device: true, sub: true }).safeParse(wanted);
  if (!checked.success) {
    const issue = checked.error.issues[0]!;
    const option = issue.path[0] === "sub" ? "name" : issue.path.join(".");
    throw new UsageError(`--${option}: ${issue.message}`);
  }
  if (checked.data.role === "owner" && !values.owner) throw new UsageError("--role owner: say --owner");
  if ((checked.data.role === "device") !== (checked.data.device !== undefined))
    throw new UsageError("--device goes with role device and with no other");
  const ttlSeconds = Math.round(days * 86_400);
  console.log(await signToken({ ...checked.data, ttlSeconds }, await tokenSecret(), Date.now()));
  return 0;
}

runCommand(USAGE, main);

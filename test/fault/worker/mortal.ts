// An object's step → the same, during which the object may die: before its commit, in it, or after it, before the answer.
import type { AlertFault, WorkerFault } from "../faults.ts";
import { InjectedFault, someMs, strikes } from "./strikes.ts";

/** How soon after its first step a commit is interrupted. */
const INTERRUPTED_MS_MAX = 4;

type Kind = "object" | "zone" | "channel";
type Death = Extract<WorkerFault | AlertFault, `${Kind} dies ${string}`>;

export async function mortally<T>(
  ctx: DurableObjectState,
  kind: Kind,
  place: string,
  step: () => Promise<T>,
): Promise<T> {
  const strikesAt = (when: string) => strikes(`${kind} dies ${when}` as Death, place);
  if (strikesAt("before the commit")) die(ctx);
  const doing = step();
  if (strikesAt("in the commit")) {
    doing.catch(() => undefined);
    await scheduler.wait(someMs(INTERRUPTED_MS_MAX, place));
    die(ctx);
  }
  const done = await doing;
  if (strikesAt("after the commit")) die(ctx);
  return done;
}

/** Memory and what is not durable are gone, sockets are cut. */
function die(ctx: DurableObjectState): never {
  ctx.abort("an injected fault");
  throw new InjectedFault("the object died");
}

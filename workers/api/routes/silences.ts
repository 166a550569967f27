// /v1/silences: when, and of what, nobody is told.
import { type Context, Hono } from "hono";
import { type Silence, silenceBody } from "../../../schemas/channel.ts";
import { nowMs } from "../../clock.ts";
import { Problem } from "../../problem.ts";
import { sortedId } from "../../sorted-id.ts";
import { type ApiContext, requireRole, whoOf } from "../caller.ts";
import { insertSilence, listSilences, readSilence, releaseZones, updateSilence } from "../silences.ts";
import { validateBody } from "../validate.ts";

export const silences = new Hono<ApiContext>();

silences.get("/", requireRole("viewer"), async (c) =>
  c.json({ silences: await listSilences(c.env.CONTROL, c.var.caller.tenant) }),
);

silences.post("/", requireRole("operator"), async (c) => {
  const { startsAt, ...body } = await validateBody(silenceBody, c.req.raw);
  const { caller } = c.var;
  const now = nowMs(c.env, c.req.raw);
  if (body.endsAt !== null && body.endsAt <= now) {
    throw new Problem("invalid_body", `endsAt: ${body.endsAt} is over; now it is ${now}`);
  }
  const silence: Silence = {
    ...body,
    startsAt: startsAt ?? now,
    id: sortedId(now),
    createdAt: now,
    createdBy: whoOf(caller),
  };
  await insertSilence(c.env.CONTROL, caller.tenant, silence, now);
  tellZones(c);
  return c.json(silence, 201);
});

/** Ends it now; one that has ended stays as it is. */
silences.delete("/:silence", requireRole("operator"), async (c) => {
  const { tenant } = c.var.caller;
  const was = await readSilence(c.env.CONTROL, tenant, c.req.param("silence"));
  const now = nowMs(c.env, c.req.raw);
  if (was.endsAt !== null && was.endsAt <= now) return c.json(was);
  const silence: Silence = { ...was, startsAt: Math.min(was.startsAt, now), endsAt: now };
  await updateSilence(c.env.CONTROL, tenant, silence);
  tellZones(c);
  return c.json(silence);
});

function tellZones(c: Context<ApiContext>): void {
  const { tenant } = c.var.caller;
  const told = releaseZones(c.env, tenant).catch((error: unknown) => {
    console.warn("zones were not told that silences changed", { tenant, error: String(error) });
  });
  c.executionCtx.waitUntil(told);
}

import { describe, expect, it } from "vitest";
import { Session, type SessionDeps } from "./session.ts";

function deps(from: {
  fragment?: string;
  stored?: string;
  local?: string[];
}): SessionDeps & { stored: string | null } {
  const local = [...(from.local ?? [])];
  return {
    stored: from.stored ?? null,
    takeFragmentToken: () => from.fragment ?? null,
    recall() {
      return this.stored;
    },
    remember(token) {
      this.stored = token;
    },
    fetchLocalToken: async () => local.shift() ?? null,
  };
}

describe("Session", () => {
  it("takes the address's token before the remembered one, and remembers it", async () => {
    const world = deps({ fragment: "f", stored: "s", local: ["l"] });
    const session = new Session(world);
    await session.start();
    expect(session.token).toBe("f");
    expect(world.stored).toBe("f");
  });

  it("takes the remembered token before the local run's", async () => {
    const session = new Session(deps({ stored: "s", local: ["l"] }));
    await session.start();
    expect(session.token).toBe("s");
  });

  it("asks the local run, else shows the form without a complaint", async () => {
    const local = new Session(deps({ local: ["l"] }));
    await local.start();
    expect(local.token).toBe("l");
    const elsewhere = new Session(deps({}));
    await elsewhere.start();
    expect(elsewhere.state).toEqual({ kind: "signed-out", reason: null });
  });

  it("after a refusal asks the local run once, then says why", async () => {
    const world = deps({ stored: "old", local: ["l1", "l2"] });
    const session = new Session(world);
    await session.start();
    await session.refused("old", "expired");
    expect(session.token).toBe("l1");
    await session.refused("l1", "wrong secret");
    expect(session.state).toEqual({ kind: "signed-out", reason: "wrong secret" });
    expect(world.stored).toBeNull();
  });

  it("asks the local run again when a token worked in between", async () => {
    const session = new Session(deps({ stored: "old", local: ["l1", "l2"] }));
    await session.start();
    await session.refused("old", "expired");
    session.accepted();
    await session.refused("l1", "expired");
    expect(session.token).toBe("l2");
  });

  it("ignores refusals of a token that is no longer used", async () => {
    const session = new Session(deps({ stored: "now" }));
    await session.start();
    await session.refused("before", "expired");
    expect(session.token).toBe("now");
  });
});

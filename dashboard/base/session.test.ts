import { describe, expect, it } from "vitest";
import { Session, type SessionDeps } from "./session.ts";

function deps(from: {
  fragment?: string;
  stored?: string;
  local?: string[];
  /** Tokens the server refuses, and why. */
  bad?: Record<string, string>;
}): SessionDeps & { stored: string | null; asked: string[] } {
  const local = [...(from.local ?? [])];
  return {
    stored: from.stored ?? null,
    asked: [],
    takeFragmentToken: () => from.fragment ?? null,
    recall() {
      return this.stored;
    },
    remember(token) {
      this.stored = token;
    },
    fetchLocalToken: async () => local.shift() ?? null,
    async refusalOf(token) {
      this.asked.push(token);
      return from.bad?.[token] ?? null;
    },
  };
}

async function started(world: SessionDeps): Promise<Session> {
  const session = new Session(world);
  await session.start();
  return session;
}

describe("Session", () => {
  it("takes the address's token where none is remembered, and remembers it", async () => {
    const world = deps({ fragment: "f", local: ["l"] });
    const session = await started(world);
    expect(session.token).toBe("f");
    expect(world.stored).toBe("f");
  });

  it("[L23] a link that brings another token than the remembered one signs nobody in: a person decides", async () => {
    const world = deps({ fragment: "f", stored: "s", local: ["l"] });
    const session = await started(world);
    expect(session.state).toMatchObject({ kind: "signed-out", token: "f", canStay: true });
    expect([world.stored, world.asked]).toEqual(["s", []]);
    await session.resume();
    expect(session.token).toBe("s");
    await session.offer("s");
    await session.offer("f");
    expect(session.token).toBeNull();
    await session.signIn("f");
    expect([session.token, world.stored]).toEqual(["f", "f"]);
  });

  it("takes the remembered token before the local run's", async () => {
    expect((await started(deps({ stored: "s", local: ["l"] }))).token).toBe("s");
  });

  it("asks the local run, else shows the form without a complaint; it does not remember what it can ask again", async () => {
    const world = deps({ local: ["l"] });
    expect((await started(world)).token).toBe("l");
    expect(world.stored).toBeNull();
    const elsewhere = await started(deps({}));
    expect(elsewhere.state).toEqual({ kind: "signed-out", reason: null, token: "" });
  });

  it("[L14] a token from the address or the form shows nothing before the server took it", async () => {
    const world = deps({ fragment: "f" });
    const session = new Session(world);
    const seen: string[] = [];
    session.onChange(() => seen.push(session.state.kind));
    await session.start();
    expect([world.asked, seen]).toEqual([["f"], ["signed-in"]]);
    session.signOut();
    const signingIn = session.signIn("g");
    expect(session.token).toBeNull();
    await signingIn;
    expect([session.token, world.stored, world.asked]).toEqual(["g", "g", ["f", "g"]]);
  });

  it.each(["address", "form"])(
    "[L14] a bad token from the %s stays in the form with the reason, and no local session takes its place",
    async (from) => {
      const bad = { garbage: "not a token" };
      const world = deps({
        bad,
        local: ["l1", "l2"],
        ...(from === "address" ? { fragment: "garbage" } : {}),
      });
      const session = await started(world);
      if (from === "form") {
        session.signOut();
        await session.signIn("garbage");
      }
      expect(session.state).toEqual({ kind: "signed-out", reason: "not a token", token: "garbage" });
      expect(world.stored).toBeNull();
    },
  );

  it("[L14] a person's token that is refused later goes to the form, not to the local run", async () => {
    const world = deps({ stored: "old", local: ["l"] });
    const session = await started(world);
    await session.refused("old", "expired");
    expect(session.state).toEqual({ kind: "signed-out", reason: "expired", token: "old" });
    expect(world.stored).toBeNull();
    await session.signInLocally();
    expect(session.token).toBe("l");
  });

  it("the local run's own token, refused, is asked for again once, then says why", async () => {
    const session = await started(deps({ local: ["l1", "l2", "l3"] }));
    await session.refused("l1", "wrong secret");
    expect(session.token).toBe("l2");
    await session.refused("l2", "wrong secret");
    expect(session.state).toEqual({ kind: "signed-out", reason: "wrong secret", token: "" });
  });

  it("asks the local run again when its token worked in between", async () => {
    const session = await started(deps({ local: ["l1", "l2", "l3"] }));
    await session.refused("l1", "expired");
    session.accepted();
    await session.refused("l2", "expired");
    expect(session.token).toBe("l3");
  });

  it("ignores refusals of a token that is no longer used", async () => {
    const session = await started(deps({ stored: "now" }));
    await session.refused("before", "expired");
    expect(session.token).toBe("now");
  });
});

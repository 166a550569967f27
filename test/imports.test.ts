// Who may import whom, and what the pure folders may not touch.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const FOLDERS = ["schemas", "core", "workers", "dashboard", "scripts"];

interface Source {
  path: string;
  text: string;
  /** What it imports: paths from the root for files of ours, package names otherwise. */
  imports: string[];
}

/** `import … from "x"`, `export … from "x"`, `import "x"`, `import("x")`; specifiers never stand on a line of their own. */
const IMPORT = /(?:^|[\s;}])(?:import|export)\s*(?:[^'"();]*?\sfrom\s*)?\(?\s*["']([^"']+)["']/g;
const withoutComments = (text: string) =>
  text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");

function importsOf(path: string, text: string): string[] {
  return [...withoutComments(text).matchAll(IMPORT)].map(([, specifier]) =>
    specifier!.startsWith(".") ? relative(ROOT, join(ROOT, dirname(path), specifier!)) : specifier!,
  );
}

const sources: Source[] = FOLDERS.flatMap((folder) => {
  let names: string[] = [];
  try {
    names = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  }
  return names
    .filter((name) => /\.tsx?$/.test(name) && !name.includes("node_modules"))
    .map((name) => {
      const path = join(folder, name);
      const text = readFileSync(join(ROOT, path), "utf8");
      return { path, text, imports: importsOf(path, text) };
    });
});

const isTest = (path: string) => /\.(test|bench)\.tsx?$/.test(path);
const isOurs = (path: string) => FOLDERS.some((folder) => path.startsWith(`${folder}/`));
/** `workers/ingest/worker.ts` → `workers/ingest`; files directly in workers/ → `workers`. */
const partOf = (path: string) => {
  const parts = path.split("/");
  return parts[0] === "workers" && parts.length > 2 ? `workers/${parts[1]}` : parts[0]!;
};

/** The rooms of workers/aggregate from the ground up: a room imports what lies lower, and none beside it. */
const FLOORS = [
  ["archive", "live"],
  ["queues", "device", "zone", "fleet", "channel", "tenant", "chores"],
  ["jobs"],
];
const AGGREGATE = "workers/aggregate/";
/** `workers/aggregate/jobs/delete/x.ts` → `jobs`; a file directly in workers/aggregate has no room. */
const roomOf = (path: string) => path.slice(AGGREGATE.length).split("/").slice(0, -1)[0];
/** The ground floor is 0; files without a room lie below it and import none, but for the Worker, which imports all. */
const floorOf = (room: string | undefined) =>
  room === undefined ? -1 : FLOORS.findIndex((floor) => floor.includes(room));

function forbiddenRooms({ path, imports }: Source): string[] {
  if (!path.startsWith(AGGREGATE) || path === `${AGGREGATE}worker.ts`) return [];
  const own = roomOf(path);
  return imports
    .filter((imported) => imported.startsWith(AGGREGATE))
    .map((imported) => ({ imported, room: roomOf(imported) }))
    .filter(({ room }) => room !== own && floorOf(room) >= floorOf(own))
    .map(({ imported }) => `${path} → ${imported}`);
}

/** Files that import each other in a circle, types too; each circle once, by its files in order (Tarjan 1972). */
function circlesIn(files: readonly Pick<Source, "path" | "imports">[]): string[][] {
  const importsOfFile = new Map(files.map(({ path, imports }) => [path, imports]));
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (path: string): void => {
    index.set(path, index.size);
    low.set(path, index.get(path)!);
    stack.push(path);
    for (const imported of importsOfFile.get(path) ?? []) {
      if (!importsOfFile.has(imported)) continue;
      if (!index.has(imported)) visit(imported);
      if (stack.includes(imported)) low.set(path, Math.min(low.get(path)!, low.get(imported)!));
    }
    if (low.get(path) !== index.get(path)) return;
    const circle = stack.splice(stack.indexOf(path));
    if (circle.length > 1 || importsOfFile.get(path)!.includes(path)) circles.push(circle.sort());
  };
  for (const { path } of files) if (!index.has(path)) visit(path);
  return circles;
}

/** What each part may import besides itself. `workers` are the files directly in it, which the Workers share. */
const MAY_IMPORT: Record<string, string[]> = {
  schemas: [],
  core: ["schemas"],
  workers: ["core", "schemas"],
  "workers/ingest": ["workers", "core", "schemas"],
  "workers/aggregate": ["workers", "core", "schemas"],
  "workers/api": ["workers", "core", "schemas"],
  dashboard: ["schemas"],
  scripts: ["schemas", "core"],
};
/** The one Worker that composes the three. */
const COMPOSER = "workers/single.ts";
/** Scripts run the other parts: they build the dashboard and know which paths the local run's door sends where. */
const EXCEPTIONS = new Set([
  "scripts/build.ts → dashboard/build.ts",
  "scripts/local-run.ts → workers/aggregate/crons.ts",
  "scripts/local-run.ts → workers/ingest/paths.ts",
]);
/** Files that wire tests run a whole Worker; they may import any part of workers/. */
const isWorkerTest = (path: string) =>
  path.startsWith("workers/") && (isTest(path) || /\/(?:[a-z]+-)?test-[^/]+$/.test(path));

function forbiddenImports({ path, imports }: Source): string[] {
  const from = partOf(path);
  return imports
    .filter((imported) => isOurs(imported) && partOf(imported) !== from)
    .filter((imported) => !MAY_IMPORT[from]!.includes(partOf(imported)))
    .filter((imported) => !((path === COMPOSER || isWorkerTest(path)) && imported.startsWith("workers/")))
    .map((imported) => `${path} → ${imported}`)
    .filter((edge) => !EXCEPTIONS.has(edge));
}

describe("who imports whom", () => {
  it("every form of import is seen", () => {
    const text = [
      'import "./a.ts";',
      'import type { B } from "./b.ts";',
      "import {\n  c,\n  type C,\n} from './c.ts';",
      'export * from "./d.ts";',
      'export { e } from "../e.ts";',
      'const f = await import("./f.ts");',
      'import * as z from "zod";',
      '// import "./no.ts";',
      '/** import { no } from "./no.ts" */',
      'const text = "from"; call("./no.ts");',
    ].join("\n");
    const found = importsOf("core/x/y.ts", text);
    expect(found).toEqual([..."abcd"].map((n) => `core/x/${n}.ts`).concat("core/e.ts", "core/x/f.ts", "zod"));
  });

  it("a forbidden import would be found", () => {
    const source = (path: string, ...imports: string[]): Source => ({ path, text: "", imports });
    expect(forbiddenImports(source("core/x/y.ts", "workers/clock.ts"))).toHaveLength(1);
    expect(forbiddenImports(source("schemas/a.ts", "core/x/y.ts"))).toHaveLength(1);
    expect(forbiddenImports(source("workers/api/a.ts", "workers/ingest/b.ts"))).toHaveLength(1);
    expect(forbiddenImports(source("workers/clock.ts", "workers/ingest/b.ts"))).toHaveLength(1);
    expect(forbiddenImports(source("dashboard/a.ts", "core/x/y.ts"))).toHaveLength(1);
    expect(forbiddenImports(source("workers/api/a.ts", "workers/clock.ts", "workers/api/b.ts"))).toEqual([]);
  });

  it("schemas ← core ← workers/X ← single.ts; dashboard → schemas; scripts → schemas, core", () => {
    expect(sources.length).toBeGreaterThan(100);
    expect(sources.map(({ path }) => partOf(path)).filter((part) => !(part in MAY_IMPORT))).toEqual([]);
    expect(sources.flatMap(forbiddenImports)).toEqual([]);
  });

  it("every import of ours is a file, with its suffix", () => {
    const paths = new Set(sources.map(({ path }) => path));
    const code = sources.flatMap(({ path, imports }) => imports.map((imported) => [path, imported] as const));
    const missing = code.filter(
      ([, imported]) => isOurs(imported) && /\.tsx?$|\/[^./]+$/.test(imported) && !paths.has(imported),
    );
    expect(missing).toEqual([]);
  });

  it("no file imports itself by way of others, not even for a type", () => {
    const file = (path: string, ...imports: string[]) => ({ path, imports });
    expect(circlesIn([file("a", "b", "c"), file("b", "c"), file("c")])).toEqual([]);
    expect(circlesIn([file("a", "b"), file("b", "c"), file("c", "b"), file("d", "d")])).toEqual([
      ["b", "c"],
      ["d"],
    ]);
    expect(circlesIn(sources)).toEqual([]);
  });

  it("in workers/aggregate: worker → jobs → what owns state → archive, live → env; no room imports one beside it", () => {
    const source = (path: string, imported: string): Source => ({
      path: AGGREGATE + path,
      text: "",
      imports: [AGGREGATE + imported],
    });
    const kept = [
      ["worker.ts", "jobs/run-jobs.ts"],
      ["jobs/delete/a.ts", "jobs/step.ts"],
      ["jobs/delete/a.ts", "device/register.ts"],
      ["device/a.ts", "device/b.ts"],
      ["zone/a.ts", "live/lease.ts"],
      ["archive/a.ts", "env.ts"],
    ] as const;
    const broken = [
      ["env.ts", "archive/a.ts"],
      ["live/a.ts", "archive/b.ts"],
      ["archive/a.ts", "queues/b.ts"],
      ["fleet/a.ts", "zone/b.ts"],
      ["chores/a.ts", "jobs/step.ts"],
    ] as const;
    for (const [path, imported] of kept) expect(forbiddenRooms(source(path, imported))).toEqual([]);
    for (const [path, imported] of broken) expect(forbiddenRooms(source(path, imported))).toHaveLength(1);
    const rooms = sources.filter(({ path }) => path.startsWith(AGGREGATE)).map(({ path }) => roomOf(path));
    expect([...new Set(rooms)].filter((room) => room !== undefined && floorOf(room) < 0)).toEqual([]);
    const running = sources.filter(({ path }) => !isWorkerTest(path));
    expect(running.flatMap(forbiddenRooms)).toEqual([]);
  });

  it("nothing that runs imports a test or a test's double", () => {
    const doubles =
      /\.(test|bench)\.tsx?$|\/(?:[a-z]+-)?(?:fake|test|stub)-[^/]+\.ts$|core\/window\/exact\.ts$/;
    const running = sources.filter(({ path }) => !isTest(path) && !doubles.test(path));
    const edges = running.flatMap(({ path, imports }) =>
      imports.filter((i) => doubles.test(i)).map((i) => `${path} → ${i}`),
    );
    expect(edges).toEqual([]);
  });
});

describe("core and schemas are pure", () => {
  const IMPURE: [what: string, pattern: RegExp][] = [
    ["the clock", /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b/],
    ["chance", /\bMath\.random\b|\brandomUUID\b|\bgetRandomValues\b/],
    ["the network", /(?<![.\w])fetch\(|\bnew WebSocket\b/],
    ["the console", /\bconsole\b/],
    ["timers", /\bset(Timeout|Interval)\b/],
    ["the process", /\bprocess\./],
  ];
  const pure = sources.filter(({ path }) => /^(core|schemas)\//.test(path) && !isTest(path));

  it.each(IMPURE)("no file touches %s", (_, pattern) => {
    expect(pure.length).toBeGreaterThan(40);
    expect(pure.filter(({ text }) => pattern.test(withoutComments(text))).map(({ path }) => path)).toEqual(
      [],
    );
  });

  it("no file imports Cloudflare's or Node's modules", () => {
    const imports = pure.flatMap(({ path, imports }) => imports.map((imported) => `${path} → ${imported}`));
    expect(imports.filter((edge) => /→ (cloudflare|node):/.test(edge))).toEqual([]);
  });
});

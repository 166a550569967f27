// docs/security.md ↔ the routes: who may do what is said of every one.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const textOf = (path: string) => readFileSync(join(ROOT, path), "utf8");

const ROUTES = "workers/api/routes";
const ROUTE = /^(\w+)\.(get|put|post|delete)\(\s*"([^"]+)",\s*requireRole\("(\w+)"/gm;

/** Of each role the routes that ask for it at least, `METHOD /path`. */
function routesOf(): Record<string, string[]> {
  const mounts = new Map(
    [...textOf("workers/api/worker.ts").matchAll(/\.route\("([^"]+)", (\w+)\)/g)].map(([, path, name]) => [
      name!,
      path!,
    ]),
  );
  const routes: Record<string, string[]> = {};
  for (const file of readdirSync(join(ROOT, ROUTES)).filter((name) => !name.endsWith(".test.ts"))) {
    for (const [, name, method, path, role] of textOf(`${ROUTES}/${file}`).matchAll(ROUTE)) {
      const whole = `${mounts.get(name!)}${path === "/" ? "" : path}`.replace("{.+}", "");
      routes[role!] = [...(routes[role!] ?? []), `${method!.toUpperCase()} ${whole}`];
    }
  }
  return routes;
}

it("[F27] docs/security.md says of each route which role may ask it", () => {
  const said: Record<string, string[]> = {};
  for (const [, role, cell] of textOf("docs/security.md").matchAll(
    /^\| (viewer|operator|admin|owner) \| (.+) \|$/gm,
  )) {
    said[role!] = [...cell!.replaceAll("\\|", "|").matchAll(/`([^`]+)`/g)].map(([, route]) => route!).sort();
  }
  const routes = routesOf();
  for (const own of Object.values(routes)) own.sort();
  expect(said).toEqual(routes);
  const asked = Object.values(routes).flat().length;
  const files = readdirSync(join(ROOT, ROUTES)).filter((name) => !name.endsWith(".test.ts"));
  const uses = files.flatMap((file) => textOf(`${ROUTES}/${file}`).match(/\brequireRole\(/g) ?? []);
  expect(asked).toBe(uses.length);
});

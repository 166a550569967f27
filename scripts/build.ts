// Builds what the Workers serve as static assets: the dashboard and openapi.json.
import { mkdir, writeFile } from "node:fs/promises";
import { buildDashboard } from "../dashboard/build.ts";
import { openApiDocument } from "./openapi.ts";

/** Writes dashboard/dist. Takes a fraction of a second; every start, test and deploy does it. */
export async function build(): Promise<void> {
  await mkdir(new URL("../dashboard/dist/", import.meta.url), { recursive: true });
  await buildDashboard({ minify: true });
  const document = JSON.stringify(openApiDocument(), null, 2);
  await writeFile(new URL("../dashboard/dist/openapi.json", import.meta.url), document);
}

if (import.meta.main) await build();

// The contract's schemas → the OpenAPI document served at /openapi.json.
import * as z from "zod";
import { createDocument } from "zod-openapi";
import { exportList, exportManifest } from "../schemas/export.ts";
import {
  archiveQuery,
  auditAnswer,
  auditQuery,
  deleteQuery,
  fleetStreamQuery,
  listQuery,
  readyAnswer,
  snapshotQuery,
  zoneStreamQuery,
} from "../schemas/http.ts";
import {
  importBody,
  importLine,
  jobAnswer,
  jobList,
  jobsQuery,
  partAnswer,
  replayBody,
  tenantDeletion,
} from "../schemas/job.ts";
import { COMMIT_EVERY_MS_MAX } from "../schemas/limits.ts";
import { fleetFrame, snapshotFrame, zoneFrame } from "../schemas/live.ts";
import { deviceName, tenantName, zoneName } from "../schemas/name.ts";
import {
  activityAnswer,
  activityQuery,
  archiveAnswer,
  deviceChange,
  deviceEntry,
  deviceList,
  devicesMade,
  devicesMadeOfLines,
  exportQuery,
  extentAnswer,
  fleetAnswer,
  fleetHistoryAnswer,
  fleetHistoryQuery,
  historyAnswer,
  historyQuery,
  latestAnswer,
  namesAnswer,
  namesQuery,
  newDevice,
  rawPoint,
  windowPoint,
  zoneList,
} from "../schemas/query.ts";
import { report, telemetryAnswer, telemetryBody } from "../schemas/reading.ts";
import { quotaAnswer, retentionAnswer, tenantAnswer, tenantSettingsChange } from "../schemas/tenant.ts";
import { newTenant, tenantDetail, tenantEntry, tenantList, tenantsQuery } from "../schemas/tenants.ts";
import {
  deviceRevokeAnswer,
  revokeAnswer,
  revokeBody,
  sessionAnswer,
  sessionToken,
  tokenList,
  tokenSpec,
  tokensBody,
  tokensMade,
  tokensQuery,
} from "../schemas/token.ts";
import { alertPaths } from "./openapi-alerts.ts";
import { describe } from "./openapi-describe.ts";
import { machinePaths } from "./openapi-machines.ts";
import { operation, problem } from "./openapi-operation.ts";
import { provisioningPaths } from "./openapi-provisioning.ts";

/** Named in the document, so that it has it once. */
z.globalRegistry.add(jobAnswer, { id: "Job" });

const device = z.object({ device: deviceName });
const zone = z.object({ zone: zoneName });
const job = z.object({ job: z.string() });
const exported = z.object({ export: z.string() });

const exportLine = z.union([
  rawPoint.extend({ metric: z.string() }),
  windowPoint.extend({ metric: z.string() }),
  z.object({ error: z.object({ code: z.string(), detail: z.string() }) }),
]);

/** OpenAPI 3.1, made from the same zod schemas that the code checks with, in the words of the glossary. */
export const openApiDocument = () => describe(createDocument(definition()));

function definition(): Parameters<typeof createDocument>[0] {
  return {
    openapi: "3.1.0",
    info: {
      title: "Telltale",
      version: "1",
      description: "A telemetry pipeline for fleets of devices, on Cloudflare.",
    },
    components: { securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } },
    paths: {
      "/v1/telemetry": {
        post: operation({
          summary: "Readings in, a verdict for each out, after the commit",
          tag: "devices",
          parameters: {
            query: z.object({ status: z.literal("200").optional(), verdicts: z.literal("each").optional() }),
          },
          bodies: { "application/json": telemetryBody, "application/x-ndjson": report },
          answer: telemetryAnswer,
          also: { status: "422", description: "No reading was taken; ?status=200 asks for 200 then too" },
        }),
      },
      "/v1/connect": {
        get: {
          summary: "WebSocket, subprotocol telltale.v1: report frames in, cumulative acks out",
          tags: ["devices"],
          security: [{ bearer: [] }],
          requestParams: {
            query: z.object({
              commitEveryMs: z.coerce.number().int().min(0).max(COMMIT_EVERY_MS_MAX).optional(),
            }),
          },
          responses: { "101": { description: "Switching protocols" }, default: problem },
        },
      },
      "/v1/devices": {
        get: operation({
          summary: "Devices by name",
          tag: "operators",
          parameters: { query: listQuery },
          answer: deviceList,
        }),
        post: operation({
          summary:
            "Register devices before they report, one or up to 5,000, with what became of each; of CSV, of each line",
          tag: "operators",
          bodies: {
            "application/json": z.union([newDevice, z.strictObject({ devices: z.array(newDevice) })]),
            "text/csv": z.string(),
          },
          answer: z.union([devicesMade, devicesMadeOfLines]),
          answers: { "text/csv": z.string() },
        }),
      },
      "/v1/devices/{device}": {
        get: operation({
          summary: "One device",
          tag: "operators",
          parameters: { path: device },
          answer: deviceEntry,
        }),
        put: operation({
          summary: "Zone, name, model, location",
          tag: "operators",
          parameters: { path: device },
          body: deviceChange,
          answer: deviceEntry,
        }),
        delete: operation({
          summary:
            "Delete a device, its data and its alerts everywhere; what it sends after the 202 is its next life",
          tag: "admins",
          status: "202",
          parameters: { path: device, query: deleteQuery },
          answer: jobAnswer,
        }),
      },
      "/v1/devices/{device}/revoke": {
        post: operation({
          summary: "Void every token of the device that was issued before now, and close its sockets",
          tag: "admins",
          parameters: { path: device },
          answer: deviceRevokeAnswer,
        }),
      },
      "/v1/tenants": {
        get: operation({
          summary: "The deployment's tenants by name, for its owner",
          tag: "owners",
          parameters: { query: tenantsQuery },
          answer: tenantList,
        }),
        post: operation({
          summary: "Make a tenant before its first device reports",
          tag: "owners",
          status: "201",
          body: newTenant,
          answer: tenantEntry,
        }),
      },
      "/v1/tenants/{tenant}": {
        get: operation({
          summary: "A tenant, and how far its deletion is",
          tag: "owners",
          parameters: { path: z.object({ tenant: tenantName }) },
          answer: tenantDetail,
        }),
        delete: operation({
          summary: "Delete a tenant with all it has: its tokens are void, and a job does the rest",
          tag: "owners",
          status: "202",
          parameters: { path: z.object({ tenant: tenantName }) },
          answer: tenantDeletion,
        }),
      },
      "/v1/deployment/audit": {
        get: operation({
          summary: "What owners changed, newest first",
          tag: "owners",
          parameters: { query: auditQuery },
          answer: auditAnswer,
        }),
      },
      "/v1/tokens": {
        get: operation({
          summary: "Tokens that were made here, newest first; never the tokens themselves",
          tag: "admins",
          parameters: { query: tokensQuery },
          answer: tokenList,
        }),
        post: operation({
          summary: "Make a token, or many; each is in this answer and never again",
          tag: "admins",
          status: "201",
          body: z.union([tokenSpec, tokensBody]),
          answer: tokensMade,
        }),
      },
      "/v1/tokens/revoke": {
        post: operation({
          summary:
            "Void tokens by their ids, or every token of the tenant that was issued before now, whoever has it",
          tag: "admins",
          body: revokeBody,
          answer: revokeAnswer,
        }),
      },
      ...provisioningPaths,
      ...machinePaths,
      "/v1/devices/{device}/latest": {
        get: operation({
          summary: "The newest reading of each metric",
          tag: "operators",
          parameters: { path: device },
          answer: latestAnswer,
        }),
      },
      "/v1/devices/{device}/extent": {
        get: operation({
          summary: "Where a device's readings lie, reported or imported, and the newest of each metric",
          tag: "operators",
          parameters: { path: device },
          answer: extentAnswer,
        }),
      },
      "/v1/devices/{device}/history": {
        get: operation({
          summary: "Readings or windows of one metric",
          tag: "operators",
          parameters: { path: device, query: historyQuery },
          answer: historyAnswer,
        }),
      },
      "/v1/devices/{device}/history/export": {
        get: {
          summary: "Readings or windows of some metrics, however many, as a stream of lines",
          tags: ["operators"],
          security: [{ bearer: [] }],
          requestParams: { path: device, query: exportQuery },
          responses: {
            "200": {
              description: "A point a line; of NDJSON that failed under way the last line is an error",
              content: { "application/x-ndjson": { schema: exportLine }, "text/csv": { schema: z.string() } },
            },
            default: problem,
          },
        },
      },
      "/v1/devices/{device}/seal": {
        post: operation({
          summary: "Seal the open blocks now, and send what is unconfirmed again",
          tag: "operators",
          parameters: { path: device },
          answer: z.object({ sealed: z.number().int(), pending: z.number().int() }),
        }),
      },
      "/v1/zones": { get: operation({ summary: "Zones", tag: "operators", answer: zoneList }) },
      "/v1/zones/{zone}/snapshot": {
        get: operation({
          summary: "A zone now, as far as it fits into a mebibyte, or a page of its devices",
          tag: "operators",
          parameters: { path: zone, query: snapshotQuery },
          answer: snapshotFrame,
        }),
      },
      "/v1/zones/{zone}/stream": {
        get: operation({
          summary:
            "A zone's snapshot, then updates: a WebSocket, whose `ask` frames are to be answered by `ack` with the same `seq` or it is closed (1013), or server-sent events",
          tag: "operators",
          parameters: { path: zone, query: zoneStreamQuery },
          answer: zoneFrame,
        }),
      },
      "/v1/zones/{zone}/history": {
        get: operation({
          summary: "Windows of one metric over a zone's devices",
          tag: "operators",
          parameters: { path: zone, query: fleetHistoryQuery },
          answer: fleetHistoryAnswer,
        }),
      },
      "/v1/fleet/history": {
        get: operation({
          summary: "Windows of one metric over all devices",
          tag: "operators",
          parameters: { query: fleetHistoryQuery },
          answer: fleetHistoryAnswer,
        }),
      },
      "/v1/fleet/names": {
        get: operation({
          summary: "Devices, models and metrics there are to choose from, a bounded number of each",
          tag: "operators",
          parameters: { query: namesQuery },
          answer: namesAnswer,
        }),
      },
      "/v1/fleet/stream": {
        get: operation({
          summary:
            "The active alerts of all zones, then each event: a WebSocket, whose `ask` frames are to be answered by `ack` with the same `seq` or it is closed (1013), or server-sent events",
          tag: "operators",
          parameters: { query: fleetStreamQuery },
          answer: fleetFrame,
        }),
      },
      "/v1/session": {
        get: operation({
          summary: "Whose the token is: tenant, role, name and until when",
          tag: "operators",
          answer: sessionAnswer,
        }),
        post: operation({
          summary: "A token of an hour for the page of somebody whom Cloudflare Access signed in",
          tag: "operators",
          status: "201",
          answer: sessionToken,
        }),
      },
      "/v1/fleet": { get: operation({ summary: "The fleet", tag: "operators", answer: fleetAnswer }) },
      "/v1/archive": {
        get: operation({
          summary: "The archive's manifest",
          tag: "operators",
          parameters: { query: archiveQuery },
          answer: archiveAnswer,
        }),
      },
      "/v1/archive/{key}": {
        get: {
          summary: "One Parquet file of the archive",
          tags: ["operators"],
          security: [{ bearer: [] }],
          requestParams: { path: z.object({ key: z.string() }) },
          responses: {
            "200": { description: "The file; also for a range that is none, or several" },
            "206": { description: "The byte range that was asked for" },
            "304": { description: "The file is the one that the condition names" },
            default: problem,
          },
        },
      },
      "/v1/tenant": {
        get: operation({ summary: "The tenant's settings", tag: "operators", answer: tenantAnswer }),
        put: operation({
          summary: "Change settings",
          tag: "operators",
          body: tenantSettingsChange,
          answer: tenantAnswer,
        }),
      },
      "/v1/tenant/quota": {
        get: operation({
          summary: "What the tenant may, what it has, and what was refused",
          tag: "operators",
          answer: quotaAnswer,
        }),
      },
      "/v1/tenant/activity": {
        get: operation({
          summary: "Devices, and how many readings each has by hour or day",
          tag: "operators",
          parameters: { query: activityQuery },
          answer: activityAnswer,
        }),
      },
      "/v1/tenant/retention": {
        get: operation({
          summary: "What was deleted for its age",
          tag: "operators",
          answer: retentionAnswer,
        }),
      },
      "/v1/tenant/export": {
        post: operation({
          summary:
            "Make files of all the tenant has, but for the archive's, which are files already; a job says when",
          tag: "admins",
          status: "202",
          answer: jobAnswer,
        }),
      },
      "/v1/tenant/exports": {
        get: operation({
          summary: "Exports of the last seven days, newest first",
          tag: "admins",
          answer: exportList,
        }),
      },
      "/v1/tenant/exports/{export}": {
        get: operation({
          summary: "The manifest of an export that is done: its files, and where the archive's are",
          tag: "admins",
          parameters: { path: exported },
          answer: exportManifest,
        }),
      },
      "/v1/tenant/exports/{export}/{file}": {
        get: {
          summary: "One file of an export",
          tags: ["admins"],
          security: [{ bearer: [] }],
          requestParams: { path: exported.extend({ file: z.string() }) },
          responses: {
            "200": { description: "The file; also for a range that is none, or several" },
            "206": { description: "The byte range that was asked for" },
            "304": { description: "The file is the one that the condition names" },
            default: problem,
          },
        },
      },
      "/v1/audit": {
        get: operation({
          summary: "Who changed what, newest first",
          tag: "admins",
          parameters: { query: auditQuery },
          answer: auditAnswer,
        }),
      },
      ...alertPaths,
      "/v1/admin/jobs": {
        get: operation({
          summary: "Long work and how far it is, newest first",
          tag: "admins",
          parameters: { query: jobsQuery },
          answer: jobList,
        }),
      },
      "/v1/admin/jobs/{job}": {
        get: operation({
          summary: "One job and how far it is",
          tag: "admins",
          parameters: { path: job },
          answer: jobAnswer,
        }),
      },
      "/v1/admin/jobs/{job}/stop": {
        post: operation({
          summary: "Stop a running job after the step it is at",
          tag: "admins",
          parameters: { path: job },
          answer: jobAnswer,
        }),
      },
      "/v1/admin/jobs/{job}/resume": {
        post: operation({
          summary: "Take up a job that was stopped or failed, where it was",
          tag: "admins",
          parameters: { path: job },
          answer: jobAnswer,
        }),
      },
      "/v1/admin/replay": {
        post: operation({
          summary:
            "Rebuild rollups and aggregates of whole UTC days, from the archive or from the devices' blocks",
          tag: "admins",
          status: "202",
          body: replayBody,
          answer: jobAnswer,
        }),
      },
      "/v1/admin/import": {
        post: operation({
          summary:
            "Begin an import: readings of any age before the lateness horizon, sent in parts and then started",
          tag: "admins",
          status: "202",
          body: importBody,
          answer: jobAnswer,
        }),
      },
      "/v1/admin/import/{job}/parts/{part}": {
        put: operation({
          summary: "One part of an import, up to 4 MiB; sent again it replaces itself",
          tag: "admins",
          parameters: { path: job.extend({ part: z.coerce.number().int().min(0) }) },
          bodies: { "application/x-ndjson": importLine },
          answer: partAnswer,
        }),
      },
      "/v1/admin/import/{job}/start": {
        post: operation({
          summary: "Start an import that has all its parts",
          tag: "admins",
          status: "202",
          parameters: { path: job },
          answer: jobAnswer,
        }),
      },
      "/healthz": { get: { summary: "Is it up", responses: { "200": { description: "It is" } } } },
      "/readyz": {
        get: {
          summary: "Can it work: what it needs, by name, and how far behind that is",
          responses: {
            "200": {
              description: "It can; what is behind is said",
              content: { "application/json": { schema: readyAnswer } },
            },
            "503": {
              description: "Something that is needed does not answer",
              content: { "application/json": { schema: readyAnswer } },
            },
          },
        },
      },
    },
  };
}

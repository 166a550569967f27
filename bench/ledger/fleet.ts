// What a fleet does that is played with its operations counted.

import type { DayCounts } from "../../core/cost/ledger.ts";

export interface PlayedFleet {
  /** Names nothing else has had in this run. */
  tenant: string;
  devices: number;
  /** Devices a zone. */
  zoneSize: number;
  /** How a device speaks; of a gateway 100 devices at most share a socket. */
  transport: "socket" | "https" | "gateway";
  /** How often a device reports its ten metrics. */
  reportEveryMs: number;
  /** How long a socket's reports may wait for their commit; 0: each is committed. */
  commitEveryMs: number;
  /** HTTPS: how many reports share a request. */
  reportsARequest: number;
  /** How many days are played. */
  days: number;
  /** Of the tenant, as `PUT /v1/tenant` takes them; the defaults otherwise. */
  settings?: Record<string, unknown>;
}

/** What there was at the end of a day. */
export interface Stored {
  r2Bytes: number;
  r2Files: number;
  /** Bytes of the pages of all warm databases. */
  warmBytes: number;
  /** Bytes of the databases of the devices' objects. */
  objectBytes: number;
}

export interface Played {
  days: DayCounts[];
  stored: Stored[];
}

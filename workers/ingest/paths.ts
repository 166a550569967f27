/** The addresses the ingest Worker answers; single and the local runner route by them. */
export const INGEST_PATHS = ["/v1/telemetry", "/v1/connect"];

// What the words of the API mean: one sentence for each parameter, and for each field of a request's body.

/**
 * A word means the same everywhere, but for those that stand here with what they are part of: the last fixed segment of the
 * route, the component or the field around it, as `archive.from`.
 */
export const GLOSSARY: Readonly<Record<string, string>> = {
  // ---- names
  tenant: "The tenant's name: 1 to 128 letters, digits and . _ : -",
  settings: "What the tenant chooses, as `PUT /v1/tenant` takes it, but for issuers.",
  device: "The device's id: 1 to 128 letters, digits and . _ : -",
  zone: "The zone's id; a device that nobody put into one is in `default`.",
  model: "What kind of device it is.",
  metric: "The metric's name as the device sends it.",
  rule: "The rule's id.",
  alert: "The alert's id, `<rule>.<generation>.<episode>.<device>`.",
  incident: "The incident's id, `<zone>.<number>`.",
  channel: "The channel's id.",
  silence: "The silence's id.",
  job: "The job's id, as the request that began it was answered.",
  export: "The export's id, which is its job's.",
  file: "The file's name, as the manifest has it.",
  key: "The file's key, as the manifest lists it; slashes are part of it.",
  id: "The id it shall have, 1 to 40 of a-z 0-9 _ -; one is drawn when it is absent. It never changes.",
  name: "What people call it.",
  type: "Which kind it is, and so which other fields it has.",

  // ---- questions
  from: "From when, inclusive: epoch ms or ISO 8601 (UTC without an offset).",
  to: "Until when, exclusive: epoch ms or ISO 8601 (UTC without an offset).",
  "history.from":
    "From when, inclusive: epoch ms or ISO 8601 (UTC without an offset); an hour before `to` unless said.",
  "history.to": "Until when, exclusive: epoch ms or ISO 8601 (UTC without an offset); now unless said.",
  "export.from":
    "From when, inclusive: epoch ms or ISO 8601 (UTC without an offset); an hour before `to` unless said.",
  "export.to": "Until when, exclusive: epoch ms or ISO 8601 (UTC without an offset); now unless said.",
  "archive.from": "First UTC day, YYYY-MM-DD, inclusive.",
  "archive.to": "Last UTC day, YYYY-MM-DD, inclusive.",
  limit: "Most entries in the answer; `next` leads to those after.",
  "history.limit":
    "Asks for a page of at most so many points; `next` leads to those after. Not together with `maxPoints`.",
  "deliveries.limit": "Most deliveries in the answer.",
  after: "The `next` of the page before.",
  "snapshot.device": "Only this device, with all its metrics.",
  "snapshot.limit": "Asks for a page of at most so many devices, by id; `next` leads to those after.",
  "stream.after":
    "The `seq` of the last frame seen: the stream goes on after it when it still can, else it begins with a snapshot.",
  search: "Only those whose id or name has this text in it.",
  block:
    "`true`: the tokens that the device has are void from now on; what it sends with a new one is its next life.",
  newest: "`true`: each with the instant of its newest reading, which costs a request to each device.",
  "telemetry.status":
    "`200`: an answer in which no reading was taken is 200 too, instead of 422 with the same body.",
  bucket: "How long a bucket is: `1h`, of at most 31 days, or `1d`, of at most 92; both of UTC.",
  "activity.from":
    "From when, inclusive: epoch ms or ISO 8601 (UTC without an offset); 24 hours or 31 days before `to` unless said. Widened to a whole bucket.",
  "activity.to":
    "Until when, exclusive: epoch ms or ISO 8601 (UTC without an offset); now unless said. Widened to a whole bucket.",
  "activity.limit":
    "Most devices in the answer, fewer where the range has many buckets; `next` leads to those after.",
  verdicts:
    "`each`: the answer lists the verdict on each reading; more than 10,000 readings are then 400, and none of them is taken.",
  resolution: "`raw` readings, or windows so long; `auto`: the finest that keeps to `maxPoints`.",
  source:
    "The tier that has to answer: the device (`hot`), D1 (`warm`), the archive (`cold`); `auto` stitches them.",
  maxPoints: "Most points in the answer; more are thinned, and the answer says how.",
  thin: "How: `minmax` keeps the least and greatest of each bucket, so that no spike is lost, `lttb` the shape (largest triangle three buckets).",
  tz: "IANA name of the time zone whose days and hours the `1d` and `1h` windows are, like Europe/Berlin; UTC unless said. Minutes are the same in all.",
  live: "`true`: what is not settled yet is asked of the devices.",
  "export.metric": "The metric's name as the device sends it; again for each further metric.",
  format: "`ndjson` or `csv`; the `Accept` header says it unless said here, and NDJSON is the default.",
  part: "Number of the part, from 0.",
  state: "Only those in this state; `active`: all but the resolved.",
  status: "Only jobs that are so far.",
  "alerts.from": "Fired from then on: epoch ms or ISO 8601.",
  "alerts.to": "Fired before then: epoch ms or ISO 8601.",
  "incidents.from": "Opened from then on: epoch ms or ISO 8601.",
  "audit.from": "Changed from then on: epoch ms or ISO 8601.",
  "audit.to": "Changed before then: epoch ms or ISO 8601.",
  "audit.who": "Changed by this one.",
  "audit.target": "Of what lies at this address, or under it.",
  "incidents.to": "Opened before then: epoch ms or ISO 8601.",
  "names.device": "Only devices whose id is or begins with this.",

  "devices.devices": "The devices, 1 to 5,000.",

  // ---- tokens
  role: "What its bearer may do: `device`, `gateway`, `viewer`, `operator` or `admin`.",
  "tokens.days": "For how many days it holds.",
  tokens: "The tokens to be made, 1 to 1,000.",
  "tokens.device": "The device that a token of role `device` speaks for; no other has one.",
  "tokens.name": "What its bearer is called: what they do is noted under it.",
  "revoke.id": "The token that is void from now on.",
  ids: "The tokens that are void from now on, 1 to 1,000; neither: all that were issued before now.",

  // ---- provisioning
  "provisioning-keys.key": "The provisioning key's id; of the key itself only its hash is kept.",
  "provisioning-keys.zone": "Where devices are put that claim with it and were not made ahead.",
  "provisioning-keys.model": "What kind devices are that claim with it and were not made ahead.",
  devicePrefix: "It is for devices whose ids begin with this; absent: for any.",
  maxDevices: "How many devices may claim with it, 1 to 100,000.",
  ttlSeconds: "For how many seconds it is good; 366 days at most.",
  tokenTtlSeconds: "For how many seconds the tokens hold that are claimed with it; 365 days unless said.",
  "claim.device": "The device that claims its token.",
  "claim.secret":
    "16 to 200 characters that the device draws at random and keeps: with them alone it gets the same token again.",
  // ---- API keys
  "api-keys.key": "The id of the key.",
  "api-keys.name": "What the machine is called: what it does is noted under it.",
  "api-keys.role": "What it may do: `gateway`, `viewer`, `operator` or `admin`.",
  "api-keys.days": "For how many days it holds.",

  // ---- people whom Cloudflare Access signs in
  access: "Who of them may do what; the greatest role of the rules that fit counts. An empty list: nobody.",
  "access.email": "One person, by the address.",
  "access.domain": "All whose address ends in it.",
  "access.group": "All of a group, as the identity provider names it.",
  "access.role": "What they may do: `viewer`, `operator` or `admin`.",

  // ---- keys of a tenant's own issuer
  issuers:
    "Who may sign tokens for the tenant's devices beside the deployment, at most five; an empty list: nobody.",
  issuer: "What their tokens say in `iss`.",
  jwks: "Their public keys (RFC 7517).",
  keys: "One to ten; a token names one of them by its `kid`, or each that fits is tried.",
  kty: "`EC` or `OKP`.",
  crv: "`P-256`, for ES256, or `Ed25519`, for EdDSA.",
  alg: "What it signs with, where that is to be said.",
  x: "The first coordinate, 32 bytes as base64url.",
  y: "The second coordinate, 32 bytes as base64url.",
  kid: "The key's id, as tokens name it.",
  use: "It is for signatures.",
  key_ops: "It verifies.",

  // ---- devices and readings
  at: "When it was read, by the device's clock: epoch ms or ISO 8601 (UTC without an offset); absent: on arrival.",
  "telemetry.device": "Whose readings these are: a gateway's token has to say it, a device's need not.",
  "parts.device": "Whose readings these are.",
  metrics: "A number for each metric, by its name; at most 1,000.",
  location: "Where it stands; null: unknown.",
  latitude: "Degrees north.",
  longitude: "Degrees east.",
  gateway:
    "The device it reports through: while that is silent too, nobody is told that this one is. Null: none.",
  newestAt:
    "When its newest reading is from, as a list gives it; not looked at, for it changes with each reading.",
  firstSeenAt: "When it first reported, epoch ms; as GET gives it, or absent.",
  "devices.limits": "What the device may send, whatever its model or tenant says; null: what they say.",
  "limits.reportsPerSecond": "Reports a second that it may send, by our clock; null: as many as it likes.",
  burst: "Reports that it may send at once after a rest.",
  reportsPerSecond:
    "How much a hot device sends, as a list gives it; not looked at, for it changes with each report.",
  hot: "true: only devices that send more than they may in the long run, the hottest first; a page of a thousand at most.",
  commitEveryMs:
    "How long a socket's reports may wait, unacknowledged, for their commit, in ms; 0: each is committed at once.",

  // ---- the tenant
  plan: "Which plan the tenant is on.",
  latenessHorizonMs: "Older readings are refused as `too_old`.",
  retention: "How long each tier keeps what it has.",
  rawDays: "Days of readings in the device's object.",
  hourlyDays: "Days of hourly summaries in D1; afterwards they come from the archive.",
  archiveDays: "Days of files in R2; null: for ever.",
  limits: "How much a device may do; what is named changes, the rest stays.",
  reportsPerSecondPerDevice:
    "Reports a second that a device may send, by our clock; null: as many as it likes.",
  burstPerDevice: "Reports that a device may send at once after a rest.",
  models:
    "By a model's name, what each device of it may send instead; all of them are replaced, at most 100.",
  readingsPerSecond: "Readings a second of all devices together; null: as many as they like.",
  devices: "Devices that may report or be made; null: as many as there are.",
  storageBytes: "Bytes of files in the archive; null: as many as there are.",
  viewers: "Streams that are open at once, WebSockets and server-sent events; null: as many as there are.",
  excess:
    "What becomes of reports beyond a device's rate: `refuse`, 429; `sample`: taken and thinned, so that of each minute the least and the greatest are kept and the others counted.",
  rulesVersion: "Rises with each change of a rule; as GET gives it, or absent.",
  "replay.source": "`archive`: from the Parquet files; `blocks`: from what the devices' objects still hold.",
  "parts.revision":
    "Which writing of the reading it is: of two values within an import that of the higher revision counts; absent: above every revision.",
  "import.zone": "Where devices are put that the registry does not know yet.",

  // ---- rules
  condition: "What the rule looks for.",
  scope: "Which devices it concerns: all that is named has to fit; nothing named: every device.",
  forMs: "How long a breach has to last before it fires, in ms.",
  count: "How many readings in a row have to breach.",
  severity: "`info`, `warning` or `critical`; `critical` passes every budget.",
  cooldownMs: "How long after an alert's end the rule does not fire again on that device, in ms.",
  groupWithinMs: "Alerts of a zone each within this of the one before are one incident; 0: each is its own.",
  channels: "Channels that are told; null: those whose route takes it.",
  escalation: "Who is told when nobody has acknowledged, step by step.",
  "escalation.afterMs": "How long after the incident opened, in ms, while nobody acknowledges.",
  enabled: "false: it rests.",
  version:
    "The version that is changed: refused when there is a newer one. Absent: the change is made whatever there is.",
  createdAt: "As GET gives it, or absent.",
  updatedAt: "As GET gives it, or absent.",
  updatedBy: "As GET gives it, or absent.",
  above: "Breached strictly above it.",
  below: "Breached strictly below it.",
  clear: "Cleared at this level or beyond it; the level of the breach unless said.",
  by: "Breached by a difference of more than this.",
  overMs: "From a reading of the last so many ms.",
  direction: "Whether it has to rise, fall, or either.",
  tolerance: "How far a value may stray and still count as flat.",
  afterMs: "How long it has to stay flat, or silent, in ms.",
  detector: "`seasonal` knows the hour of the week, `zscore` the last readings.",
  level: "How sure the detector has to be: `warning` is the more sensitive.",
  left: "Metric on the left of the operator.",
  operator: "How the two are joined.",
  right: "Metric on the right of the operator.",
  withinMs: "How far apart the two readings may be, in ms.",
  "preview.rule": "The rule to try, as it was or would be written.",
  "preview.device": "Only this device; absent: those the rule concerns, the first ten.",

  // ---- what people do to alerts
  text: "What they say about it.",
  "assign.to": "To whom.",

  // ---- channels
  target:
    "How the receiver is spoken to. A secret is never shown again; sent back as it was shown, it stays.",
  route: "What the channel takes, unless a rule names it; what is not named does not matter.",
  perHourMax: "Most messages an hour that are not critical; null: no limit.",
  origin: "As GET gives it, or absent.",
  url: "Where messages are sent.",
  secret: "Signs each message, see docs/webhooks.md.",
  routingKey: "PagerDuty's integration key.",
  apiKey: "Opsgenie's API key.",
  token: "Sent as a bearer token.",
  "target.from": "Sender's address.",
  "target.to": "Recipients' addresses.",
  severities: "Only these severities.",
  zones: "Only these zones.",
  hours: "Only in these hours of the week; absent or empty: always.",
  days: "Days the hours begin on.",
  "hours.from": "HH:MM, inclusive.",
  "hours.to": "HH:MM, exclusive; at or before `from`: on the next day.",
  timeZone: "IANA name of the time zone the hours are meant in.",

  // ---- silences
  matcher: "What is silenced: all that is named has to fit; nothing named: everything.",
  comment: "Why.",
  startsAt: "From when, epoch ms (in a body also ISO 8601); now unless said.",
  endsAt: "Until when, epoch ms (in a body also ISO 8601); null: until it is ended by hand.",
};

// The types of the API's answers that the contract exports only as schemas.
import type * as z from "zod";
import type {
  channelList,
  incidentActed,
  incidentList,
  ruleList,
  silenceList,
} from "../../schemas/alert-http.ts";
import type { deviceList, fleetAnswer } from "../../schemas/query.ts";

export type FleetAnswer = z.infer<typeof fleetAnswer>;
export type DeviceList = z.infer<typeof deviceList>;
export type IncidentList = z.infer<typeof incidentList>;
export type IncidentActed = z.infer<typeof incidentActed>;
export type RuleList = z.infer<typeof ruleList>;
export type SilenceList = z.infer<typeof silenceList>;
export type ChannelList = z.infer<typeof channelList>;

// The types of the API's answers that the contract exports only as schemas.
import type * as z from "zod";
import type { deviceList, fleetAnswer } from "../schemas/query.ts";

export type FleetAnswer = z.infer<typeof fleetAnswer>;
export type DeviceList = z.infer<typeof deviceList>;

// One channel: its messages, sent once a key, tried again until they are taken. Not built yet.
import { DurableObject } from "cloudflare:workers";
import type { AggregateEnv } from "./env.ts";

export class ChannelObject extends DurableObject<AggregateEnv> {}

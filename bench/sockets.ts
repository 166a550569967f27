// Readings a second over WebSockets, each report committed or held for fifteen minutes, beside bare echo objects.
import { startedBy } from "./run/cpu.ts";
import { METRICS, REPORT_EVERY_MS } from "./run/reports.ts";
import { type Competitor, FULL, QUICK, ratioOf, runRounds } from "./run/rounds.ts";
import { count, micros, ratio, runAlone, type Section } from "./run/section.ts";
import { serveBare } from "./run/serve.ts";
import { SocketFleet, type SocketPlan } from "./run/socket-load.ts";
import {
  acknowledged,
  type Connection,
  connectionOf,
  FLUSH_FRAME,
  introduce,
  makeDevices,
  reportFrame,
  startTelltale,
} from "./run/telltale.ts";

const SOCKETS = 50;
/** Unanswered messages of a socket: more than two commits of ninety reports, or what a round's end need not wait long for. */
const WINDOW_HELD = 200;
const WINDOW_EACH = 16;
/** Fifteen minutes of reports. */
const HELD_REPORTS = 90;

export async function benchSockets(quick: boolean): Promise<Section[]> {
  const { started: bare, pids: barePids } = await startedBy(() => serveBare("bench/bare/sockets.ts"));
  const telltale = await startTelltale();
  const fleets: SocketFleet[] = [];
  try {
    const { secret, url } = telltale.run;
    const competitor = async (
      name: string,
      pids: number[],
      connections: Connection[],
      plan: SocketPlan,
    ): Promise<Competitor> => {
      const fleet = await SocketFleet.open(connections, plan);
      fleets.push(fleet);
      return {
        name,
        pids,
        run: async (durationMs) => {
          const { answers, ...turn } = await fleet.run({ durationMs });
          return { operations: answers, ...turn };
        },
      };
    };
    const peer = async (name: string, kind: string, windowMessages: number): Promise<Competitor> => {
      const devices = await makeDevices(secret, "peer", SOCKETS);
      const connections = devices.map((device) => ({
        url: `${bare.url}/${kind}/${device.name}`,
        headers: {},
      }));
      return await competitor(name, barePids, connections, {
        windowMessages,
        message: (index, n) => reportFrame(devices[index]!, n),
        answered: (_text, before) => before + 1,
      });
    };
    const own = async (name: string, prefix: string, commitReports?: number): Promise<Competitor> => {
      const devices = await makeDevices(secret, prefix, SOCKETS);
      await introduce(url, devices);
      const commitEveryMs = (commitReports ?? 0) * REPORT_EVERY_MS;
      const connections = devices.map((device) => connectionOf(url, device, commitEveryMs));
      return await competitor(name, telltale.pids, connections, {
        windowMessages: commitReports === undefined ? WINDOW_EACH : WINDOW_HELD,
        flushFrame: FLUSH_FRAME,
        message: (index, n) => reportFrame(devices[index]!, n),
        answered: acknowledged,
      });
    };
    const standings = await runRounds(
      [
        await peer("bare echo, nothing written", "echo", WINDOW_HELD),
        await own("Telltale, commit every 15 min", "held", HELD_REPORTS),
        await peer("bare echo, one row a message", "row", WINDOW_EACH),
        await own("Telltale, commit each report", "each"),
      ],
      quick ? QUICK : FULL,
    );
    const [echo, held, row, each] = standings as [Standing, Standing, Standing, Standing];
    type Standing = (typeof standings)[number];
    const peers = new Map([
      [held, echo],
      [row, echo],
      [each, row],
    ]);
    return [
      {
        title: "Sockets: GET /v1/connect, counted when acknowledged",
        notes: [
          `${SOCKETS} devices, reports of ${METRICS} metrics 10 s apart; medians of interleaved rounds.`,
          `Held reports are committed every 90 or 91. A device has at most ${WINDOW_HELD} unacknowledged, ${WINDOW_EACH} where each is answered by itself.`,
          "Bare objects are hibernatable and send the message back.",
        ],
        head: ["", "messages/s", "readings/s", "CPU µs", "beside", "rate", "CPU"],
        rows: standings.map((standing) => {
          const { name, perSecond, cpuMicroseconds } = standing;
          const beside = peers.get(standing);
          const cpu =
            beside?.cpuMicroseconds === undefined || cpuMicroseconds === undefined
              ? ""
              : ratio(cpuMicroseconds / beside.cpuMicroseconds);
          const compared =
            beside === undefined ? ["", "", ""] : [beside.name, ratio(ratioOf(standing, beside)), cpu];
          return [name, count(perSecond), count(perSecond * METRICS), micros(cpuMicroseconds), ...compared];
        }),
        goals: [
          {
            what: "commit every 90 ÷ bare echo, nothing written",
            atLeast: 0.5,
            measured: ratioOf(held, echo),
          },
        ],
        figures: standings,
      },
    ];
  } finally {
    for (const fleet of fleets) fleet.close();
    await telltale.stop();
    await bare.stop();
  }
}

if (import.meta.main) runAlone(benchSockets);

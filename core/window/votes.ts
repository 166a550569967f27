// Devices vote for metrics → which metrics are kept where there is no room for all: one device, one vote.

/** What a device's vote is split into, so that votes are whole numbers and add up to the same in any order. */
export const VOTE = 1_000_000;

/** How many devices have a metric, and their votes for it: each device's one vote is split over all the metrics it has. */
export interface Standing {
  devices: number;
  votes: number;
}

/**
 * Returns the metrics, those with most votes first, then those of most devices, then by name. A device that has a
 * thousand metrics gives each a thousandth, so a flood of them from few devices comes after what devices with few
 * metrics send, whatever its names.
 */
export function mostVoted<S extends Standing>(metrics: Iterable<[string, S]>): [string, S][] {
  return [...metrics].sort(
    ([a, one], [b, other]) =>
      other.votes - one.votes || other.devices - one.devices || (a < b ? -1 : a > b ? 1 : 0),
  );
}

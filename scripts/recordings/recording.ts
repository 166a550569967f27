// What every recording gives, whatever its format: reports of devices, in file order.

export interface RecordedReport {
  /** Fit to be a device name of the contract. */
  device: string;
  /** Epoch ms on the device's clock. */
  at: number;
  /** Epoch ms when the recording's own server got it; equals `at` where the file does not say. */
  arrivedAt: number;
  /** May be empty: a row of nothing but absent values is still a row. */
  metrics: Record<string, number>;
}

export interface Recording {
  kind: "beijing-air" | "campusiot" | "out-of-order" | "nab";
  /** `at` never decreases, so a reader with an end in mind may stop at the first report past it. */
  timeOrdered: boolean;
  /** Streams from the start; each call opens the file anew. */
  read(): AsyncIterable<RecordedReport>;
}

/** A recorded name as a device name: what the contract does not allow becomes `-`. */
export function deviceNameOf(recorded: string): string {
  const name = recorded.replaceAll(/[^A-Za-z0-9._:-]/g, "-").slice(0, 128);
  return /^[A-Za-z0-9]/.test(name) ? name : `d${name}`.slice(0, 128);
}

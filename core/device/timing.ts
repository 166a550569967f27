// How long a device object waits for what: the deployment's settings, all in ms.

/** How a device object spreads its sealing, and when it sends a block again; ms. */
export interface SealTiming {
  /** The sealing of a fleet is spread over this long, in ms, by a hash of the device. */
  spreadMs: number;
  /** An unconfirmed block is sent again after this long, in ms, then at doubling distances. */
  resendMs: number;
}

/** How long a device object waits for its device before it sets an alarm; ms. */
export interface AlarmTiming extends SealTiming {
  /**
   * How long after a block is due the alarm waits, in ms: until then the device's own data seals the block, at no
   * cost.
   */
  sealFallbackMs: number;
  /** How long after its resend time an unconfirmed block waits for a commit before it deserves an alarm, in ms. */
  outboxSlackMs: number;
}

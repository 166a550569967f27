// The payload of an ELSYS LoRaWAN sensor → its values.
//
// The Tour Perret recording needs it: from October 2023 on its network server's decoder failed, and two uplinks
// of three carry only the raw payload. A payload is a run of (type, value) pairs, big-endian, as ELSYS documents:
// https://elsys.se/public/documents/Sensor_payload.pdf

interface Field {
  bytes: number;
  read(view: DataView, at: number): Record<string, number>;
}

/** The fields this sensor sends. The names are those its own decoder gave while it worked. */
const FIELDS: Record<number, Field> = {
  1: { bytes: 2, read: (view, at) => ({ temperature: view.getInt16(at) / 10 }) },
  2: { bytes: 1, read: (view, at) => ({ humidity: view.getUint8(at) }) },
  3: {
    bytes: 3,
    read: (view, at) => ({ x: view.getInt8(at), y: view.getInt8(at + 1), z: view.getInt8(at + 2) }),
  },
  7: { bytes: 2, read: (view, at) => ({ vdd: view.getUint16(at) }) },
  11: { bytes: 4, read: (view, at) => ({ pulseAbs: view.getUint32(at) }) },
  13: { bytes: 1, read: (view, at) => ({ digital: view.getUint8(at) }) },
  15: { bytes: 1, read: (view, at) => ({ accMotion: view.getUint8(at) }) },
  18: { bytes: 1, read: (view, at) => ({ waterleak: view.getUint8(at) }) },
};

/** Decodes a base64 payload; undefined when any part of it is of another kind, since then none of it is sure. */
export function parseElsysPayload(base64: string): Record<string, number> | undefined {
  const bytes = Buffer.from(base64, "base64");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const metrics: Record<string, number> = {};
  for (let at = 0; at < bytes.length; ) {
    const field = FIELDS[view.getUint8(at)];
    if (field === undefined || at + 1 + field.bytes > bytes.length) return undefined;
    Object.assign(metrics, field.read(view, at + 1));
    at += 1 + field.bytes;
  }
  return metrics;
}

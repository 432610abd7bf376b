/**
 * READ_FLASH of the stub: packets without any header, each acknowledged by the host with the number of bytes that it has, and
 * at the end the MD5 of all of them.
 * Source: esptool documentation, "Serial Protocol", section "Reading Flash".
 *
 *     stub ── packet ──> host          one packet under way at a time, whatever the host allows (as esp-flasher-stub does)
 *     stub <── u32 ───── host
 *       ...
 *     stub ── MD5 ─────> host
 */

/** Plain data. */
export interface Reading {
  readonly address: number;
  readonly bytes: number;
  readonly packet: number;
  sent: number;
}

/** The range of the next packet, null after the last. */
export function nextPacket(reading: Reading): { address: number; bytes: number } | null {
  const { address, bytes, packet, sent } = reading;
  if (sent === bytes) return null;
  const size = Math.min(packet, bytes - sent);
  reading.sent += size;
  return { address: address + sent, bytes: size };
}

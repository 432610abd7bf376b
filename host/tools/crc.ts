/** CRC-32 of a table (spec/TOOLS.md): as in zlib, reflected, polynomial 0xEDB88320, start and end inverted. Node's own came with 20.15. */
import { TBL_CRC } from "../../spec/tools.ts";

/** With zeros in place of the table's own. */
export function tableCrc(table: Uint8Array): number {
  let crc = 0xffffffff;
  for (let at = 0; at < table.length; at++) {
    crc ^= at >= TBL_CRC && at < TBL_CRC + 4 ? 0 : table[at];
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** Numbers of spec/firmware.ts that the selector and the build of firmware repeat, because they cannot import it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import * as FIRMWARE from "../../spec/firmware.ts";
import { firmwareFile } from "../firmware/image.mjs";
import { ROOT } from "../lib/root.mjs";

const source = (path: string): string => readFileSync(join(ROOT, path), "utf8");

it("the selector looks for what spec/firmware.ts says", () => {
  const text = source("boards/common/selector.c");
  const defined = (name: string): number => Number(new RegExp(`#define ${name} (\\w+)u`).exec(text)?.[1] ?? "");
  assert.equal(defined("HEADER_BYTES"), FIRMWARE.FW_HEADER_BYTES);
  assert.equal(defined("MAGIC"), FIRMWARE.FW_MAGIC_HIGH * 65536 + FIRMWARE.FW_MAGIC_LOW);
  assert.equal(defined("MARK"), FIRMWARE.FW_MARK_TKFW);
  assert.equal(defined("RECORD_MAGIC"), FIRMWARE.FREC_MAGIC);
  // Offsets: sizes of the fields before.
  const fields = (struct: string): Map<string, number> => {
    const body = new RegExp(`struct ${struct} \\{([^}]*)\\}`).exec(text)?.[1] ?? "";
    const sizes: Record<string, number> = { uint32_t: 4, uint16_t: 2, uint8_t: 1 };
    let at = 0;
    return new Map(
      [...body.matchAll(/(uint\d+_t) (\w+)(?:\[(\d+)\])?;/g)].map(([, type, name, count]) => {
        const offset = at;
        at += sizes[type] * Number(count ?? 1);
        return [name, offset];
      }),
    );
  };
  const header = fields("header");
  const { FW_ADDRESS, FW_HEADER_SIZE, FW_PROTECTED, FW_PAYLOAD, FW_FLAGS, FW_MAJOR } = FIRMWARE;
  const { FW_MARK, FW_PAYLOAD_CRC, FW_BOARD, FW_HEADER_CRC } = FIRMWARE;
  const wanted = { address: FW_ADDRESS, header_bytes: FW_HEADER_SIZE, protected_bytes: FW_PROTECTED, flags: FW_FLAGS };
  const more = { payload_bytes: FW_PAYLOAD, version: FW_MAJOR, mark: FW_MARK, payload_crc: FW_PAYLOAD_CRC };
  for (const [name, offset] of Object.entries({ ...wanted, ...more, board: FW_BOARD, crc: FW_HEADER_CRC }))
    assert.equal(header.get(name), offset, name);
  const record = fields("record");
  const { FREC_SEQ, FREC_CONFIRMED, FREC_CRC } = FIRMWARE;
  assert.deepEqual(
    ["seq", "confirmed", "crc"].map((name) => record.get(name)),
    [FREC_SEQ, FREC_CONFIRMED, FREC_CRC],
  );
});

it("the build lays an image out as spec/firmware.ts says", () => {
  const payload = Uint8Array.from({ length: 100 }, (_, i) => i);
  const file = firmwareFile({ board: "rp2040-pico", version: "1.2.3", address: 0x10003000 }, payload);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const end = FIRMWARE.FW_HEADER_BYTES + payload.length;
  assert.equal(file.length, end + FIRMWARE.FW_TRAILER_BYTES);
  const words = [FIRMWARE.FW_ADDRESS, FIRMWARE.FW_PAYLOAD, FIRMWARE.FW_FLAGS, FIRMWARE.FW_MARK];
  const wanted = [0x10003000, payload.length, FIRMWARE.FW_FLAG_ROM_FIXED, FIRMWARE.FW_MARK_TKFW];
  assert.deepEqual(
    words.map((at) => view.getUint32(at, true)),
    wanted,
  );
  const version = [view.getUint8(FIRMWARE.FW_MAJOR), view.getUint8(FIRMWARE.FW_MINOR)];
  assert.deepEqual([...version, view.getUint16(FIRMWARE.FW_REVISION, true)], [1, 2, 3]);
  assert.equal(view.getUint16(end, true), FIRMWARE.FW_TLV_MAGIC);
  assert.equal(view.getUint16(end + 4, true), FIRMWARE.FW_TLV_SHA256);
});

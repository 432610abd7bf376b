/**
 * The two algorithms that the boot loaders bring along: inflate (zlib format, RFC 1950) and MD5 (RFC 1321). From Node, loaded
 * when a board with such a ROM is made, so that the rest of the simulator goes on without Node.
 */
export interface Inflater {
  /** Bytes that `block` adds to what came out so far. @throws Error once the stream is damaged */
  push(block: Uint8Array): Uint8Array;
}

export interface RomCodec {
  inflater(): Inflater;
  /** 16 bytes. */
  md5(bytes: Uint8Array): Uint8Array;
}

export async function loadRomCodec(): Promise<RomCodec> {
  const { constants, inflateSync } = await import("node:zlib");
  const { createHash } = await import("node:crypto");
  return {
    md5: (bytes) => createHash("md5").update(bytes).digest(),
    inflater() {
      const stream: Uint8Array[] = [];
      let given = 0;
      return {
        push(block) {
          stream.push(block.slice());
          // Node inflates synchronously only from the start of a stream. With blocks of 16 KiB that is bearable: 64 of them
          // for a megabyte.
          const all = inflateSync(Buffer.concat(stream), { finishFlush: constants.Z_SYNC_FLUSH });
          const fresh = all.subarray(given);
          given = all.length;
          return fresh;
        },
      };
    },
  };
}

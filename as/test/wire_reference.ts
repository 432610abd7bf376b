/** The framings of WIRE.md once more, plainly: what the device's are held to. */

export function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}

function sealed(message: Uint8Array): Buffer {
  const crc = crc16(message);
  return Buffer.concat([message, Buffer.from([crc >> 8, crc & 0xff])]);
}

/** The message in a body, null when its CRC is wrong. */
function opened(body: Buffer): Buffer | null {
  const message = body.subarray(0, -2);
  return body.length > 2 && crc16(message) === body.readUInt16BE(body.length - 2) ? message : null;
}

export function consoleFrame(message: Uint8Array): Buffer {
  const body = sealed(message);
  const all = Buffer.concat([Buffer.from([body.length >> 8, body.length & 0xff]), body]);
  const lines: Buffer[] = [];
  for (let at = 0; at < all.length; at += 93) {
    lines.push(Buffer.from(at === 0 ? [0x06, 0x09] : [0x04, 0x14]));
    lines.push(Buffer.from(`${all.subarray(at, at + 93).toString("base64")}\n`));
  }
  return Buffer.concat(lines);
}

/** The messages in what a device sent; it must be nothing but whole lines. */
export function consoleMessages(bytes: Uint8Array): Buffer[] {
  const messages: Buffer[] = [];
  let frame: Buffer[] = [];
  for (const line of Buffer.from(bytes).toString("latin1").split("\n").slice(0, -1)) {
    if (line.length + 1 > 127) throw new Error("a line longer than 127 bytes");
    const mark = line.slice(0, 2);
    if (mark === "\x06\x09") frame = [];
    else if (mark !== "\x04\x14") throw new Error("a line without a mark");
    frame.push(Buffer.from(line.slice(2), "base64"));
    const all = Buffer.concat(frame);
    if (all.length !== all.readUInt16BE(0) + 2) continue;
    const message = opened(all.subarray(2));
    if (message === null) throw new Error("a wrong CRC");
    messages.push(message);
  }
  return messages;
}

export function cobs(bytes: Uint8Array): Buffer {
  const out: number[] = [];
  let run: number[] = [];
  let isEnded = false;
  for (const byte of bytes) {
    isEnded = false;
    if (byte !== 0) run.push(byte);
    if (byte !== 0 && run.length < 254) continue;
    isEnded = byte !== 0;
    out.push(run.length + 1, ...run);
    run = [];
  }
  if (!isEnded) out.push(run.length + 1, ...run);
  return Buffer.from(out);
}

export function cobsFrame(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0), cobs(sealed(message)), Buffer.of(0)]);
}

/** The messages in what a device sent; between two zeros there must be nothing or a frame. */
export function cobsMessages(bytes: Uint8Array): Buffer[] {
  const messages: Buffer[] = [];
  for (const frame of Buffer.from(bytes).toString("latin1").split("\0")) {
    if (frame === "") continue;
    const body: number[] = [];
    const code = Buffer.from(frame, "latin1");
    for (let at = 0; at < code.length; at += code[at]) {
      body.push(...code.subarray(at + 1, at + code[at]));
      if (code[at] < 255 && at + code[at] < code.length) body.push(0);
    }
    const message = opened(Buffer.from(body));
    if (message === null) throw new Error("a wrong CRC");
    messages.push(message);
  }
  return messages;
}

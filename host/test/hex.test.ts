/** Intel HEX, line by line. The sample of data lines is the format's customary one; the others are made by hand. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readHex } from "../device/firmware/hex.ts";

const END = ":00000001FF";
const file = (...lines: string[]): string => `${lines.join("\n")}\n`;
const refused = (text: string, message: RegExp): void =>
  assert.throws(() => readHex(text), { code: "E_FIRMWARE_FILE", message });

/** A line with a good checksum. */
function line(kind: number, offset: number, ...data: number[]): string {
  const bytes = [data.length, offset >> 8, offset & 0xff, kind, ...data];
  const sum = (256 - (bytes.reduce((a, b) => a + b, 0) % 256)) % 256;
  return `:${Buffer.from([...bytes, sum])
    .toString("hex")
    .toUpperCase()}`;
}

describe("Intel HEX", () => {
  it("data lines, joined where they are neighbours", () => {
    const text = file(
      ":10010000214601360121470136007EFE09D2190140",
      ":100110002146017E17C20001FF5F16002148011928",
      END,
    );
    const [{ address, bytes }, ...rest] = readHex(text);
    assert.deepEqual([address, bytes.length, rest.length], [0x100, 32, 0]);
    assert.equal(
      Buffer.from(bytes).toString("hex"),
      "214601360121470136007efe09d219012146017e17c20001ff5f160021480119",
    );
  });

  it("extended addresses: linear, and of segments", () => {
    const text = file(line(4, 0, 0x08, 0x00), line(0, 0xfffe, 1, 2), line(4, 0, 0x08, 0x01), line(0, 0, 3), END);
    assert.deepEqual(readHex(text), [{ address: 0x0800fffe, bytes: Uint8Array.of(1, 2, 3) }]);
    assert.equal(readHex(file(line(4, 0, 0xf0, 0), line(0, 4, 1), END))[0].address, 0xf0000004, "above 2 GiB");
    assert.equal(readHex(file(line(2, 0, 0x12, 0x34), line(0, 5, 1), END))[0].address, 0x12345);
  });

  it("start addresses, small letters, blank lines and CRLF are no matter", () => {
    const text = [line(5, 0, 8, 0, 0, 1), line(3, 0, 0, 0, 1, 0), line(0, 0, 0xab).toLowerCase(), END, "", ""].join(
      "\r\n",
    );
    assert.deepEqual(readHex(text), [{ address: 0, bytes: Uint8Array.of(0xab) }]);
  });

  it("one flipped digit anywhere in a line is refused", () => {
    const whole = line(0, 0x0100, 0x21, 0x46);
    for (let at = 1; at < whole.length; at++) {
      const digit = ((Number.parseInt(whole[at], 16) + 1) % 16).toString(16);
      refused(file(`${whole.slice(0, at)}${digit}${whole.slice(at + 1)}`, END), /^Line 1 of the HEX file /);
    }
  });

  it("says which line is wrong, and what about it", () => {
    const data = line(0, 0, 1);
    refused(file(data, "hello", END), /^Line 2 of the HEX file is no line of Intel HEX\.$/);
    refused(file(data, data.slice(0, -1), END), /^Line 2 .* is no line/);
    refused(file(":020000000100", END), /^Line 1 .* is not as long as it says/);
    refused(file(line(6, 0, 1), END), /^Line 1 .* is of kind 6/);
    refused(file(line(4, 0, 1), END), /^Line 1 .* is of kind 4/);
    refused(file(line(0, 0xffff, 1, 2), END), /^Line 1 .* runs over the end/);
    refused(file(END, data), /^Line 2 .* behind the end/);
    refused(file(data, data, END), /two contents for 0x00000000\.\.0x00000001/);
    refused(file(data), /has no end/);
    refused("", /has no end/);
  });
});

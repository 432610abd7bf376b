/** The other end of the fake board's serial line: one SMP request at a time, CBOR by a library. */
import { decode, encode } from "cborg";
import {
  FRAMING_COBS,
  FRAMING_CONSOLE,
  GROUP_IMAGE,
  GROUP_TRITKIT,
  OP_READ,
  OP_WRITE,
  SMP_V2,
} from "../../spec/wire.ts";
import type { FakeBoard } from "./fake_board.ts";
import { cobsFrame, cobsMessages, consoleFrame, consoleMessages } from "./wire_reference.ts";

export type Body = Record<string, unknown>;

export interface Answer {
  header: Buffer;
  body: Body;
}

export class Client {
  readonly board: FakeBoard;
  private call: ReturnType<FakeBoard["start"]>;
  private readonly module: WebAssembly.Module;
  framing = FRAMING_CONSOLE;
  version = SMP_V2;
  private seq = 0;
  /** Answers that came and were not asked for yet. */
  readonly inbox: Buffer[] = [];

  constructor(board: FakeBoard, module: WebAssembly.Module) {
    this.board = board;
    this.module = module;
    this.call = board.start(module);
    this.call.boot();
  }

  /** Power off and on. */
  restart(): void {
    this.call = this.board.start(this.module);
    this.call.boot();
    this.framing = FRAMING_CONSOLE;
    this.inbox.length = 0;
  }

  poll(): number {
    const worked = this.call.poll();
    // Until the end of a line or frame, and until a frame is whole, the bytes stay where they are.
    const sent = Buffer.from(this.board.fromDevice);
    const isCobs = this.framing === FRAMING_COBS;
    if (sent[sent.length - 1] !== (isCobs ? 0x00 : 0x0a)) return worked;
    const messages = isCobs ? cobsMessages(sent) : consoleMessages(sent);
    if (messages.length > 0) this.board.fromDevice.length = 0;
    this.inbox.push(...messages);
    return worked;
  }

  /** Until the device has nothing to do now; at most `polls`. */
  settle(polls = 100000): void {
    for (let i = 0; i < polls && this.poll() !== 0; i++);
  }

  deliver(message: Uint8Array): void {
    for (const byte of this.framing === FRAMING_COBS ? cobsFrame(message) : consoleFrame(message))
      this.board.toDevice.push(byte);
  }

  message(op: number, group: number, command: number, payload: Uint8Array): Buffer {
    const header = Buffer.alloc(8);
    header[0] = (this.version << 3) | op;
    header.writeUInt16BE(payload.length, 2);
    header.writeUInt16BE(group, 4);
    this.seq = (this.seq + 1) & 0xff;
    header[6] = this.seq;
    header[7] = command;
    return Buffer.concat([header, payload]);
  }

  /** Sends a request and runs the device until an answer comes; null when none does. */
  ask(op: number, group: number, command: number, body: Body = {}, polls = 100000): Answer | null {
    this.deliver(this.message(op, group, command, encode(body)));
    for (let i = 0; i < polls; i++) {
      const worked = this.poll();
      const bytes = this.inbox.shift();
      if (bytes !== undefined) return { header: bytes.subarray(0, 8), body: decode(bytes.subarray(8)) as Body };
      if (worked === 0) return null;
    }
    return null;
  }

  read(command: number, body: Body = {}, group = GROUP_TRITKIT): Body {
    return this.answered(this.ask(OP_READ, group, command, body));
  }

  write(command: number, body: Body = {}, group = GROUP_TRITKIT): Body {
    return this.answered(this.ask(OP_WRITE, group, command, body));
  }

  image(command: number, body: Body): Body {
    return this.write(command, body, GROUP_IMAGE);
  }

  private answered(answer: Answer | null): Body {
    if (answer === null) throw new Error("no answer");
    if (answer.header[6] !== this.seq) throw new Error("the answer of another request");
    return answer.body;
  }
}

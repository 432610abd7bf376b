/**
 * The header of an SMP message (spec/WIRE.md), 8 bytes big-endian:
 *
 *     | 7..5 | 4..3    | 2..0 |       |          |       |     |         |
 *     | 0    | version | op   | flags | length16 | group16 | seq | command |
 *
 * Fields are read and written byte by byte: a message may lie at any address.
 */
import { SMP_HEADER_BYTES } from "../../spec/wire.ts";

const OP_MASK: u32 = 7;
const VERSION_SHIFT: u32 = 3;
const VERSION_MASK: u32 = 3;

const AT_LENGTH: usize = 2;
const AT_GROUP: usize = 4;
const AT_SEQ: usize = 6;
const AT_COMMAND: usize = 7;

export function smp_op(message: usize): u32 {
  return load<u8>(message) & OP_MASK;
}

export function smp_version(message: usize): u32 {
  return (load<u8>(message) >> VERSION_SHIFT) & VERSION_MASK;
}

/** Bytes of the CBOR map. */
export function smp_length(message: usize): u32 {
  return read16(message + AT_LENGTH);
}

export function smp_group(message: usize): u32 {
  return read16(message + AT_GROUP);
}

export function smp_seq(message: usize): u32 {
  return load<u8>(message + AT_SEQ);
}

export function smp_command(message: usize): u32 {
  return load<u8>(message + AT_COMMAND);
}

/** Writes a header; the CBOR map follows at `message` + SMP_HEADER_BYTES. */
export function smp_write_header(
  message: usize,
  version: u32,
  op: u32,
  length: u32,
  group: u32,
  seq: u32,
  command: u32,
): void {
  memory.fill(message, 0, SMP_HEADER_BYTES);
  store<u8>(message, (version << VERSION_SHIFT) | op);
  write16(message + AT_LENGTH, length);
  write16(message + AT_GROUP, group);
  store<u8>(message + AT_SEQ, seq);
  store<u8>(message + AT_COMMAND, command);
}

/** A big-endian 16-bit number. */
export function read16(at: usize): u32 {
  return (u32(load<u8>(at)) << 8) | load<u8>(at, 1);
}

export function write16(at: usize, value: u32): void {
  store<u8>(at, value >> 8);
  store<u8>(at, value, 1);
}

/**
 * Which firmware is confirmed, and how far an update is: one record of 64 bytes says all of it, the valid one with the highest seq
 * counts (spec/FIRMWARE.md). A record that a power cut tore is none, so the one before it still counts; the sector that holds the newest is
 * never erased. The selector reads the same records.
 */
import {
  FREC_BYTES,
  FREC_CONFIRMED,
  FREC_CRC,
  FREC_DONE,
  FREC_LEN,
  FREC_MAGIC,
  FREC_SECTORS,
  FREC_SEQ,
  FREC_SHA,
} from "../../spec/firmware.ts";
import { firmware_erase, firmware_map, firmware_program } from "../hal.ts";
import { crc32 } from "../store/crc32.ts";
import { program_page } from "../store/geometry.ts";
import { SHA_BYTES } from "../store/sha256.ts";
import { firmware_sector_bytes } from "./region.ts";

@unmanaged
class Journal {
  home: u32; // sector that holds the newest record, never erased; the last one when there is none
  sector: u32; // that is written
  next: u32; // cell of it to write next
  seq: u32;
}

const journal = changetype<Journal>(memory.data(offsetof<Journal>()));
const cell: usize = memory.data(64);
/** The newest record, as in flash. */
const now: usize = memory.data(64);

function cells(): u32 {
  return firmware_sector_bytes() / FREC_BYTES;
}

function read_cell(sector: u32, index: u32): bool {
  const from = firmware_map(sector * firmware_sector_bytes() + index * FREC_BYTES, FREC_BYTES);
  if (from == 0) return false;
  memory.copy(cell, from, FREC_BYTES);
  return true;
}

function cell_blank(): bool {
  for (let i: u32 = 0; i < <u32>FREC_BYTES; i += 4) if (load<u32>(cell + i) != 0xffffffff) return false;
  return true;
}

function cell_valid(): bool {
  return load<u32>(cell) == FREC_MAGIC && load<u32>(cell + FREC_CRC) == crc32(cell, FREC_CRC);
}

/** Finds the newest record. Without one slot 0 is the confirmed one, as the selector has it: a board as it was delivered. */
export function record_load(): void {
  memory.fill(now, 0, FREC_BYTES);
  journal.home = FREC_SECTORS - 1;
  journal.next = cells();
  journal.seq = 0;
  for (let sector: u32 = 0; sector < <u32>FREC_SECTORS; sector++) {
    let used: u32 = 0;
    let newest = false;
    for (let i: u32 = 0, n = cells(); i < n; i++) {
      if (!read_cell(sector, i) || cell_blank()) continue;
      used = i + 1;
      if (!cell_valid() || load<u32>(cell + FREC_SEQ) <= journal.seq) continue;
      newest = true;
      journal.seq = load<u32>(cell + FREC_SEQ);
      memory.copy(now, cell, FREC_BYTES);
    }
    if (!newest) continue;
    journal.home = sector;
    journal.next = used;
  }
  journal.sector = journal.home;
}

/** The slot that is started unless another one is tried. */
export function record_confirmed(): u32 {
  return load<u32>(now + FREC_CONFIRMED);
}

/** Bytes of the file that is being, or was, put into the other slot; 0: none. */
export function record_len(): u32 {
  return load<u32>(now + FREC_LEN);
}

/** Of these, how many are in flash for certain; all of them: the file was verified. */
export function record_done(): u32 {
  return load<u32>(now + FREC_DONE);
}

/** Address of the 32 bytes of the file's SHA-256. */
export function record_sha(): usize {
  return now + FREC_SHA;
}

/**
 * Writes a record, which counts from then on. `sha_at`: 32 bytes, or 0 for none.
 * @returns false when flash failed: then it may or may not be found after a reset
 */
export function record_write(confirmed: u32, len: u32, done: u32, sha_at: usize): bool {
  // A sector that takes no more records is given up for the other one, once.
  for (let tries = 0; tries < 2; tries++) {
    if (journal.next >= cells() && !roll()) return false;
    for (; journal.next < cells(); journal.next++) {
      if (!put(confirmed, len, done, sha_at)) continue; // a cell that takes no record is left behind like a torn one
      journal.next++;
      journal.home = journal.sector;
      memory.copy(now, cell, FREC_BYTES);
      return true;
    }
  }
  return false;
}

/** Erases the sector that does not hold the newest record. */
function roll(): bool {
  const other = FREC_SECTORS - 1 - journal.home;
  if (firmware_erase(other * firmware_sector_bytes(), firmware_sector_bytes()) != 0) return false;
  journal.sector = other;
  journal.next = 0;
  return true;
}

/** Programs the next cell and reads it back. */
function put(confirmed: u32, len: u32, done: u32, sha_at: usize): bool {
  memory.fill(cell, 0, FREC_BYTES);
  store<u32>(cell, FREC_MAGIC);
  store<u32>(cell + FREC_SEQ, ++journal.seq);
  store<u32>(cell + FREC_CONFIRMED, confirmed);
  store<u32>(cell + FREC_LEN, len);
  store<u32>(cell + FREC_DONE, done);
  if (sha_at != 0) memory.copy(cell + FREC_SHA, sha_at, SHA_BYTES);
  const crc = crc32(cell, FREC_CRC);
  store<u32>(cell + FREC_CRC, crc);
  const offset = journal.sector * firmware_sector_bytes() + journal.next * FREC_BYTES;
  const piece = min(program_page(), <u32>FREC_BYTES);
  for (let at: u32 = 0; at < <u32>FREC_BYTES; at += piece)
    if (firmware_program(offset + at, cell + at, piece) != 0) return false;
  return read_cell(journal.sector, journal.next) && cell_valid() && load<u32>(cell + FREC_CRC) == crc;
}

/**
 * The journal of records in the first two sectors (spec/STORE.md). Append-only cells of 64 bytes; one sector counts, the
 * other one is written when it is full, its header last. Every state of flash that a power cut can leave is either the
 * old journal or the new one.
 */
import {
  REC_ACTIVE,
  REC_ARG,
  REC_BEGIN,
  REC_CHECKPOINT,
  REC_CRC,
  REC_KIND,
  REC_LEN,
  REC_OPEN,
  REC_SEQ,
  REC_SHA,
  REC_SLOT,
  REC_TEST,
  REC_VERIFIED,
  RECORD_BYTES,
  RECORD_MAGIC,
  RECORD_SECTORS,
  SLOTS,
} from "../../spec/store.ts";
import { SLOT_EMPTY, SLOT_UPLOADING } from "../../spec/wire.ts";
import { flash_erase, flash_map, flash_program } from "../hal.ts";
import { crc32 } from "./crc32.ts";
import { program_page, sector_bytes, sector_offset } from "./geometry.ts";
import { SHA_BYTES } from "./sha256.ts";
import {
  NO_SLOT,
  slot_checkpoint,
  slot_len,
  slot_mode,
  slot_sha,
  slot_state,
  slots_active,
  slots_active_ctx,
  slots_apply,
  slots_clear,
  slots_test,
  slots_test_ctx,
} from "./slots.ts";

const NO_JOURNAL: u32 = 0xffffffff;
/** Index behind any sector's cells: what did not fit stays so, because no cell follows it. */
const FULL: u32 = 0xffffffff;

@unmanaged
class Journal {
  sector: u32; // the one that counts, or NO_JOURNAL
  next: u32; // cell to write next
  seq: u32; // of the last record written
}

const journal = changetype<Journal>(memory.data(offsetof<Journal>()));
const cell: usize = memory.data(64);
const no_sha: usize = memory.data(32);

function cells(sector: u32): u32 {
  return sector_bytes(sector_offset(sector)) / RECORD_BYTES;
}

/** Copies a cell to SRAM (a copied window may lie anywhere, and is gone with the next call); false when unreadable. */
function read_cell(sector: u32, index: u32): bool {
  const from = flash_map(sector_offset(sector) + index * RECORD_BYTES, RECORD_BYTES);
  if (from == 0) return false;
  memory.copy(cell, from, RECORD_BYTES);
  return true;
}

function cell_blank(): bool {
  for (let i: u32 = 0; i < <u32>RECORD_BYTES; i += 4) if (load<u32>(cell + i) != 0xffffffff) return false;
  return true;
}

function cell_valid(): bool {
  return load<u32>(cell) == RECORD_MAGIC && load<u32>(cell + REC_CRC) == crc32(cell, REC_CRC);
}

/**
 * Finds the journal and replays it.
 * @returns false when no journal is valid (then the state is empty)
 */
export function journal_replay(): bool {
  slots_clear();
  journal.sector = NO_JOURNAL;
  journal.seq = 0;
  for (let sector: u32 = 0; sector < <u32>RECORD_SECTORS; sector++) {
    if (!read_cell(sector, 0) || !cell_valid() || load<u16>(cell + REC_KIND) != REC_OPEN) continue;
    const seq = load<u32>(cell + REC_SEQ);
    if (journal.sector != NO_JOURNAL && seq <= journal.seq) continue;
    journal.sector = sector;
    journal.seq = seq;
  }
  if (journal.sector == NO_JOURNAL) return false;
  journal.next = 1;
  for (let i: u32 = 1, n = cells(journal.sector); i < n; i++) {
    if (!read_cell(journal.sector, i)) continue;
    if (cell_blank()) continue;
    journal.next = i + 1;
    if (!cell_valid()) continue; // torn by a power cut
    journal.seq = max(journal.seq, load<u32>(cell + REC_SEQ));
    slots_apply(
      load<u16>(cell + REC_KIND),
      load<u16>(cell + REC_SLOT),
      load<u32>(cell + REC_LEN),
      load<u32>(cell + REC_ARG),
      cell + REC_SHA,
    );
  }
  return true;
}

/**
 * Writes a record and applies it. `sha`: 32 bytes, or 0 for the slot's own.
 * @returns false when flash failed: then the record may or may not be found after a reset, and is not applied
 */
export function journal_append(kind: u32, slot: u32, len: u32, arg: u32, sha: usize): bool {
  if (sha == 0) sha = slot_sha(slot);
  // A sector that takes no more records is given up for the other one, once.
  for (let tries = 0; tries < 2; tries++) {
    if (journal.sector == NO_JOURNAL || tries == 1) {
      if (!roll()) return false;
    }
    const next = put_from(journal.sector, journal.next, kind, slot, len, arg, sha);
    if (next == FULL) continue;
    journal.next = next;
    slots_apply(kind, slot, len, arg, sha);
    return true;
  }
  return false;
}

/** Writes a record into the first cell from `index` on that takes it; returns the index behind it, or FULL. */
function put_from(sector: u32, index: u32, kind: u32, slot: u32, len: u32, arg: u32, sha: usize): u32 {
  // A cell that cannot be programmed is left behind like a torn one.
  for (const n = cells(sector); index < n; index++) if (put(sector, index, kind, slot, len, arg, sha)) return index + 1;
  return FULL;
}

/** Programs one cell and reads it back. */
function put(sector: u32, index: u32, kind: u32, slot: u32, len: u32, arg: u32, sha: usize): bool {
  memory.fill(cell, 0, RECORD_BYTES);
  store<u32>(cell, RECORD_MAGIC);
  store<u16>(cell + REC_KIND, kind);
  store<u16>(cell + REC_SLOT, slot);
  store<u32>(cell + REC_SEQ, ++journal.seq);
  store<u32>(cell + REC_LEN, len);
  store<u32>(cell + REC_ARG, arg);
  memory.copy(cell + REC_SHA, sha, SHA_BYTES);
  const crc = crc32(cell, REC_CRC);
  store<u32>(cell + REC_CRC, crc);
  const offset = sector_offset(sector) + index * RECORD_BYTES;
  const piece = min(program_page(), <u32>RECORD_BYTES);
  for (let done: u32 = 0; done < <u32>RECORD_BYTES; done += piece)
    if (flash_program(offset + done, cell + done, piece) != 0) return false;
  return read_cell(sector, index) && cell_valid() && load<u32>(cell + REC_CRC) == crc;
}

/** Makes the other sector the journal: the live state first, the header last. */
function roll(): bool {
  const sector: u32 = journal.sector == 0 ? 1 : 0;
  const offset = sector_offset(sector);
  if (flash_erase(offset, sector_bytes(offset)) != 0) return false;
  let next: u32 = 1;
  for (let slot: u32 = 0; slot < <u32>SLOTS; slot++) {
    const state = slot_state(slot);
    if (state == SLOT_EMPTY) continue;
    const kind = state == SLOT_UPLOADING ? REC_BEGIN : REC_VERIFIED;
    next = put_from(sector, next, kind, slot, slot_len(slot), slot_mode(slot), slot_sha(slot));
    const checkpoint = slot_checkpoint(slot);
    if (checkpoint != 0)
      next = put_from(sector, next, REC_CHECKPOINT, slot, slot_len(slot), checkpoint, slot_sha(slot));
  }
  const active = slots_active();
  if (active != NO_SLOT)
    next = put_from(sector, next, REC_ACTIVE, active, slot_len(active), slots_active_ctx(), slot_sha(active));
  const test = slots_test();
  if (test != NO_SLOT) next = put_from(sector, next, REC_TEST, test, slot_len(test), slots_test_ctx(), slot_sha(test));
  if (next == FULL || !put(sector, 0, REC_OPEN, 0, 0, 0, no_sha)) return false;
  journal.sector = sector;
  journal.next = next;
  return true;
}

/*
 * The selector: the first code of a board with two slots for firmware. It reads which of them is confirmed, checks the image in it and
 * starts it; where that one is damaged, the other. It writes nothing: no power cut can find it in the middle of anything.
 *
 *     wish (once, lost by a power cut) ─► confirmed by the newest record ─► the other slot ─► rescue
 *
 * It is never updated over the wire, hence small and without any state of its own. Source: spec/FIRMWARE.md; spec/firmware.ts has the numbers,
 * scripts/test/selector.test.ts compares them.
 */
#include "selector.h"

#define HEADER_BYTES 256u
#define MAGIC 0x96F3B83Du
#define MARK 0x57464B54u
#define RECORD_MAGIC 0x43455246u

/* The first 76 bytes of a slot. */
struct header {
  uint32_t magic;
  uint32_t address;
  uint16_t header_bytes;
  uint16_t protected_bytes;
  uint32_t payload_bytes;
  uint32_t flags;
  uint32_t version[2];
  uint32_t pad;
  uint32_t mark;
  uint32_t payload_crc;
  uint8_t board[32];
  uint32_t crc; /* of all before */
};
_Static_assert(sizeof(struct header) == 76, "spec/FIRMWARE.md");

struct record {
  uint32_t magic;
  uint32_t seq;
  uint32_t confirmed;
  uint32_t words[12];
  uint32_t crc; /* of all before */
};
_Static_assert(sizeof(struct record) == 64, "spec/FIRMWARE.md");

/* CRC-32 as in zlib, four bits at a time. */
static uint32_t crc32(const void *from, uint32_t bytes) {
  static const uint32_t table[16] = {
      0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
      0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
  };
  const uint8_t *p = from;
  uint32_t crc = 0xFFFFFFFF;
  for (; bytes > 0; bytes--) {
    crc ^= *p++;
    crc = crc >> 4 ^ table[crc & 15];
    crc = crc >> 4 ^ table[crc & 15];
  }
  return ~crc;
}

/* The slot that the newest valid record confirms; 0 without one, as delivered. */
static uint32_t confirmed(void) {
  const struct record *record = (const struct record *)(uintptr_t)(BOARD_FLASH_BASE + BOARD_UPDATE_OFFSET);
  const struct record *end = record + 2 * BOARD_UPDATE_SECTOR / sizeof *record;
  uint32_t newest = 0, slot = 0;
  for (; record < end; record++) {
    if (record->magic != RECORD_MAGIC || record->seq <= newest || record->confirmed >= NO_SLOT) continue;
    if (crc32(record, sizeof *record - 4) != record->crc) continue;
    newest = record->seq;
    slot = record->confirmed;
  }
  return slot;
}

static const struct header *header_of(uint32_t slot) {
  return (const struct header *)(uintptr_t)(BOARD_FLASH_BASE + (slot == 0 ? BOARD_UPDATE_SLOT0 : BOARD_UPDATE_SLOT1));
}

/* Whether the slot holds an image that was linked for it, every byte as it was built. */
static bool is_whole(uint32_t slot) {
  const struct header *header = header_of(slot);
  if (header->magic != MAGIC || header->mark != MARK || header->header_bytes != HEADER_BYTES) return false;
  if (header->address != (uint32_t)(uintptr_t)header || header->payload_bytes > BOARD_UPDATE_SLOT_BYTES - HEADER_BYTES)
    return false;
  if (crc32(header, sizeof *header - 4) != header->crc) return false;
  return crc32((const uint8_t *)header + HEADER_BYTES, header->payload_bytes) == header->payload_crc;
}

static void start_if_whole(uint32_t slot) {
  if (slot < NO_SLOT && is_whole(slot)) selector_start((const uint8_t *)header_of(slot) + HEADER_BYTES);
}

void selector(void) {
  uint32_t wish = selector_take_wish();
  selector_init();
  uint32_t first = confirmed();
  start_if_whole(wish);
  start_if_whole(first);
  start_if_whole(1 - first);
  selector_rescue();
}

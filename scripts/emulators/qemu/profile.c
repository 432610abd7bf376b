/*
 * A QEMU TCG plugin that counts instructions by translation block, into a file that is mapped into memory: whoever measures reads it
 * while the machine runs, before and after what is to be measured (profile.ts adds the blocks up by function).
 *
 *     qemu-system-arm ... -plugin profile.so,out=FILE[,taken=on]
 *
 *     file:   u64 entries used   |  entry: u64 address of the block, u64 address behind it, u64 instructions executed there, u64 taken   |  ...
 *
 * A block ends at a branch, and counts as executed whole: an interrupt is taken between blocks, a fault inside one ends the program.
 * taken: how often something else than the next address followed, which is what fills a pipeline anew; 0 without taken=on, which calls
 * a function for each block (half the speed).
 * Debian ships no qemu-plugin.h: the declarations below are the part of the documented ABI (QEMU 7.2, docs/devel/tcg-plugins.rst, version 1)
 * that is used here.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, void (*cb)(unsigned int vcpu, void *data), enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, enum qemu_plugin_op op, void *ptr, uint64_t imm);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

#define ENTRIES 65536

struct entry { uint64_t address, end, instructions, taken; };
static struct table { uint64_t used; struct entry entries[ENTRIES]; } *table;
static int wants_taken;
static struct entry *last;

/*
 * A block that QEMU translates again, after its cache was flushed, goes on counting in its entry, unless it has another length now. Few blocks: a
 * scan is fast enough.
 */
static struct entry *entry_of(uint64_t address, uint64_t end) {
  for (uint64_t i = 0; i < table->used; i++)
    if (table->entries[i].address == address && table->entries[i].end == end) return &table->entries[i];
  if (table->used == ENTRIES) {
    fprintf(stderr, "profile: more than %d blocks\n", ENTRIES);
    exit(1);
  }
  struct entry *made = &table->entries[table->used];
  made->address = address;
  made->end = end;
  table->used++;
  return made;
}

static void executed(unsigned int vcpu, void *data) {
  (void)vcpu;
  struct entry *entry = data;
  if (last != NULL && last->end != entry->address) last->taken++;
  last = entry;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  size_t instructions = qemu_plugin_tb_n_insns(tb);
  const struct qemu_plugin_insn *final = qemu_plugin_tb_get_insn(tb, instructions - 1);
  struct entry *entry = entry_of(qemu_plugin_tb_vaddr(tb), qemu_plugin_insn_vaddr(final) + qemu_plugin_insn_size(final));
  qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &entry->instructions, instructions);
  if (wants_taken) qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, QEMU_PLUGIN_CB_NO_REGS, entry);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv) {
  (void)info;
  const char *path = NULL;
  for (int i = 0; i < argc; i++) {
    if (strncmp(argv[i], "out=", 4) == 0) path = argv[i] + 4;
    if (strcmp(argv[i], "taken=on") == 0) wants_taken = 1;
  }
  int file = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || ftruncate(file, sizeof *table) != 0) {
    fprintf(stderr, "profile: give out=FILE, a file that can be written\n");
    return 1;
  }
  table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (table == MAP_FAILED) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}

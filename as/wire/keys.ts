/**
 * The text keys of WIRE.md as numbers: up to eight bytes, the first in the lowest byte, padded with zeros. Comparing one
 * number is cheaper than comparing text, and no table of strings takes SRAM.
 */

// Keys of requests, by their field number.
export const F_D = 0;
export const F_OFF = 1;
export const F_DATA = 2;
export const F_LEN = 3;
export const F_SHA = 4;
export const F_IMAGE = 5;
export const F_SINGLE = 6;
export const F_HASH = 7;
export const F_CONFIRM = 8;
export const F_CTX = 9;
export const F_SLOT = 10;
export const F_INDEX = 11;
export const F_F = 12;
export const F_B = 13;
export const F_FROM = 14;
export const F_N = 15;
export const F_ID = 16;
export const F_P = 17;
export const F_KEEP = 18;
export const F_MAX = 19;
export const F_TEMP = 20;
export const F_TOPK = 21;
export const F_TOPP = 22;
export const F_REP = 23;
export const F_SEED = 24;
export const F_ACK = 25;
export const F_CLEAR = 26;
export const F_DRY = 27;
export const F_DO = 28;
export const FIELDS = 29;

export const K_D: u64 = 0x0000000000000064; // d
export const K_OFF: u64 = 0x000000000066666f; // off
export const K_DATA: u64 = 0x0000000061746164; // data
export const K_LEN: u64 = 0x00000000006e656c; // len
export const K_SHA: u64 = 0x0000000000616873; // sha
export const K_IMAGE: u64 = 0x0000006567616d69; // image
export const K_SINGLE: u64 = 0x0000656c676e6973; // single
export const K_HASH: u64 = 0x0000000068736168; // hash
export const K_CONFIRM: u64 = 0x006d7269666e6f63; // confirm
export const K_CTX: u64 = 0x0000000000787463; // ctx
export const K_SLOT: u64 = 0x00000000746f6c73; // slot
export const K_INDEX: u64 = 0x0000007865646e69; // index
export const K_F: u64 = 0x0000000000000066; // f
export const K_B: u64 = 0x0000000000000062; // b
export const K_FROM: u64 = 0x000000006d6f7266; // from
export const K_N: u64 = 0x000000000000006e; // n
export const K_ID: u64 = 0x0000000000006469; // id
export const K_P: u64 = 0x0000000000000070; // p
export const K_KEEP: u64 = 0x000000007065656b; // keep
export const K_MAX: u64 = 0x000000000078616d; // max
export const K_TEMP: u64 = 0x00000000706d6574; // temp
export const K_TOPK: u64 = 0x000000006b706f74; // topk
export const K_TOPP: u64 = 0x0000000070706f74; // topp
export const K_REP: u64 = 0x0000000000706572; // rep
export const K_SEED: u64 = 0x0000000064656573; // seed
export const K_ACK: u64 = 0x00000000006b6361; // ack
export const K_CLEAR: u64 = 0x0000007261656c63; // clear
export const K_DRY: u64 = 0x0000000000797264; // dry
export const K_DO: u64 = 0x0000000000006f64; // do
export const K_R: u64 = 0x0000000000000072; // r
export const K_OUTPUT: u64 = 0x000074757074756f; // output
export const K_BUF_SIZE: u64 = 0x657a69735f667562; // buf_size
export const K_BUF_COUN: u64 = 0x6e756f635f667562; // buf_coun
export const K_RC: u64 = 0x0000000000006372; // rc
export const K_ERR: u64 = 0x0000000000727265; // err
export const K_GROUP: u64 = 0x00000070756f7267; // group
export const K_COUNT: u64 = 0x000000746e756f63; // count
export const K_GROUPS: u64 = 0x00007370756f7267; // groups
export const K_END: u64 = 0x0000000000646e65; // end
export const K_COPRO: u64 = 0x0000006f72706f63; // copro
export const K_INFO: u64 = 0x000000006f666e69; // info
export const K_NATIVE: u64 = 0x000065766974616e; // native
export const K_NAME: u64 = 0x00000000656d616e; // name
export const K_HANDLERS: u64 = 0x7372656c646e6168; // handlers
export const K_IMAGES: u64 = 0x0000736567616d69; // images
export const K_VERSION: u64 = 0x006e6f6973726576; // version
export const K_BOOTABLE: u64 = 0x656c6261746f6f62; // bootable
export const K_PENDING: u64 = 0x00676e69646e6570; // pending
export const K_CONFIRME: u64 = 0x656d7269666e6f63; // confirme
export const K_ACTIVE: u64 = 0x0000657669746361; // active
export const K_PERMANEN: u64 = 0x6e656e616d726570; // permanen
export const K_MATCH: u64 = 0x000000686374616d; // match
export const K_V: u64 = 0x0000000000000076; // v
export const K_FW: u64 = 0x0000000000007766; // fw
export const K_FWSLOT: u64 = 0x0000746f6c737766; // fwslot
export const K_BOARD: u64 = 0x0000006472616f62; // board
export const K_MTU: u64 = 0x000000000075746d; // mtu
export const K_WIN: u64 = 0x00000000006e6977; // win
export const K_RX: u64 = 0x0000000000007872; // rx
export const K_BAUD: u64 = 0x0000000064756162; // baud
export const K_MAXBAUD: u64 = 0x006475616278616d; // maxbaud
export const K_PART: u64 = 0x0000000074726170; // part
export const K_SLOTS: u64 = 0x00000073746f6c73; // slots
export const K_RUNS: u64 = 0x00000000736e7572; // runs
export const K_UNIT: u64 = 0x0000000074696e75; // unit
export const K_PAGE: u64 = 0x0000000065676170; // page
export const K_ARENA: u64 = 0x000000616e657261; // arena
export const K_NEED: u64 = 0x000000006465656e; // need
export const K_HAVE: u64 = 0x0000000065766168; // have
export const K_MODEL: u64 = 0x0000006c65646f6d; // model
export const K_UP: u64 = 0x0000000000007075; // up
export const K_LOST: u64 = 0x0000000074736f6c; // lost
export const K_CRC: u64 = 0x0000000000637263; // crc
export const K_H: u64 = 0x0000000000000068; // h
export const K_IDS: u64 = 0x0000000000736469; // ids
export const K_STATE: u64 = 0x0000006574617473; // state
export const K_SEQ: u64 = 0x0000000000716573; // seq
export const K_POS: u64 = 0x0000000000736f70; // pos
export const K_T: u64 = 0x0000000000000074; // t
export const K_L: u64 = 0x000000000000006c; // l
export const K_ST: u64 = 0x0000000000007473; // st
export const K_SL: u64 = 0x0000000000006c73; // sl
export const K_PD: u64 = 0x0000000000006470; // pd
export const K_PT: u64 = 0x0000000000007470; // pt
export const K_WHY: u64 = 0x0000000000796877; // why
export const K_US: u64 = 0x0000000000007375; // us
export const K_FIRST: u64 = 0x0000007473726966; // first
export const K_ALL: u64 = 0x00000000006c6c61; // all
export const K_IMG: u64 = 0x0000000000676d69; // img
export const K_RESTBAUD: u64 = 0x6475616274736572; // restbaud
export const K_TOOLS: u64 = 0x000000736c6f6f74; // tools
export const K_SRC: u64 = 0x0000000000637273; // src
export const K_OK: u64 = 0x0000000000006b6f; // ok
export const K_CALLS: u64 = 0x000000736c6c6163; // calls
export const K_SAY: u64 = 0x0000000000796173; // say

/** The field number of a request's key, -1 for one that no request knows. */
export function field_of(key: u64): i32 {
  if (key == K_D) return F_D;
  if (key == K_OFF) return F_OFF;
  if (key == K_DATA) return F_DATA;
  if (key == K_LEN) return F_LEN;
  if (key == K_SHA) return F_SHA;
  if (key == K_IMAGE) return F_IMAGE;
  if (key == K_SINGLE) return F_SINGLE;
  if (key == K_HASH) return F_HASH;
  if (key == K_CONFIRM) return F_CONFIRM;
  if (key == K_CTX) return F_CTX;
  if (key == K_SLOT) return F_SLOT;
  if (key == K_INDEX) return F_INDEX;
  if (key == K_F) return F_F;
  if (key == K_B) return F_B;
  if (key == K_FROM) return F_FROM;
  if (key == K_N) return F_N;
  if (key == K_ID) return F_ID;
  if (key == K_P) return F_P;
  if (key == K_KEEP) return F_KEEP;
  if (key == K_MAX) return F_MAX;
  if (key == K_TEMP) return F_TEMP;
  if (key == K_TOPK) return F_TOPK;
  if (key == K_TOPP) return F_TOPP;
  if (key == K_REP) return F_REP;
  if (key == K_SEED) return F_SEED;
  if (key == K_ACK) return F_ACK;
  if (key == K_CLEAR) return F_CLEAR;
  if (key == K_DRY) return F_DRY;
  if (key == K_DO) return F_DO;
  return -1;
}

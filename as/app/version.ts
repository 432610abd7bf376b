/** Words that the device says about itself, packed as in wire/keys.ts. A test compares the version with package.json. */
export const WORD_TRITKIT: u64 = 0x0074696b74697274; // tritkit
export const WORD_VERSION: u64 = 0x000000302e312e30; // 0.1.0
/** Bytes of WORD_TRITKIT and WORD_VERSION. */
export const TRITKIT_BYTES: u32 = 7;
export const VERSION_BYTES: u32 = 5;

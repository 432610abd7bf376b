/**
 * What the engine build exports of an assistant: its table, how it reads words, the calls of an answer. engine.ts re-exports it. There is no board here: calls are
 * made as in a dry run, so that what follows them (`up`, `on` after `off`) is as it would be on one.
 */
import {
  CALL_CANNOT,
  CALL_DONE,
  CALL_DRY,
  CALL_NO_TOOL,
  DRIVE_ADC,
  DRIVE_TIMER,
  TOOL_DRIVE,
  TOOL_EVERY,
  VERB_GET,
  VERB_OFF,
} from "../spec/tools.ts";
import { assistant_on, assistant_open, is_assistant, token_base } from "./assistant/assistant.ts";
import {
  call_argument,
  call_has_argument,
  call_has_value,
  call_lasts,
  call_margin,
  call_rc,
  call_result,
  call_slot,
  call_target,
  call_tool,
  call_value,
  call_verb,
  calls_count,
} from "./assistant/calls.ts";
import { words_normalise } from "./assistant/normalise.ts";
import { table_is_sound, tool_at, tools_count } from "./assistant/table.ts";
import {
  tool_changed,
  tool_check,
  tool_goal,
  tool_is_meant_by_all,
  tool_measured,
  tool_raw,
  tool_value,
} from "./assistant/tools.ts";
import { assistant_turn } from "./assistant/turn.ts";
import {
  item_bytes,
  item_token,
  item_word,
  mentioned,
  slot_value,
  slots_of,
  word_value,
  words_begin,
  words_next,
} from "./assistant/words.ts";
import { config } from "./model/config.ts";
import { PART_BPE, part_of, run } from "./memory/run_state.ts";
import { ids, ids_begin } from "./tokenizer/ids.ts";
import { NO_ID } from "./tokenizer/table.ts";

export {
  assistant_on,
  assistant_open,
  call_argument,
  call_has_argument,
  call_has_value,
  call_lasts,
  call_margin,
  call_rc,
  call_slot,
  call_target,
  call_tool,
  call_value,
  call_verb,
  calls_count,
  is_assistant,
  item_bytes,
  item_token,
  item_word,
  mentioned,
  slot_value,
  slots_of,
  table_is_sound,
  token_base,
  tool_at,
  tool_check,
  tool_goal,
  tool_measured,
  tool_raw,
  tool_value,
  tools_count,
  word_value,
  words_begin,
  words_next,
  words_normalise,
};

/**
 * Ids of a turn of the open assistant, as gen_begin() makes them; the answer that may be under way is not touched, but what it may say is: use it between answers.
 * @param keep with the calls of the answer before
 * @param text `len` bytes, normalised in place
 * @param out receives u32[], at most `room` ids
 * @returns their number, or -1 when they do not fit, a word exceeds the scratch, or the model is no assistant with a table
 */
export function turn_ids(keep: bool, text: usize, len: u32, out: usize, room: u32): i32 {
  if (!assistant_on()) return -1;
  const n = words_normalise(text, len);
  ids_begin(0, 0);
  if (!add_turn(keep, text, n) || ids.n > room) return -1;
  ids_begin(out, 0);
  add_turn(keep, text, n);
  return <i32>ids.n;
}

function add_turn(keep: bool, text: usize, len: u32): bool {
  const scratch = part_of(run, PART_BPE);
  const bos = config.add_bos != 0 ? <u32>config.bos : NO_ID;
  return assistant_turn(bos, keep, text, len, scratch.address, scratch.bytes);
}

/** Makes the calls of the answer that are complete and were not made yet, without a board: CALL_DRY, or why not. */
export function calls_rehearse(): void {
  for (let i: u32 = 0; i < calls_count(); i++) {
    if (call_rc(i) != CALL_DONE || call_has_value(i)) continue;
    const tool = call_tool(i);
    let worst: i32 = -1;
    if (tool != TOOL_EVERY) worst = rehearse(tool, i);
    else {
      for (let k: u32 = 0; k < tools_count(); k++) {
        if (tool_is_meant_by_all(k, call_verb(i))) worst = max<i32>(worst, rehearse(k, i));
      }
    }
    call_result(i, worst < 0 ? CALL_NO_TOOL : worst, tool < tools_count() ? tool_value(tool) : 0);
  }
}

function rehearse(tool: u32, i: u32): u32 {
  const verb = call_verb(i);
  const rc = tool_check(tool, verb, call_has_argument(i), call_argument(i), call_lasts(i));
  if (rc != CALL_DONE) return rc;
  const drive = <u32>load<u8>(tool_at(tool), TOOL_DRIVE);
  if (drive == DRIVE_ADC && verb != VERB_GET) return CALL_CANNOT;
  tool_changed(tool, drive == DRIVE_TIMER && verb == VERB_OFF ? 0 : tool_goal());
  return CALL_DRY;
}

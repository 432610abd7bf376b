/** What the wire says about the coprocessor (spec/WIRE.md, `copro`): in hello, and with the last tokens of an answer during which it failed. */
import { COPRO_ABSENT } from "../../spec/wire.ts";
import { copro_answer_errors, copro_error_code, copro_error_info, copro_errors, copro_state } from "../copro/unit.ts";
import { put_key, put_map, put_uint, put_word } from "../wire/cbor_write.ts";
import { K_COPRO, K_ERR, K_INFO, K_N, K_ST } from "../wire/keys.ts";

/** hello: what became of the unit, and its errors since reset. */
export function put_copro(): void {
  if (copro_state() == COPRO_ABSENT) return;
  put_key(K_COPRO);
  put_map(copro_errors() == 0 ? 2 : 4);
  put_word(K_ST);
  put_uint(copro_state());
  put_word(K_N);
  put_uint(copro_errors());
  if (copro_errors() != 0) put_error();
}

/** The last `next` of an answer: its errors, if there were any. */
export function put_answer_copro(): void {
  if (copro_answer_errors() == 0) return;
  put_key(K_COPRO);
  put_map(4);
  put_word(K_ST);
  put_uint(copro_state());
  put_word(K_N);
  put_uint(copro_answer_errors());
  put_error();
}

function put_error(): void {
  put_word(K_ERR);
  put_uint(copro_error_code());
  put_word(K_INFO);
  put_uint(copro_error_info());
}

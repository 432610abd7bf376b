/** Opens a model: reads and checks the image, lays out the arena, finds the tensors. */
import { IMAGE_NO_MEMORY, IMAGE_OK } from "../../spec/image.ts";
import { layout_model } from "../memory/layout.ts";
import { PART_TENSORS, part, run } from "../memory/run_state.ts";
import { read_image } from "./image.ts";
import { bind_tensors } from "./tensors.ts";

/**
 * The arena must have been given by layout_arena(run, ...). When it fails no model is open: run.context is 0; the model that was open before
 * has to be opened again. Digests are not checked here.
 * @param image address of the image, which stays where it is: weights are read in place. NOT IMPLEMENTED: images that are not
 *   mapped into the address space (streamed weights)
 * @param bytes readable bytes from there on
 * @param board 32 bytes, the board's name padded with zeros; 0: any
 * @param context positions, see layout_model
 * @param engine ENGINE_REF or ENGINE_LUT; for ENGINE_SIMD the tensors must be repacked afterwards
 * @returns IMAGE_OK or an IMAGE_* error; after IMAGE_NO_MEMORY run.needed tells what the smallest context would take
 */
export function open_model(image: usize, bytes: u32, board: usize, context: i32, engine: i32): i32 {
  run.context = 0;
  let error = read_image(image, bytes, board);
  if (error != IMAGE_OK) return error;
  run.engine = engine;
  if (!layout_model(run, context)) return IMAGE_NO_MEMORY;
  error = bind_tensors(part(PART_TENSORS));
  if (error != IMAGE_OK) run.context = 0;
  return error;
}

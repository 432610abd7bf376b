// How good a model is: loss over a text in non-overlapping windows, as `tritkit eval` states it.
import { TritkitError, throwIfAborted } from "../errors.ts";

/** Of one position or several, (positions, vocab_size), in the engine's unit. */
export type Logits = Int32Array | Float64Array;

/** What predicts: the integer engine, or the float one. */
export interface Predictor {
  readonly config: { readonly bos: number; readonly addBos: boolean; readonly vocabSize: number };
  /** Positions. */
  readonly context: number;
  /** Value of a unit of a logit. */
  readonly logitUnit: number;
  tokenBytes(id: number): Uint8Array;
  /** Logits behind a position, which follows the ones computed before; 0 begins anew. The next call may overwrite them. */
  forward(token: number, position: number): Logits | Promise<Logits>;
  /** Positions that are best computed together, by forwardAll. */
  readonly batch?: number;
  forwardAll?(tokens: readonly number[], position: number, signal?: AbortSignal): Promise<Logits>;
}

export interface EvalOptions {
  /** Tokens of a window, BOS included; default the context. */
  window?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
  /** Most tokens that are predicted; the rest of the text is left off. Default: all. */
  limit?: number;
  /** Negative log-likelihood and top-1 id of each predicted token, and the logits it was predicted from, in the engine's unit. */
  onToken?: (token: { id: number; nll: number; top1: number; logits: Logits }) => void;
}

export interface EvalResult {
  /** Predicted tokens. */
  tokens: number;
  windows: number;
  /** Mean, natural logarithm. */
  lossNats: number;
  perplexity: number;
  bitsPerByte: number;
  /** Bytes of text that the predicted tokens stand for. */
  bytes: number;
}

/** log(sum(exp)) of logits and the largest one, in float64: the measurement is ours, not the device's. */
function logSumExp(logits: Logits, unit: number): { value: number; top1: number } {
  let top1 = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[top1]) top1 = i;
  const largest = logits[top1];
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp((logits[i] - largest) * unit);
  return { value: largest * unit + Math.log(sum), top1 };
}

/**
 * Each window is BOS and then the next window - 1 ids of the text: every id is predicted once. Without BOS it is the next `window` ids, the
 * first of which is given and not predicted.
 * @param ids token ids of the whole text
 * @throws TritkitError E_TEXT_EMPTY, E_TOKEN_ID, E_INTERRUPTED
 */
export async function evaluate(
  engine: Predictor,
  ids: readonly number[],
  options: EvalOptions = {},
): Promise<EvalResult> {
  const { bos, addBos, vocabSize } = engine.config;
  const { logitUnit, batch = 1 } = engine;
  const window = Math.min(options.window ?? engine.context, engine.context);
  const withBos = addBos && bos >= 0;
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (wrong !== undefined) {
    throw new TritkitError("E_TOKEN_ID", `${wrong} is no token id.`, `Ids lie between 0 and ${vocabSize - 1}.`);
  }
  if (ids.length < (withBos ? 1 : 2))
    throw new TritkitError("E_TEXT_EMPTY", "There is nothing to predict.", "Give a longer text.");
  let [tokens, windows, loss, bytes] = [0, 0, 0, 0];
  let turned = performance.now();
  const end = Math.min(ids.length, (options.limit ?? ids.length) + (withBos ? 0 : 1));
  for (let at = 0; at < end; windows++) {
    const given = withBos ? bos : ids[at++];
    const predicted = ids.slice(at, Math.min(end, at + window - 1));
    const known = [given, ...predicted];
    for (let position = 0; position < predicted.length; ) {
      const count = Math.min(batch, predicted.length - position);
      const some = known.slice(position, position + count);
      const computed =
        engine.forwardAll !== undefined && count > 1
          ? engine.forwardAll(some, position, options.signal)
          : engine.forward(some[0], position);
      // No wait where there is nothing to wait for.
      const all = computed instanceof Promise ? await computed : computed;
      for (let i = 0; i < some.length; i++, position++) {
        const id = predicted[position];
        const logits = all.subarray(i * vocabSize, (i + 1) * vocabSize);
        const { value, top1 } = logSumExp(logits, logitUnit);
        const nll = value - logits[id] * logitUnit;
        options.onToken?.({ id, nll, top1, logits });
        loss += nll;
        bytes += engine.tokenBytes(id).length;
        tokens++;
      }
      if (performance.now() - turned > 50) {
        options.onProgress?.(at + position, end);
        await new Promise(setImmediate);
        throwIfAborted(options.signal);
        turned = performance.now();
      }
    }
    at += predicted.length;
    if (predicted.length === 0) break;
  }
  const lossNats = loss / tokens;
  return {
    tokens,
    windows,
    lossNats,
    perplexity: Math.exp(lossNats),
    bitsPerByte: loss / Math.LN2 / bytes,
    bytes,
  };
}

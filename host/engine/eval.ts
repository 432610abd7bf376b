// How good a model is: loss over a text in non-overlapping windows, as `tritkit eval` states it.
import { TritkitError, throwIfAborted } from "../errors.ts";
import { type Engine, LOGIT_UNIT } from "./engine.ts";

export interface EvalOptions {
  /** Tokens of a window, BOS included; default the context. */
  window?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
  /** Negative log-likelihood and top-1 id of each predicted token, and the logits (1/65536) it was predicted from. */
  onToken?: (token: { id: number; nll: number; top1: number; logits: Int32Array }) => void;
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
function logSumExp(logits: Int32Array): { value: number; top1: number } {
  let top1 = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[top1]) top1 = i;
  const largest = logits[top1];
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp((logits[i] - largest) * LOGIT_UNIT);
  return { value: largest * LOGIT_UNIT + Math.log(sum), top1 };
}

/**
 * Each window is BOS and then the next window - 1 ids of the text: every id is predicted once. Without BOS it is the next `window` ids, the
 * first of which is given and not predicted.
 * @param ids token ids of the whole text
 * @throws TritkitError E_TEXT_EMPTY, E_TOKEN_ID, E_INTERRUPTED
 */
export async function evaluate(engine: Engine, ids: readonly number[], options: EvalOptions = {}): Promise<EvalResult> {
  const { bos, addBos, vocabSize } = engine.image.config;
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
  for (let at = 0; at < ids.length; windows++) {
    const given = withBos ? bos : ids[at++];
    const predicted = ids.slice(at, at + window - 1);
    let token = given;
    for (let position = 0; position < predicted.length; position++) {
      const id = predicted[position];
      const logits = engine.forward(token, position);
      const { value, top1 } = logSumExp(logits);
      const nll = value - logits[id] * LOGIT_UNIT;
      options.onToken?.({ id, nll, top1, logits });
      loss += nll;
      bytes += engine.tokenBytes(id).length;
      tokens++;
      token = id;
      if (performance.now() - turned > 50) {
        options.onProgress?.(at + position, ids.length);
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

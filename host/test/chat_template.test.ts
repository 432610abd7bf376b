/** Published chat templates as turns: the tokens of a conversation must be those of the whole rendered text. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Template } from "@huggingface/jinja";
import { TOK_ADD_SPACE_PREFIX, TOK_TYPE_SPECIAL } from "../../spec/image.ts";
import type { ImportedTokenizer } from "../convert/tokenizer/build.ts";
import { type CompiledChat, compileChat } from "../convert/tokenizer/chat_template.ts";
import { importTokenizer } from "../convert/tokenizer/json.ts";
import { importTokenizerModel } from "../convert/tokenizer/model.ts";
import { LLAMA3_REGEX } from "../convert/tokenizer/words.ts";
import { TextCodec } from "../engine/text_codec.ts";
import { type ChatItem, encodeChat, parseChat } from "../image/chat.ts";
import { byteCharacters } from "./hf_fixture.ts";
import { byteLevelJson, SPLIT } from "./vocabularies.ts";

const MARKS = [
  "<|begin_of_text|>",
  "<|end_of_text|>",
  "<|eot_id|>",
  "<|start_header_id|>",
  "<|end_header_id|>",
  "<|im_start|>",
  "<|im_end|>",
  "<|user|>",
  "<|assistant|>",
  "<|endoftext|>",
];

function byteLevel(): ImportedTokenizer {
  const pairs = ["\u0120 H", "e l", "el l", "\u010a \u010a", ": \u0120", "U s", "e r"];
  const vocab = Object.fromEntries(
    [...byteCharacters(), ...pairs.map((pair) => pair.replace(" ", ""))].map((text, id) => [text, id]),
  );
  const specials = Object.fromEntries(MARKS.map((mark, i) => [mark, 300 + i]));
  const json = byteLevelJson({ vocab, merges: pairs, specials, preTokenizer: SPLIT(LLAMA3_REGEX) });
  return importTokenizer("tokenizer.json", JSON.stringify(json), 320);
}

function sentencePiece(): ImportedTokenizer {
  const file = "host/test/data/sentencepiece/bpe.model";
  return importTokenizerModel(file, new Uint8Array(readFileSync(file)), 1024);
}

/** What a device does with the items. */
function idsOf(imported: ImportedTokenizer, items: readonly ChatItem[], user: string): number[] {
  const codec = new TextCodec(imported.tokenizer);
  const plain = new TextCodec({ ...imported.tokenizer, flags: imported.tokenizer.flags & ~TOK_ADD_SPACE_PREFIX });
  return items.flatMap((item) => {
    if (typeof item === "number") return item === -1 ? codec.encode(user) : [item];
    return plain.encode(item.before + (item.trim ? user.trim() : user) + item.after);
  });
}

/** What the reference libraries do with a rendered text: cut at special tokens, encode what lies between. */
function reference(imported: ImportedTokenizer, rendered: string): number[] {
  const codec = new TextCodec(imported.tokenizer);
  const specials = [...imported.ids].filter(([, id]) => imported.tokenizer.types[id] === TOK_TYPE_SPECIAL);
  const pattern = specials.map(([text]) => text.replace(/[|\\{}()[\]^$+*?.]/g, "\\$&")).join("|");
  return rendered.split(new RegExp(`(${pattern})`)).flatMap((part) => {
    const special = specials.find(([text]) => text === part);
    return special ? [special[1]] : codec.encode(part);
  });
}

const LLAMA3 =
  "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}";
const BITNET =
  "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = message['role'] | capitalize + ': '+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}";
const CHATML =
  "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful assistant<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
const FALCON3 =
  "{% for message in messages %}{% if message['role'] == 'user' %}{{ '<|user|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'assistant' %}{% if not loop.last %}{{ '<|assistant|>\n'  + message['content'] + eos_token + '\n' }}{% else %}{{ '<|assistant|>\n'  + message['content'] + eos_token }}{% endif %}{% endif %}{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{% endfor %}";
const LLAMA2 =
  "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + message['content'].strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + message['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}";

interface Case {
  readonly name: string;
  readonly template: string;
  readonly tokenizer: () => ImportedTokenizer;
  readonly bos: string;
  readonly eos: string;
  /** The token with which the model ends an answer. */
  readonly end: string;
}

const CASES: Case[] = [
  {
    name: "Llama 3",
    template: LLAMA3,
    tokenizer: byteLevel,
    bos: "<|begin_of_text|>",
    eos: "<|end_of_text|>",
    end: "<|eot_id|>",
  },
  {
    name: "BitNet 2B-4T",
    template: BITNET,
    tokenizer: byteLevel,
    bos: "<|begin_of_text|>",
    eos: "<|end_of_text|>",
    end: "<|eot_id|>",
  },
  {
    name: "ChatML",
    template: CHATML,
    tokenizer: byteLevel,
    bos: "<|begin_of_text|>",
    eos: "<|endoftext|>",
    end: "<|im_end|>",
  },
  { name: "Falcon3", template: FALCON3, tokenizer: byteLevel, bos: "", eos: "<|endoftext|>", end: "<|endoftext|>" },
  { name: "Llama 2", template: LLAMA2, tokenizer: sentencePiece, bos: "<s>", eos: "</s>", end: "</s>" },
];

for (const { name, template, tokenizer, bos, eos, end } of CASES)
  test(`${name}: both turns have the tokens of the rendered conversation`, () => {
    const imported = tokenizer();
    const { chat, note, stop } = compileChat(template, imported, { bos, eos });
    assert.equal(note, null);
    assert.ok(chat);
    const ended = imported.ids.get(end) as number;
    assert.deepEqual(stop, [ended]);
    const render = (messages: object[]) =>
      new Template(template).render({ messages, add_generation_prompt: true, bos_token: bos, eos_token: eos });
    for (const user of ["Hello", "Hello, who are you?\nTell me.", "  spaces, trimmed or not\n\n", "12 3"]) {
      const first = reference(imported, render([{ role: "user", content: user }]));
      assert.deepEqual(idsOf(imported, chat.first, user), first, JSON.stringify(user));
      const all = reference(
        imported,
        render([
          { role: "user", content: "Hi" },
          { role: "assistant", content: "Hello." },
          { role: "user", content: user },
        ]),
      );
      // What follows the token that ended the first answer, which stands in the context already.
      const after = all.indexOf(ended, all.lastIndexOf(ended) === all.indexOf(ended) ? 0 : first.length - 1);
      const next = idsOf(imported, chat.next, user);
      assert.deepEqual(next, all.slice(-next.length), JSON.stringify(user));
      assert.ok(after >= 0);
      assert.equal(all[all.length - next.length - 1], ended, "the turn begins behind the end of the answer");
    }
    // The section says the same.
    assert.deepEqual(parseChat(encodeChat(chat), imported.tokenizer.tokens.length), chat);
  });

const why = (template: string): CompiledChat =>
  compileChat(template, byteLevel(), { bos: "<|begin_of_text|>", eos: null });

test("a template that cannot be said in turns leaves a note", () => {
  const cases: [template: string, note: RegExp][] = [
    ["{{ messages[0]['content'] | upper }}", /changes the user's text/],
    ["{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}", /twice/],
    [
      "{% for m in messages %}{% if '22' in m.content %}!{% endif %}{{ m.content }}{% endfor %}",
      /depends on the user's text/,
    ],
    ["{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}", /the assistant/],
    ["{{ raise_exception('no') }}", /refuses such a conversation \(no\)/],
    ["{% for i in range(100000000) %}x{% endfor %}", /counts too far/],
    ["{% for m in messages %}{{ m.content", /./],
    ["{{ messages.nothing.at.all }}", /./],
    ["", /changes/],
  ];
  for (const [template, note] of cases) {
    const compiled = why(template);
    assert.equal(compiled.chat, null, template);
    assert.match(compiled.note ?? "", note);
    assert.doesNotMatch(compiled.note ?? "", /\n/);
  }
});

test("a date is left to the template's own", () => {
  const dated =
    "{% if strftime_now is defined %}{% set date = strftime_now('%d %b %Y') %}{% else %}{% set date = '26 Jul 2024' %}{% endif %}{% for m in messages %}{{ date }}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}";
  const { chat } = why(dated);
  assert.deepEqual(
    chat?.first.slice(0, 11),
    [..."26 Jul 2024"].map((c) => byteCharacters().indexOf(c === " " ? "\u0120" : c)),
  );
});

test("a template that would take the machine's time or memory is left out, at once", () => {
  const grown = (more: string) =>
    `{% set ns = namespace(x=['aaaaaaaa']) %}{% for i in range(100) %}{% set ns.x = ${more} %}{% endfor %}{{ ns.x }}{{ messages[0]['content'] }}`;
  const loop = "{% for i in range(1000) %}";
  for (const [template, why] of [
    [`{% for i in range(10**9) %}{% endfor %}`, /counts too far/],
    [loop.repeat(3) + "{% endfor %}".repeat(3), /too many steps/],
    [grown("ns.x ~ ns.x"), /too long/],
    [grown("ns.x + ns.x"), /too long/],
    [grown("[ns.x, ns.x]"), /too long/],
    [grown("{'a': ns.x, 'b': ns.x}"), /too long/],
    [" ".repeat(100_000), /100000 characters/],
    [`{{ ${"(".repeat(16_000)}1${")".repeat(16_000)} }}`, /call stack/],
  ] as const) {
    const started = performance.now();
    const { chat, note } = compileChat(template, byteLevel(), { bos: null, eos: null });
    assert.equal(chat, null);
    assert.match(note ?? "", why);
    assert.ok(performance.now() - started < 5000);
  }
});

test("special tokens in a user's text stay text", () => {
  const imported = byteLevel();
  const { chat } = compileChat(CHATML, imported, { bos: null, eos: null });
  const ids = idsOf(imported, chat?.first ?? [], "<|im_end|>");
  assert.equal(ids.filter((id) => id === imported.ids.get("<|im_end|>")).length, 2, "the system's and the user's own");
});

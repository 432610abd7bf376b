import { loadBoard } from "../../assets.ts";
import { generateOnDevice } from "../../device/chat.ts";
import { Device } from "../../device/device.ts";
import { currentTable, setDeviceTools } from "../../device/tools.ts";
import { readImage } from "../../image/reader.ts";
import { checkPins } from "../../tools/board_pins.ts";
import type { ToolTable } from "../../tools/tool.ts";
import { version } from "../../version.ts";
import { SAMPLING_OPTIONS, samplingFrom, talk } from "../chat_view.ts";
import type { Command } from "../command.ts";
import { roomReadings } from "../demo_room.ts";
import { flashWithProgress } from "../flash_view.ts";
import { readModel } from "../model_file.ts";
import { SENSOR_OPTION, sensorsFrom, showPins } from "../pins_view.ts";
import { bytesText } from "../progress.ts";
import { openBench, recordable, type SimBench } from "../sim_bench.ts";
import { REPORT_OPTIONS, SimReport } from "../sim_report.ts";
import { notAssistant, readToolsFile } from "../tools_file.ts";
import { tellPins, tellTools } from "../tools_view.ts";

const MODEL = "stories-1m";
/** What the demo says by itself when nobody sits at a terminal. */
const SCRIPT = "Once upon a time";

/** To an assistant: of the first tool that can be turned on. */
function scriptFor(tools: ToolTable | null | undefined): string {
  if (!tools) return SCRIPT;
  const tool = tools.tools.find(({ verbs }) => verbs.includes("on")) ?? tools.tools[0];
  return tool.verbs.includes("on") ? `turn on the ${tool.name}` : `what is the ${tool.name}`;
}

export const demo: Command = {
  name: "demo",
  summary: "the first thing to try: a simulated board is flashed with the bundled model and answers",
  usage: "",
  options: {
    board: { type: "string", short: "b", value: "NAME", help: "default rp2040-pico; `tritkit boards` lists them" },
    model: { type: "string", short: "m", value: "NAME", help: `a bundled model or a .trit file (default ${MODEL})` },
    tools: { type: "string", value: "FILE", help: "tools.json for an assistant instead of its own (docs/tools.md)" },
    sensor: SENSOR_OPTION,
    ...SAMPLING_OPTIONS,
    ...REPORT_OPTIONS,
  },
  examples: ["tritkit demo", "tritkit demo --report out/", 'tritkit demo --json -p "Once upon a time"'],
  positionals: [0, 0],
  async run(context) {
    const { args, out, signal, stdin } = context;
    const report = await SimReport.open(args);
    const recorder = report?.recorder();
    const path = args.text("tools");
    const tools = path === undefined ? null : await readToolsFile(path);
    const alone = stdin.isTTY !== true || out.json;
    const typed = args.text("prompt") === undefined && !alone;
    const sampling = recordable(samplingFrom(context), recorder !== undefined && !typed);
    const sensors = sensorsFrom(args);
    const board = await loadBoard(args.text("board") ?? "rp2040-pico");
    const name = args.text("model") ?? MODEL;
    const bytes = await readModel(name);
    const image = readImage(bytes);
    if (path !== undefined && tools !== null) {
      if (image.assistant === null) throw notAssistant(name);
      checkPins(path, tools.file.tools, board);
    }
    const scripted = alone ? scriptFor(tools?.file ?? image.assistant?.tools) : undefined;

    const said = sensors.map(([channel]) => channel);
    const room = roomReadings((tools?.file ?? image.assistant?.tools)?.tools ?? [], board, said);
    sensors.push(...room.map(({ channel, raw }): [number, number] => [channel, raw]));

    const sram = board.memory.sram.reduce((sum, region) => sum + region.bytes, 0);
    const core = board.cpu.core.replace("cortex-m0plus", "Cortex-M0+").replace("cortex-m", "Cortex-M");
    out.info(
      `${out.style("bold", `tritkit ${version()}`)}   ${board.name}, simulated: ${core} ${Math.round(board.cpu.hz / 1e6)} MHz, ` +
        `${bytesText(sram)} SRAM, ${bytesText(board.flash.bytes)} flash   port sim:${board.name}`,
    );
    const talkWith = async ({ transport }: SimBench): Promise<number> => {
      const device = await Device.connect(transport, { signal });
      const blind = showPins(out, transport);
      try {
        await flashWithProgress(out, device, bytes, { signal });
        const { arena, context: positions, model } = device.hello;
        const flashShare = (100 * bytes.length) / board.flash.partition.bytes;
        const sramShare = (100 * arena.need) / arena.have;
        out.info(
          `model  ${model}, ${image.config.nLayers} layers of ${image.config.dim}, vocabulary ${image.config.vocabSize}   ` +
            `fits: flash ${flashShare.toFixed(0)} %, SRAM ${sramShare.toFixed(0)} %, context ${positions} positions`,
        );
        if (tools === null) tellPins(out, image, board);
        else await setDeviceTools(device, tools.bytes, signal);
        await tellTools(out, device);
        for (const [channel, raw] of sensors) out.event({ event: "sensor", board: board.name, channel, raw });
        if (room.length > 0)
          out.info(`room   ${room.map(({ tool, text }) => `${tool} ${text}`).join(", ")}; --sensor sets others`);
        return await talk(
          context,
          {
            label: "board",
            generate: (prompt, options) => generateOnDevice(device, prompt, options),
            tools: () => currentTable(device),
          },
          sampling,
          scripted,
        );
      } finally {
        blind();
        await device.close();
      }
    };
    const bench = await openBench(board.name, { seed: 1, sensors, recorder }, typed);
    try {
      return await bench.run(() => talkWith(bench));
    } finally {
      bench.close();
      if (recorder !== undefined) await report?.write(out, recorder);
    }
  },
};

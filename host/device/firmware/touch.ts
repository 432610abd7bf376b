/**
 * The 1200-baud touch: a serial port of a USB device that is opened at 1200 baud and closed again asks firmware which knows
 * the custom to restart into its boot ROM. The Pico SDK's USB serial does (PICO_STDIO_USB_ENABLE_RESET_VIA_BAUD_RATE), Arduino
 * cores do when DTR falls at that speed. tritkit's own firmware listens on a UART, behind a USB bridge or a probe that keeps the
 * speed to itself: there a touch does nothing.
 */
import { openSerial } from "../../transports/serial.ts";

const TOUCH_BAUD = 1200;

/** @throws TritkitError E_PORT_*, E_NO_SERIALPORT */
export async function touch1200(path: string): Promise<void> {
  const transport = await openSerial(path, TOUCH_BAUD);
  try {
    // A board that restarts at once may be gone by now.
    await transport.setSignals?.({ dtr: false }).catch(() => {});
  } finally {
    await transport.close();
  }
}

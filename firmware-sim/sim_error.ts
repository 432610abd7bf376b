/**
 * What a simulated board can fail with. A program branches on `code`:
 *
 *   E_SIM_OFF        the board has no power
 *   E_SIM_LINK       the module lacks an export or wants an import that HAL.md does not name
 *   E_SIM_MEMORY     the module's memory does not fit the board, or the machine refuses so much address space
 *   E_SIM_BOOT       boot() answered a negative number
 *   E_SIM_TRAP       the module trapped (`cause`); on a chip this is a hard fault
 *   E_SIM_BUS        the module passed the HAL a pointer to where the board has no memory
 *   E_SIM_FLASH      flash content of the wrong size, or a file that cannot hold it
 *   E_SIM_COST       a cost table that is none, or a module that cannot be metered
 *   E_SIM_SNAPSHOT   a snapshot of another board or module
 *   E_SIM_ENERGY     an energy profile that nobody knows, or that cannot be read
 *   E_SIM_ROM        the chip's boot ROM is not modelled
 *   E_SIM_FAULT      a fault that does not exist, or that this board cannot have
 *   E_SIM_COMMAND    a command line for a running board that is none
 *   E_SIM_LINE_BUSY  somebody else holds the serial line
 *   E_SIM_PORT       a TCP or PTY port cannot be opened
 *   E_SIM_PORT_MISSING  this machine has no means to make such a port
 */
export class SimError extends Error {
  readonly code: string;

  /** @param message one sentence without the code */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SimError";
    this.code = code;
  }
}

/** Power failed in the middle of a flash operation. Thrown through the module's frames; the board is off afterwards. */
export class PowerCut extends Error {
  /** Number of the torn operation, counted from 1 since the flash was made. */
  readonly operation: number;

  constructor(operation: number) {
    super(`power was cut during flash operation ${operation}`);
    this.name = "PowerCut";
    this.operation = operation;
  }
}

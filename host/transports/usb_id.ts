/**
 * What the operating system says about a USB port. By it esptool-js tells a chip's own USB from a bridge to its UART. A file of its own,
 * because whoever uses tritkit's declarations must not need those of esptool-js, which ask for a browser's.
 */
export interface UsbId {
  readonly vid: number;
  readonly pid: number;
}

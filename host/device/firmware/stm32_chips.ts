// Product ids that ST's boot ROMs answer to Get ID: AN2606, table of device-dependent bootloader parameters.

const PRODUCT_IDS: readonly [part: string, id: number, name: string][] = [
  ["STM32F405", 0x413, "STM32F405/407/415/417"],
  ["STM32H743", 0x450, "STM32H743/753"],
];

/** @param part a board's `chip`. @returns null for a chip that is none of ST's, or not in the table */
export function productIdOf(part: string): number | null {
  return PRODUCT_IDS.find(([begin]) => part.startsWith(begin))?.[1] ?? null;
}

/** "0x413 (STM32F405/407/415/417)" */
export function productName(id: number): string {
  const name = PRODUCT_IDS.find(([, known]) => known === id)?.[2];
  return `0x${id.toString(16).padStart(3, "0")}${name === undefined ? "" : ` (${name})`}`;
}

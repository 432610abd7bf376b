/** The cells of a flash, sector by sector. Blank sectors need no bytes, and sectors are shared with snapshots until they change. */

export interface Sector {
  readonly offset: number;
  readonly bytes: number;
  /** null: blank, every byte 0xFF. */
  cells: Uint8Array | null;
  /** Write-once flash: 1 for each unit that was programmed since the erase. null: none was, or not write-once. */
  used: Uint8Array | null;
  /** True: `cells` and `used` belong to a snapshot too and are copied before they change. */
  shared: boolean;
  /** Erases so far. */
  wear: number;
  /** The module can see it. */
  mapped: boolean;
}

export type OwnSector = Sector & { cells: Uint8Array };

/** Blank sectors of these sizes, in address order. */
export function blankSectors(sizes: readonly number[]): Sector[] {
  let offset = 0;
  return sizes.map((bytes) => {
    const sector = { offset, bytes, cells: null, used: null, shared: false, wear: 0, mapped: false };
    offset += bytes;
    return sector;
  });
}

/** Index of the sector that holds byte `offset` of the partition. */
export function indexAt(sectors: readonly Sector[], offset: number): number {
  let low = 0;
  let high = sectors.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sectors[middle].offset <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The sectors that hold a byte of the range; none for an empty one. */
export function sectorsOf(sectors: readonly Sector[], offset: number, len: number): Sector[] {
  return len === 0 ? [] : sectors.slice(indexAt(sectors, offset), indexAt(sectors, offset + len - 1) + 1);
}

/** Gives the sector cells that may be written. @param unit of write-once flash, bytes; 0: any unit may be programmed again */
export function own(sector: Sector, unit: number): OwnSector {
  if (sector.cells === null) sector.cells = new Uint8Array(sector.bytes).fill(0xff);
  else if (sector.shared) sector.cells = sector.cells.slice();
  if (unit > 0) {
    if (sector.used === null) sector.used = new Uint8Array(sector.bytes / unit);
    else if (sector.shared) sector.used = sector.used.slice();
  }
  sector.shared = false;
  return sector as OwnSector;
}

export function erase(sector: Sector): void {
  sector.cells = null;
  sector.used = null;
  sector.shared = false;
}

export function isBlank(cells: Uint8Array): boolean {
  for (let i = 0; i < cells.length; i++) if (cells[i] !== 0xff) return false;
  return true;
}

/** 1 for each unit that is not blank. */
export function usedUnits(cells: Uint8Array, unit: number): Uint8Array {
  const used = new Uint8Array(cells.length / unit);
  return used.map((_, i) => (isBlank(cells.subarray(i * unit, (i + 1) * unit)) ? 0 : 1));
}

/** A share for people: in percent, to two decimals. */
export const percentage = (part: number, whole: number): number => Math.round((part / whole) * 10_000) / 100

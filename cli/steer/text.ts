/** Words that orders have in common. */

/** `partition 3`, `partitions 3, 7`. */
export const listed = (noun: string, numbers: readonly number[]): string =>
  `${noun}${numbers.length === 1 ? '' : 's'} ${numbers.join(', ')}`

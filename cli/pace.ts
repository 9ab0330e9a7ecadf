/** How many records are due: pure, so that a rate can be tested without a clock. The first one is due at once. */
export interface Pace {
  /** Records a second; 0 is without limit. */
  readonly rate: number
  /** Records in all; Infinity where there is no end. */
  readonly count: number
  /** Most records of one batch. */
  readonly most: number
}

export const dueNow = (pace: Pace, sent: number, elapsed: number): number => {
  const left = Math.min(pace.most, pace.count - sent)
  if (pace.rate === 0) return left
  const due = Math.floor((elapsed / 1000) * pace.rate) + 1 - sent
  return Math.max(0, Math.min(left, due))
}

/** Batches this far apart cost little and still look steady. */
const SMALLEST_WAIT = 5

/** ms until the next record is due. */
export const waitFor = (pace: Pace, sent: number, elapsed: number): number =>
  Math.max(SMALLEST_WAIT, (sent / pace.rate) * 1000 - elapsed)

/**
 * The restart budget: at most `restarts` within `windowMs`; the next one within it is denied, and whoever asked
 * gives up upward. Pure: the times of the granted restarts go in and come out.
 */
export interface Budget {
  readonly restarts: number
  readonly windowMs: number
}

export type Granted =
  | { readonly granted: true; readonly spent: readonly number[] }
  | { readonly granted: false; readonly spent: readonly number[] }

export const spend = (budget: Budget, spent: readonly number[], now: number): Granted => {
  const recent = spent.filter((at) => now - at < budget.windowMs)
  return recent.length < budget.restarts
    ? { granted: true, spent: [...recent, now] }
    : { granted: false, spent: recent }
}

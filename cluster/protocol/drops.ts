/** The drops topic (partition = slot): dropped offsets as ranges with their code, one record a range. */
export interface DropRange {
  readonly partition: number
  /** First and last dropped offset, both inclusive. */
  readonly from: number
  readonly to: number
  readonly code: string
}

/** Labels that come from pipelines: beyond so many they count together, so that no pipeline can flood whoever collects. */
const OTHER = '(other)'

/** Of codes and classes. */
export const MOST_CODES = 100

/** The first so many values as they are, every later one as `(other)`. */
export const boundedLabel = (most: number): ((value: string) => string) => {
  const known = new Set<string>()
  return (value) => {
    if (known.has(value)) return value
    if (known.size >= most) return OTHER
    known.add(value)
    return value
  }
}

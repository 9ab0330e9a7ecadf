/** The known name at the smallest edit distance; an empty text where none is known. */
export const nearest = (name: string, names: readonly string[]): string =>
  names.reduce(
    (best, candidate) => (distance(name, candidate) < distance(name, best) ? candidate : best),
    names[0] ?? '',
  )

/** Levenshtein's: single letters put in, taken out or exchanged. */
export const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution))
    }
    row = next
  }
  return row[b.length] ?? 0
}

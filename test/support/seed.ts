import { seededRandom } from '../../cli/random.ts'

/** Numbers from a seed that is printed: set TEST_SEED in the environment of the tests to have a run again. */
export const seeded = (name: string): { readonly seed: number; readonly random: () => number } => {
  const given = process.env.TEST_SEED
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
  const random = seededRandom(seed)
  console.info(`${name}: TEST_SEED=${seed}`)
  return { seed, random: () => random.unit() }
}

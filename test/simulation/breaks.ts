/**
 * The laws, each broken in one place: with `--break <name>` the file is read with that change, and the simulation has to
 * find it. What is changed must be there, so that a guard that moves is noticed.
 */
import { registerHooks } from 'node:module'

interface Edit {
  readonly file: string
  readonly from: string
  readonly to: string
}

export interface Break {
  readonly law: string
  /** A seed that finds it, as far as we know: the search begins there. */
  readonly seed: number
  readonly edits: readonly [Edit, ...Edit[]]
}

const fake = 'test/ports/fake/coordinator.ts'

export const breaks: Readonly<Record<string, Break>> = {
  'fencing-off': {
    law: 'the transactional id lets only its newest producer write',
    seed: 48,
    edits: [
      {
        file: fake,
        from: 'return found.producer.epoch === producer.epoch ? found : CODE.producerFenced',
        to: 'return found',
      },
      {
        file: fake,
        from: 'if (found.producer.epoch !== producer.epoch) return CODE.invalidProducerEpoch',
        to: '',
      },
      {
        file: 'test/ports/fake/log.ts',
        from: 'if (producerEpoch < known.epoch) return { code: CODE.invalidProducerEpoch, base: -1 }',
        to: 'if (producerEpoch < known.epoch) return undefined',
      },
    ],
  },
  'stale-plan': {
    law: 'a worker never goes back to an older plan',
    seed: 2,
    edits: [
      {
        file: 'workers/plan-follower.ts',
        from: 'plan.pipeline !== pipeline || plan.epoch <= seenEpoch',
        to: 'plan.pipeline !== pipeline',
      },
      {
        file: 'workers/plan-follower.ts',
        from: 'plan === undefined || plan.epoch <= appliedEpoch',
        to: 'plan === undefined',
      },
    ],
  },
  'release-skipped': {
    law: 'a slot is let go before another may own it',
    seed: 2,
    edits: [
      {
        file: 'workers/worker.ts',
        from: 'await Promise.all(lost.map(([, hosted]) => this.#release(hosted)))',
        to: '',
      },
    ],
  },
  'owned-before-let-go': {
    law: 'a slot is nobody’s until its old owner has let go of it',
    seed: 18,
    edits: [
      {
        file: 'coordinator/ownership.ts',
        from: 'return { owner: null, releasing: { worker: owner, since: epoch } }',
        to: 'return { owner: wanted, releasing: undefined }',
      },
    ],
  },
  'dead-at-once': {
    law: 'nobody is called dead before a full lease was watched',
    seed: 8,
    edits: [
      {
        file: 'coordinator/membership.ts',
        from: 'now - watch.since >= leaseMs',
        to: 'now >= watch.since && leaseMs > 0',
      },
    ],
  },
  'fenced-for-ever': {
    law: 'a fenced shard owns again by a newer plan',
    seed: 154,
    edits: [
      {
        file: 'coordinator/ownership.ts',
        from: "owned.state === 'fenced'",
        to: "owned.state === 'fenced' && owned.slot < 0",
      },
    ],
  },
  'position-from-memory': {
    law: 'after an unclear outcome the state says what was committed',
    seed: 1,
    edits: [
      {
        file: 'workers/takeover.ts',
        from: 'from, to: claimOffset + 1 }, (cursor) => {',
        to: 'from, to: claimOffset + 1 }, (cursor) => {\n    if (cursor.offset > claimOffset - 8 && cursor.offset < claimOffset) return',
      },
    ],
  },
  'partition-unseen': {
    law: 'a new partition of the input is found and owned',
    seed: 2,
    edits: [{ file: 'workers/worker.ts', from: 'this.#shards.get(slot)?.shard.extend(gained)', to: '{}' }],
  },
  'all-disturbed': {
    law: 'a new partition disturbs its own slot alone',
    seed: 2,
    edits: [
      {
        file: 'workers/worker.ts',
        from: 'this.#shards.get(slot)?.shard.extend(gained)',
        to: 'for (const { shard } of this.#shards.values()) shard.extend(gained)',
      },
    ],
  },
  'wiped-unheard': {
    law: 'a flushed Redis is filled again',
    seed: 3,
    edits: [
      {
        file: 'workers/publisher.ts',
        from: "if (reply.result === 'wiped') this.#full = true",
        to: "if (reply.result === 'wiped') return true",
      },
    ],
  },
  'result-counts-twice': {
    law: 'the first result of a parked record settles it, every other is ignored',
    seed: 11,
    edits: [
      {
        file: 'workers/retries/judge.ts',
        from: 'this.#open.delete(key)',
        to: '',
      },
    ],
  },
}

const text = (source: unknown): string =>
  typeof source === 'string' ? source : Buffer.from(source as Uint8Array).toString('utf8')

/** Before anything of it is imported. @throws where there is nothing of that kind to break */
export const breakLaw = (name: string): void => {
  const found = breaks[name]
  if (found === undefined)
    throw new Error(`no such law: ${name}; there are ${Object.keys(breaks).join(', ')}`)
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      let source = loaded.source
      for (const { file, from, to } of found.edits) {
        if (!url.endsWith(`/${file}`)) continue
        const before = text(source)
        if (!before.includes(from)) throw new Error(`${file} no longer says: ${from}`)
        source = before.replace(from, to)
      }
      return { ...loaded, source }
    },
  })
}

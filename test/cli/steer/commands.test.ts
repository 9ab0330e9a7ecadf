/** What orders refuse, and what they say where nobody can take them up. That they are carried out: test/guarantees/orders.test.ts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectTopology } from '../../../cli/host.ts'
import { lookAtCluster } from '../../../cluster/kafka/cluster-look.ts'
import { clusterTopic } from '../../../cluster/protocol/names.ts'
import type { Order } from '../../../cluster/protocol/orders.ts'
import { TestCluster, until } from '../../support/cluster.ts'
import { useServices } from '../../support/services.ts'
import { millrace } from '../millrace.ts'

describe('words that do not fit are refused before anything is connected', () => {
  test.each([
    [['pause'], /missing required argument 'partition'/],
    [['pause', 'three'], /Expected a number/],
    [['pause', '1.5'], /Expected a whole number/],
    [['pause', '99999999999'], /Expected the number of a partition/],
    [['resume', '-1'], /Expected a number/],
    [['move', '1'], /missing required argument 'worker'/],
    [['pin', '1'], /to which worker\?; give a partition and a worker/],
    [['pin', '1', 'w', '--undo'], /--undo takes no worker/],
    [['drain'], /missing required argument 'worker'/],
    [['drain', 'w', '--wait', 'long'], /expected a duration/],
  ])('%j', async (args, line) => {
    const run = await millrace(args)
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toMatch(line)
    expect(run.stderr.split('\n')).toHaveLength(2)
  })
})

describe('on a cluster', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    const { kafka, redis } = await useServices()
    cluster = await TestCluster.open({ kafka, redis, partitions: 4, settings: { slots: 2, lease: 30_000 } })
  })
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  const order = (...args: readonly string[]) => millrace(args, { env: cluster.env })
  const given = async (): Promise<readonly Order[]> => {
    const topology = await connectTopology(cluster.settings, 'home')
    try {
      const topic = clusterTopic(cluster.settings.topicPrefix)
      return (await lookAtCluster({ topology, topic, notice: () => undefined })).orders
    } finally {
      await topology.connections.close()
    }
  }

  test('what is not there is refused in one line, and nothing is written', async () => {
    const refused = async (args: readonly string[], stderr: RegExp) => {
      const run = await order(...args)
      expect(run, args.join(' ')).toMatchObject({ code: 2, stdout: '' })
      expect(run.stderr).toMatch(stderr)
      expect(run.stderr.split('\n')).toHaveLength(2)
    }
    await refused(
      ['pause', '0', '4'],
      /^millrace: there is no partition 4 in \S+; its partitions are 0 to 3\n$/,
    )
    await refused(['drain', 'nobody'], /^millrace: user-login has no worker nobody; none lives/)
    await refused(['move', '0', 'nobody'], /has neither a plan nor a worker: there are no slots yet; start/)
    await refused(['pin', '0', '--undo'], /there are no slots yet/)
    expect(await order('pause', '0', '--pipeline', 'no-such')).toMatchObject({ code: 3, stdout: '' })
    expect(await given()).toEqual([])
  }, 60_000)

  test('without a leader an order stands, and so it does without a worker; the first leader carries it out', async () => {
    const absent = await order('pause', '1', '3')
    expect(absent).toMatchObject({
      code: 0,
      stderr: '',
      stdout:
        'partitions 1, 3 of user-login: the order to pause stands; no coordinator leads; it is carried out when one does\n',
    })
    expect((await given()).map(({ act }) => act)).toEqual([
      { kind: 'pause', partition: 1, on: true },
      { kind: 'pause', partition: 3, on: true },
    ])
    const coordinator = cluster.run('coordinator')
    await coordinator.says(/leads/, 60_000)
    expect(await order('resume', '3')).toMatchObject({
      code: 0,
      stdout:
        'partition 3 of user-login: the order to resume stands; no worker of user-login lives; it is carried out when one starts\n',
    })
    cluster.run('worker')
    await cluster.settled(60_000)
    await until('the plan has them', 20_000, async () => {
      const { stdout } = await order('status', '-o', 'json')
      const [pipeline] = JSON.parse(stdout).pipelines
      return pipeline.orders.open.length === 0 && pipeline.orders.paused.join() === '1'
    })
    const [worker] = await cluster.reports()
    if (worker === undefined) throw new Error('no worker')
    const last = await order('drain', worker.worker)
    expect(last).toMatchObject({ code: 2, stdout: '' })
    expect(last.stderr).toMatch(/^millrace: no other worker of user-login may own slots: .*--force\n$/)
    process.kill(worker.pid, 'SIGSTOP')
    try {
      const late = await order('drain', worker.worker, '--force', '--wait', '5s')
      expect(late, 'it has not let go').toMatchObject({ code: 12, stdout: '' })
      expect(late.stderr).toMatch(
        /^millrace: drain (\S+): \1 still has slots 0, 1; the order stands: `millrace status` shows what comes of it\n$/,
      )
    } finally {
      process.kill(worker.pid, 'SIGCONT')
    }
    expect(await order('drain', worker.worker, '--force')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^drained by plan \d+: worker \S+ of user-login owns nothing, until /),
    })
    expect((await cluster.reports()).flatMap(({ owned }) => owned)).toEqual([])
    expect((await order('status')).stdout).toContain(
      'every worker is drained: start another, or take one back',
    )
    expect(await order('drain', worker.worker.slice(0, -1), '--undo')).toMatchObject({ code: 0 })
    await cluster.settled(60_000)
  }, 240_000)
})

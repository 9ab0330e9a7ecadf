/** Every pod of the chart, whatever brings the pipeline, holds to Kubernetes' restricted Pod Security Standard, and to a little more. */
import { expect, test } from 'vitest'
import { examples, type Manifest, rendered, valuesOf } from './chart.ts'

interface Container {
  readonly name: string
  readonly securityContext: unknown
  readonly resources: { readonly requests?: object; readonly limits?: object }
  readonly env?: readonly { readonly name: string; readonly valueFrom?: object }[]
}

interface Pod {
  readonly securityContext: { readonly runAsUser: number }
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly volumes?: readonly Readonly<Record<string, unknown>>[]
}

const podsIn = (manifests: readonly Manifest[]): readonly Pod[] =>
  manifests.flatMap(({ kind, spec }) => {
    const pod = kind === 'Pod' ? spec : spec?.template?.spec
    return pod === undefined ? [] : [pod as unknown as Pod]
  })

/** Those that the restricted standard knows and that we use. */
const VOLUMES = ['configMap', 'emptyDir', 'image', 'projected', 'secret']

const sets = (text: string): readonly string[] => ['--set', text]

test.each([
  ...examples.map((name) => [name, ['-f', valuesOf(name)]] as const),
  ['an image volume', ['-f', valuesOf('full'), ...sets('pipeline.imageMount=volume')]] as const,
])('with %s', async (_, args) => {
  const pods = podsIn(await rendered(args))
  expect(pods.length).toBeGreaterThan(2)
  for (const pod of pods) {
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    })
    expect(pod.securityContext.runAsUser).toBeGreaterThanOrEqual(10_000)
    for (const { name, securityContext, resources, env = [] } of [
      ...(pod.initContainers ?? []),
      ...pod.containers,
    ]) {
      expect(securityContext, name).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      expect(resources, name).toMatchObject({
        requests: { cpu: expect.any(String), memory: expect.any(String) },
        limits: { memory: expect.any(String) },
      })
      const sources = env.flatMap(({ valueFrom }) => (valueFrom === undefined ? [] : Object.keys(valueFrom)))
      expect(
        sources.filter((kind) => kind !== 'fieldRef'),
        name,
      ).toEqual([])
    }
    for (const { name, ...source } of pod.volumes ?? [])
      expect(Object.keys(source).filter((kind) => !VOLUMES.includes(kind))).toEqual([])
  }
})

/** values.schema.json of the Helm chart: every value there is, so that a misspelt one is refused; settings from their table. */
import { fileSettings, plainSettings, type Schema, secretSettings } from './settings.ts'

const object = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema => ({
  type: 'object',
  additionalProperties: false,
  properties,
  ...(required.length > 0 && { required }),
})
/** Kubernetes' own structures are checked by Kubernetes. */
const anyObject: Schema = { type: 'object' }
const list: Schema = { type: 'array' }
const texts: Schema = { type: 'array', items: { type: 'string' } }
const textMap: Schema = { type: 'object', additionalProperties: { type: 'string' } }
const text: Schema = { type: 'string' }
const flag: Schema = { type: 'boolean' }
const choice = (...values: readonly string[]): Schema => ({ enum: values })
const count = (minimum: number, maximum?: number): Schema => ({
  type: 'integer',
  minimum,
  ...(maximum !== undefined && { maximum }),
})
const countOrNone = (minimum: number): Schema => ({ type: ['integer', 'null'], minimum })
const orPercent: Schema = { type: ['integer', 'string'], minimum: 0 }
const port = count(1, 65535)

const placement: Readonly<Record<string, Schema>> = {
  resources: anyObject,
  terminationGracePeriodSeconds: countOrNone(1),
  topologySpreadConstraints: { type: ['array', 'null'] },
  nodeSelector: textMap,
  tolerations: list,
  affinity: anyObject,
  priorityClassName: text,
  podAnnotations: textMap,
  podLabels: textMap,
}

const podDisruptionBudget = object({ enabled: flag, maxUnavailable: orPercent })

const pipeline = object(
  {
    name: { type: 'string', pattern: '^[\\w.-]+$' },
    module: text,
    image: text,
    imagePath: { type: 'string', pattern: '^/' },
    imageMount: choice('copy', 'volume'),
    copyCommand: texts,
    configMap: text,
    input: object({ topic: { type: 'string', minLength: 1 }, partitions: count(1, 100_000) }),
    options: anyObject,
    secretOptions: { type: 'object', additionalProperties: { $ref: '#/$defs/key' } },
  },
  ['name', 'input'],
)

const coordinator = object({
  replicas: count(1),
  service: object({
    type: choice('ClusterIP', 'NodePort', 'LoadBalancer'),
    port,
    annotations: textMap,
  }),
  ingress: object({ enabled: flag, className: text, annotations: textMap, hosts: texts, tls: list }),
  podDisruptionBudget,
  ...placement,
})

const worker = object({
  replicas: count(0),
  autoscaling: object({
    enabled: flag,
    minReplicas: count(1),
    maxReplicas: countOrNone(1),
    targetCPU: count(1, 100),
    behavior: anyObject,
  }),
  keda: object({
    enabled: flag,
    minReplicas: count(1),
    maxReplicas: countOrNone(1),
    lagThreshold: count(1),
    pollingInterval: count(1),
    cooldownPeriod: count(0),
    authenticationRef: text,
  }),
  podDisruptionBudget,
  ...placement,
})

const sink = object({
  enabled: flag,
  store: choice('opensearch'),
  topic: text,
  index: text,
  extraArgs: texts,
  ...placement,
})

const monitor = object({ enabled: flag, interval: text, labels: textMap })

const metrics = object({
  port: { ...port, maximum: 65_000 },
  host: { type: 'string', minLength: 1 },
  serviceMonitor: monitor,
  podMonitor: monitor,
  prometheusRule: object({ enabled: flag, labels: textMap }),
  dashboards: object({ enabled: flag, labels: textMap, annotations: textMap }),
})

const way = object({ ports: { type: 'array', items: port }, to: list })

const networkPolicy = object({
  enabled: flag,
  metricsFrom: list,
  httpFrom: list,
  dnsTo: list,
  kafka: way,
  redis: way,
  opensearch: way,
  otlp: way,
  alertHook: way,
  extraEgress: list,
})

/** Restricted, as Kubernetes' Pod Security Standards say; a uid below 10000 may be that of somebody on the node. */
const podSecurityContext: Schema = {
  type: 'object',
  properties: { runAsNonRoot: { const: true }, runAsUser: { type: 'integer', minimum: 10_000 } },
}

export const chartSchema = (): string => {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $comment:
      'Made from cluster/settings/table.ts and scripts/pages/chart by `npm run generate`: change it there.',
    title: 'Values of the Millrace chart',
    $defs: {
      key: { type: 'string', pattern: '^[A-Za-z0-9._-]+$' },
      file: object({ secret: text, configMap: text, key: { $ref: '#/$defs/key' } }, ['key']),
    },
    ...object({
      global: anyObject,
      nameOverride: text,
      fullnameOverride: text,
      image: object({
        repository: { type: 'string', minLength: 1 },
        tag: text,
        digest: { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' },
        pullPolicy: choice('Always', 'IfNotPresent', 'Never'),
        pullSecrets: texts,
      }),
      settings: object(plainSettings),
      settingFiles: object(fileSettings),
      existingSecret: text,
      secretKeys: object(secretSettings),
      pipeline,
      coordinator,
      worker,
      sink,
      metrics,
      otlp: object({ endpoint: { type: 'string', pattern: '^(https?://\\S+)?$' } }),
      networkPolicy,
      serviceAccount: object({ create: flag, name: text, annotations: textMap }),
      podSecurityContext,
      securityContext: anyObject,
      extraEnv: list,
      extraVolumes: list,
      extraVolumeMounts: list,
      commonLabels: textMap,
    }),
  }
  return `${JSON.stringify(schema, undefined, 2)}\n`
}

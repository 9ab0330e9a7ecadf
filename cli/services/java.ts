/** Kafka's jars as something that can be run: the command line of one of its Java programs. */
import { type Ran, run } from './run.ts'

export interface KafkaInstall {
  readonly java: string
  readonly classPath: string
  /** AppCDS archive: classes already parsed and verified, which halves the start. */
  readonly archive: string | undefined
}

const base = [
  '-XX:-UsePerfData',
  '-Djava.awt.headless=true',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
]

export const javaArgs = (
  install: KafkaInstall,
  mainClass: string,
  args: readonly string[],
  jvm: readonly string[],
): readonly string[] => [
  ...base,
  ...(install.archive === undefined ? [] : [`-XX:SharedArchiveFile=${install.archive}`, '-Xlog:cds=off']),
  ...jvm,
  '-cp',
  install.classPath,
  mainClass,
  ...args,
]

/** Kafka's own tools, e.g. `org.apache.kafka.tools.consumer.group.ConsumerGroupCommand`. */
export const runKafkaTool = (
  install: KafkaInstall,
  mainClass: string,
  args: readonly string[],
): Promise<Ran> =>
  run(install.java, javaArgs(install, mainClass, args, ['-Xmx256m', '-XX:TieredStopAtLevel=1']), {
    timeoutMs: 60_000,
  })

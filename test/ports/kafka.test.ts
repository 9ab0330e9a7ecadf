import { realWorld } from './real.ts'
import { conformance } from './suite.ts'

conformance('real Kafka', () => realWorld())

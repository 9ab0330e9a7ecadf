import { systemClock } from '../../cluster/actor/clock.ts'
import { fakeWorld } from './fake/world.ts'
import { conformance } from './suite.ts'

conformance('the fake', async () => fakeWorld(systemClock))

/** Connected kafkajs admins for as long as something uses them. */
import type { Admins } from '../cluster/kafka/admin.ts'
import { kafkaClient } from '../cluster/kafka/client.ts'
import type { Settings } from '../cluster/settings.ts'

/** Input and home share one where they are one cluster. */
export const withAdmins = async <T>(settings: Settings, use: (admins: Admins) => Promise<T>): Promise<T> => {
  const input = kafkaClient(settings, 'input').admin()
  const home = settings.homeBrokers.length > 0 ? kafkaClient(settings, 'home').admin() : input
  const all = new Set([input, home])
  try {
    await Promise.all([...all].map((admin) => admin.connect()))
    return await use({ input, home })
  } finally {
    await Promise.all([...all].map((admin) => admin.disconnect()))
  }
}

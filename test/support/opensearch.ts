/** The OpenSearch node that all test files of a run share: take index names of your own. */
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { inject } from 'vitest'

declare module 'vitest' {
  export interface ProvidedContext {
    openSearchDoor: number
  }
}

export type NodeReply =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly reason: string }

/** Its address. Call it in `beforeAll`. */
export const useOpenSearch = async (): Promise<string> => {
  const reply = JSON.parse(await text(connect(inject('openSearchDoor'), '127.0.0.1'))) as NodeReply
  if (!reply.ok) throw new Error(`no OpenSearch: ${reply.reason}`)
  return reply.url
}

/** The body of an answer; a status of 400 and above throws. */
export const ask = async <T>(url: string, method = 'GET', body?: unknown): Promise<T> => {
  const reply = await fetch(url, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  if (!reply.ok) throw new Error(`${method} ${url}: ${reply.status} ${await reply.text()}`)
  return (await reply.json()) as T
}

/** Every id in an index, after a refresh. */
export const idsIn = async (url: string, index: string): Promise<readonly string[]> => {
  await ask(`${url}/${index}/_refresh`, 'POST')
  const ids: string[] = []
  interface Page {
    readonly hits: { readonly hits: readonly { readonly _id: string; readonly sort: readonly unknown[] }[] }
  }
  for (let after: readonly unknown[] | undefined; ; ) {
    const { hits } = (
      await ask<Page>(`${url}/${index}/_search`, 'POST', {
        size: PAGE,
        _source: false,
        sort: [{ _id: 'asc' }],
        ...(after && { search_after: after }),
      })
    ).hits
    ids.push(...hits.map(({ _id }) => _id))
    after = hits.at(-1)?.sort
    if (hits.length < PAGE) return ids
  }
}

const PAGE = 10_000

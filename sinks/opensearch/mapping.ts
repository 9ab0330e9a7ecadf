/** How documents are indexed unless a file says otherwise: the fields of logins, and what else comes along. */

export interface Mapping {
  readonly properties: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly [other: string]: unknown
}

/** Dates as pipelines write them: ISO with or without a colon in the zone, `YYYY-MM-DD HH:MM:SS`, epoch ms. */
const DATE_FORMAT = 'strict_date_optional_time||yyyy-MM-dd HH:mm:ss||epoch_millis'
/** Lucene takes no longer term; a longer text stays in the document and is not found by its value. */
const LONGEST_KEYWORD = 1024

const keyword = { type: 'keyword', ignore_above: LONGEST_KEYWORD } as const

export const loginMapping = {
  // A text that looks like a date in one record need not do so in the next.
  date_detection: false,
  dynamic_templates: [{ texts: { match_mapping_type: 'string', mapping: keyword } }],
  properties: {
    user_id: keyword,
    app_version: keyword,
    device_type: keyword,
    device_id: keyword,
    // Masked addresses are no addresses any more.
    ip: keyword,
    locale: keyword,
    timestamp: { type: 'date', format: DATE_FORMAT },
  },
} as const satisfies Mapping

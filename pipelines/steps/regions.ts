/** Census regions of the United States, named as the Census Bureau names them, by two-letter code (50 states and DC). */
export type Region = 'Northeast' | 'Midwest' | 'South' | 'West' | 'other'

const states: Readonly<Record<Exclude<Region, 'other'>, string>> = {
  Northeast: 'CT MA ME NH NJ NY PA RI VT',
  Midwest: 'IA IL IN KS MI MN MO ND NE OH SD WI',
  South: 'AL AR DC DE FL GA KY LA MD MS NC OK SC TN TX VA WV',
  West: 'AK AZ CA CO HI ID MT NM NV OR UT WA WY',
}

const regions = new Map<string, Region>([
  ...codes('Northeast'),
  ...codes('Midwest'),
  ...codes('South'),
  ...codes('West'),
])

function codes(region: Exclude<Region, 'other'>): readonly (readonly [string, Region])[] {
  return states[region].split(' ').map((code) => [code, region])
}

export const regionOf = (state: string): Region => regions.get(state) ?? 'other'

/**
 * Installs Debian or Ubuntu packages. On a terminal it asks first, unless told `yes` or CI=true; without a terminal there is
 * nobody to ask: whoever runs the demo or the tests as root wants them to run, so it installs and says what.
 */
import { createInterface } from 'node:readline/promises'
import { run } from './run.ts'

export type Installed = { readonly installed: true } | { readonly installed: false; readonly reason: string }

/**
 * Debian's redis-server would start a system service on port 6379: a policy that refuses it stands while apt runs, unless the
 * machine has a policy of its own.
 */
const script = `
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\\nexit 101\\n' > "$policy" && chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get update -q
java=$(for version in 17 21 25; do
  [ -n "$(apt-cache madison openjdk-$version-jre-headless)" ] && echo openjdk-$version-jre-headless && break
done)
packages=
for package in "$@"; do
  case $package in
    openjdk-*) packages="$packages \${java:-$package}" ;;
    *) packages="$packages $package" ;;
  esac
done
apt-get install -q -y --no-install-recommends $packages
`

export const wantsAnswer = (options: {
  readonly yes: boolean
  readonly ci: boolean
  readonly terminal: boolean
}): boolean => options.terminal && !options.yes && !options.ci

export const aptInstall = async (
  packages: readonly string[],
  options: { readonly yes: boolean; readonly log: (line: string) => void },
): Promise<Installed> => {
  const { yes, log } = options
  const names = packages.join(' ')
  const ci = process.env.CI === 'true'
  if (wantsAnswer({ yes, ci, terminal: process.stdin.isTTY && process.stdout.isTTY })) {
    if (!(await asks(`Install ${names} with apt-get? [Y/n] `)))
      return { installed: false, reason: 'you said no' }
  }
  log(`installing with apt-get: ${names} (first time only)`)
  const ran = await run('sh', ['-c', script, 'sh', ...packages], {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
  })
  if (ran.code === 0) return { installed: true }
  return { installed: false, reason: lastLine(ran.stderr) || `apt-get ended with code ${ran.code}` }
}

const asks = async (question: string): Promise<boolean> => {
  const dialog = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await dialog.question(question)
  dialog.close()
  return !/^n/i.test(answer.trim())
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? ''

/** Text of others, safe to show: bytes that are no UTF-8 never reach a terminal or a log, nor do control characters. */
import { isUtf8 } from 'node:buffer'

const hex = (code: number): string => `\\x${code.toString(16).padStart(2, '0')}`

/** Escapes what is not printable; texts stay as they are. */
export const printable = (bytes: Buffer): string => {
  if (!isUtf8(bytes)) {
    return [...bytes]
      .map((byte) => (byte < 0x20 || byte > 0x7e ? hex(byte) : String.fromCharCode(byte)))
      .join('')
  }
  return printableText(bytes.toString('utf8'))
}

/** The same of a text. */
export const printableText = (text: string): string =>
  text.replace(/\p{Cc}/gu, (character) => hex(character.charCodeAt(0)))

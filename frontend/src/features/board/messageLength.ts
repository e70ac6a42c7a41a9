export const LONGEST_MESSAGE = 4000

/** Characters as the server counts them: code points, without the space around. */
export function messageLength(body: string): number {
  return [...body.trim()].length
}

export function canPost(body: string): boolean {
  const length = messageLength(body)
  return length > 0 && length <= LONGEST_MESSAGE
}

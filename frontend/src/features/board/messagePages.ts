import type { MessageFilter } from '@/api/messages'
import type { BoardEvent, Message, MessagePage } from '@/api/types'

const LONGEST_PAGE = 100

/**
 * What a page of the board is after an event. Pure, and the same when an event comes twice.
 *
 * A new message joins only a page that shows the newest of all or of its author: whether it
 * matches a search is the server's to say.
 */
export function applyToPage(page: MessagePage, event: BoardEvent, filter: MessageFilter): MessagePage {
  if (event.type === 'created') return withCreated(page, event.message, filter)
  if (event.type === 'updated') return withUpdated(page, event.message)
  return withDeleted(page, event.id, filter)
}

function withCreated(page: MessagePage, message: Message, filter: MessageFilter): MessagePage {
  const joins = !filter.q && !filter.cursor && (!filter.user || filter.user === message.author.username)
  const isOlderThanPage = page.next_cursor !== null && message.id < tailOf(page)
  if (!joins || isOlderThanPage || page.items.some(({ id }) => id === message.id)) return page
  const items = [...page.items, message].sort((a, b) => b.id - a.id)
  if (items.length > LONGEST_PAGE) return page
  return { ...page, items, total: page.total + 1 }
}

function withUpdated(page: MessagePage, message: Message): MessagePage {
  const items = page.items.map((old) => (old.id === message.id && !isNewer(old, message) ? message : old))
  return { ...page, items }
}

function withDeleted(page: MessagePage, id: number, filter: MessageFilter): MessagePage {
  const items = page.items.filter((message) => message.id !== id)
  const counted = items.length < page.items.length || (!filter.q && !filter.user)
  return { ...page, items, total: Math.max(items.length, page.total - (counted ? 1 : 0)) }
}

/** The oldest id of a page: its cursor goes on below it, however many have joined on top. */
export function tailOf(page: MessagePage): number {
  return page.items.at(-1)?.id ?? 0
}

function isNewer(one: Message, other: Message): boolean {
  return (one.edited_at ?? '') > (other.edited_at ?? '')
}

import { answer, client } from './client'
import type { Message, MessagePage } from './types'

export interface MessageFilter {
  q?: string
  user?: string
  cursor?: string
}

export const PAGE_SIZE = 10

export function listMessages(filter: MessageFilter, signal?: AbortSignal): Promise<MessagePage> {
  const query = { limit: PAGE_SIZE, ...filter }
  return answer(client.GET('/api/messages', { params: { query }, signal }))
}

export function postMessage(body: string): Promise<Message> {
  return answer(client.POST('/api/messages', { body: { body } }))
}

export function editMessage(id: number, body: string): Promise<Message> {
  return answer(client.PATCH('/api/messages/{id}', { params: { path: { id } }, body: { body } }))
}

/** `keepalive` lets the request outlive the page. */
export async function deleteMessage(id: number, keepalive = false): Promise<void> {
  await answer(client.DELETE('/api/messages/{id}', { params: { path: { id } }, keepalive }))
}

import type { components } from './schema'

type Schemas = components['schemas']

export type User = Schemas['User']
export type CurrentSession = Schemas['CurrentSession']
export type OwnSession = Schemas['OwnSession']
export type Message = Schemas['Message']
export type MessagePage = Schemas['MessagePage']
export type CallEvent = Schemas['CallEvent']
export type RecentCalls = Schemas['RecentCalls']
export type CallPage = Schemas['CallPage']

/** What the topic `messages` of the stream carries. */
export type BoardEvent =
  | { type: 'created'; message: Message }
  | { type: 'updated'; message: Message }
  | { type: 'deleted'; id: number }

export type Topic = 'calls' | 'messages'

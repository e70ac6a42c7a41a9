import type { components } from './schema'

type Schemas = components['schemas']

export type User = Schemas['UserAnswer']
export type CurrentSession = Schemas['SignedIn']
export type OwnSession = Schemas['SessionAnswer']
export type Message = Schemas['MessageAnswer']
export type MessagePage = Schemas['MessageList']
export type CallEvent = Schemas['CallEvent']
export type RecentCalls = Schemas['RecentCallsPage']
export type CallPage = Schemas['CallsPage']

/** What the topic `messages` of the stream carries. */
export type BoardEvent =
  | { type: 'created'; message: Message }
  | { type: 'updated'; message: Message }
  | { type: 'deleted'; id: number }

export type Topic = 'calls' | 'messages'

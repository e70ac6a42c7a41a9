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
export type SystemState = Schemas['SystemState']
export type ListedProcess = Schemas['ListedProcess']
export type DependencyState = Schemas['DependencyState']
export type RejectedEvent = Schemas['RejectedEvent']

/** What the topic `messages` of the stream carries. */
export type BoardEvent =
  | { type: 'created'; message: Message }
  | { type: 'updated'; message: Message }
  | { type: 'deleted'; id: number }

export type Topic = 'calls' | 'messages'

import { answer, client } from './client'
import { Problem } from './problem'
import type { CurrentSession, OwnSession, User } from './types'

export interface Credentials {
  username: string
  password: string
}

/** The session of this browser, or null when there is none. */
export async function currentSession(): Promise<CurrentSession | null> {
  try {
    return await answer(client.GET('/api/session'))
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return null
    throw error
  }
}

export function signIn(body: Credentials): Promise<CurrentSession> {
  return answer(client.POST('/api/session', { body }))
}

export function register(body: Credentials & { display_name?: string }): Promise<CurrentSession> {
  return answer(client.POST('/api/users', { body }))
}

export async function signOut(): Promise<void> {
  await answer(client.DELETE('/api/session'))
}

export function renameMe(display_name: string): Promise<User> {
  return answer(client.PATCH('/api/users/me', { body: { display_name } }))
}

export async function changePassword(current_password: string, new_password: string): Promise<void> {
  await answer(client.PUT('/api/users/me/password', { body: { current_password, new_password } }))
}

export async function ownSessions(): Promise<OwnSession[]> {
  return (await answer(client.GET('/api/users/me/sessions'))).items
}

export async function endSession(id: string): Promise<void> {
  await answer(client.DELETE('/api/users/me/sessions/{id}', { params: { path: { id } } }))
}

export async function deleteMe(password: string): Promise<void> {
  await answer(client.DELETE('/api/users/me', { body: { password } }))
}

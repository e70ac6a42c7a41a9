import type { QueryClient } from '@tanstack/vue-query'
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { ensureSession } from '@/composables/useSession'

const CallsPage = () => import('@/features/calls/CallsPage.vue')

const routes: RouteRecordRaw[] = [
  { path: '/', name: 'board', component: () => import('@/features/board/BoardPage.vue') },
  { path: '/calls', redirect: { name: 'calls-live' } },
  {
    path: '/calls',
    component: CallsPage,
    children: [
      { path: 'live', name: 'calls-live', component: () => import('@/features/calls/CallsLive.vue') },
      {
        path: 'history',
        name: 'calls-history',
        component: () => import('@/features/calls/CallsHistory.vue'),
      },
    ],
  },
  { path: '/account', name: 'account', component: () => import('@/features/account/AccountPage.vue') },
  { path: '/admin', redirect: { name: 'admin-system' } },
  {
    path: '/admin/system',
    name: 'admin-system',
    component: () => import('@/features/admin/SystemPage.vue'),
  },
  {
    path: '/sign-in',
    name: 'sign-in',
    component: () => import('@/features/account/SignInPage.vue'),
    meta: { open: true },
  },
  {
    path: '/register',
    name: 'register',
    component: () => import('@/features/account/RegisterPage.vue'),
    meta: { open: true },
  },
  { path: '/:path(.*)*', name: 'not-found', component: () => import('@/components/NotFoundPage.vue') },
]

/** Only a path of our own, so that a link cannot send someone elsewhere after signing in. */
export function safeNext(next: unknown): string {
  return typeof next === 'string' && /^\/(?![/\\])/.test(next) ? next : '/'
}

export function makeRouter(queries: QueryClient) {
  const router = createRouter({
    history: createWebHistory(),
    routes,
    scrollBehavior: (to, from, saved) => saved ?? (isSameView(to, from) ? false : { top: 0 }),
  })
  router.beforeEach(async (to) => {
    const session = await ensureSession(queries).catch(() => undefined)
    if (session === undefined) return true // The server is out of reach, which App.vue shows.
    if (!session && !to.meta.open) return { name: 'sign-in', query: nextQuery(to.fullPath) }
    if (session && to.meta.open) return safeNext(to.query.next)
    return true
  })
  return router
}

export function nextQuery(path: string) {
  return path === '/' ? {} : { next: path }
}

type Place = { path: string; query: { cursor?: unknown } }

/** Filters and an open drawer change the address without moving the page. */
function isSameView(to: Place, from: Place): boolean {
  return to.path === from.path && to.query.cursor === from.query.cursor
}

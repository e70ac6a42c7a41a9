/// <reference types="vite/client" />

declare module 'virtual:pretendard.css' {}

#!/bin/sh
# Renders nginx's configuration from the environment and becomes nginx. Writes to MADANG_WEB_TMP only.
set -eu

if [ "${1-}" = -h ] || [ "${1-}" = --help ]; then
  echo 'Usage: madang-web
Serves the pages of Madang. MADANG_API_UPSTREAM and MADANG_LIVE_UPSTREAM (host:port) must be set;
MADANG_WEB_LISTEN, MADANG_WEB_ROOT and MADANG_WEB_TMP have defaults.'
  exit 0
fi

for name in MADANG_API_UPSTREAM MADANG_LIVE_UPSTREAM; do
  eval "value=\${$name-}"
  if [ -z "$value" ]; then
    echo "madang-web: $name is not set" >&2
    exit 2
  fi
done

# Named one by one: nginx's own variables look the same.
# shellcheck disable=SC2016
envsubst '${MADANG_WEB_LISTEN} ${MADANG_WEB_ROOT} ${MADANG_WEB_TMP}
  ${MADANG_API_UPSTREAM} ${MADANG_LIVE_UPSTREAM}' \
  </etc/madang/nginx.conf.template >"$MADANG_WEB_TMP/nginx.conf"
exec nginx -e stderr -c "$MADANG_WEB_TMP/nginx.conf" -g 'daemon off;'

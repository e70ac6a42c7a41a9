#!/usr/bin/env bash
# kafka-run-class.sh [-name NAME] [-loggc] CLASS ARGUMENT...: with the official script's variables.
set -euo pipefail

logs=${LOG_DIR:-/opt/kafka/logs}
read -ra options <<<"${KAFKA_HEAP_OPTS:--Xmx256M} ${KAFKA_JVM_PERFORMANCE_OPTS:--server -XX:+UseG1GC \
-XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent \
-XX:MaxInlineLevel=15 -Djava.awt.headless=true} ${KAFKA_OPTS-}"
name=kafka
while [[ $# -gt 0 ]]; do
  case $1 in
    -name)
      name=$2
      shift 2
      ;;
    -loggc)
      options+=("-Xlog:gc*:file=$logs/$name-gc.log:time,tags:filecount=10,filesize=100M")
      shift
      ;;
    *) break ;;
  esac
done
mkdir -p "$logs"
exec java "${options[@]}" "-Dkafka.logs.dir=$logs" -cp '/opt/kafka/libs/*' "$@"

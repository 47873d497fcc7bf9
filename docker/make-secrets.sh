#!/bin/sh
# Makes the secrets that docker-compose.yml and the Kubernetes base read from files:
#   docker/make-secrets.sh [FOLDER]
# The folder is for its owner alone; the files can be read by the
# numeric users of the containers that they are mounted into. keys/ has an API key for Prometheus,
# for a service that wants keys: `slimdial key` adds others.
set -eu
folder=${1:-$(dirname "$0")/secrets}
if [ -e "$folder" ]; then
    echo "$folder is there already; remove it for new secrets" >&2
    exit 1
fi
random() { od -An -tx1 -N24 /dev/urandom | tr -d ' \n'; }
redis=$(random)
mkdir -m 0700 "$folder"
cd "$folder"
printf 'redis://:%s@valkey:6379/0' "$redis" >slimdial_redis_url
printf 'requirepass %s\n' "$redis" >valkey_auth.conf
printf '{"redis://valkey:6379": "%s", "redis://localhost:6379": "%s"}' "$redis" "$redis" \
    >redis_exporter.json
random >grafana_admin_password
key=slimdial_$(random)
printf '%s' "$key" >slimdial_metrics_key
mkdir keys
printf '{"keys": [{"name": "prometheus", "sha256": "%s", "scopes": ["metrics"], "created": "%s"}]}' \
    "$(printf '%s' "$key" | sha256sum | cut -d ' ' -f 1)" "$(date -u +%Y-%m-%d)" \
    >keys/slimdial_keys.json
chmod 0444 slimdial_* valkey_auth.conf redis_exporter.json grafana_admin_password keys/*

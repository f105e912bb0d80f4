#!/usr/bin/env bash
# Two onepoll processes, one Redis and nginx in front, on this machine:
#
#     examples/deploy/cluster/run.sh [PORT [ONE [TWO [REDIS]]]]     8000 8001 8002 6390
#
# Then open http://127.0.0.1:8000/, log in, and kill either process: the session and
# the page stay. It says how to start it again. Ctrl-C ends all of it. Needs nginx and
# redis-server (or valkey-server), but not root; what it writes goes with it.
#
# CLUSTER=FILE is the program to start; without it cargo builds it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
port=${1:-8000} one=${2:-8001} two=${3:-8002} redis=${4:-6390}
# Where Debian has nginx, which is not in everybody's path.
PATH=$PATH:/usr/sbin:/usr/local/sbin

fail() {
    echo "run.sh: $*" >&2
    exit 1
}

for number in "$port" "$one" "$two" "$redis"; do
    [[ $number =~ ^[1-9][0-9]{0,4}$ ]] || fail "$number is no port; see the top of $0"
done
server=$(command -v redis-server || command -v valkey-server) || fail "redis-server is not installed"
command -v nginx >/dev/null || fail "nginx is not installed"
if [[ -z ${CLUSTER:-} ]]; then
    manifest=$here/../../../Cargo.toml
    cargo build --release --features redis --example cluster --manifest-path "$manifest"
    CLUSTER=${CARGO_TARGET_DIR:-$here/../../../target}/release/examples/cluster
fi

folder=$(mktemp -d)
pids=()
finish() {
    trap '' INT TERM
    ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
    wait || true
    rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

listens() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Starts what is to listen on that port, and waits until it does.
start() {
    local name=$1 at=$2
    shift 2
    # Else somebody else's would be taken for ours.
    ! listens "$at" || fail "port $at is in use"
    "$@" >/dev/null &
    pids+=($!)
    for ((tries = 0; tries < 200; tries++)); do
        kill -0 $! 2>/dev/null || fail "$name has ended"
        if listens "$at"; then
            echo "$name: process $!, port $at"
            return
        fi
        sleep 0.05
    done
    fail "$name does not listen on port $at"
}

# What was answered is on the disk a second later; `always` instead of `everysec` would
# have it there before.
start redis "$redis" "$server" --port "$redis" --bind 127.0.0.1 --save '' \
    --appendonly yes --appendfsync everysec --dir "$folder"
start one "$one" "$CLUSTER" "$one" "redis://127.0.0.1:$redis" one
start two "$two" "$CLUSTER" "$two" "redis://127.0.0.1:$redis" two
sed -e "s|@PORT@|$port|; s|@ONE@|$one|; s|@TWO@|$two|; s|@FOLDER@|$folder|" \
    "$here/nginx.conf.in" >"$folder/nginx.conf"
# Its workers would be nobody, and the folder is ours.
main="daemon off;"
((EUID != 0)) || main+=" user root;"
start nginx "$port" nginx -e stderr -p "$folder" -c "$folder/nginx.conf" -g "$main"

echo "again: $CLUSTER PORT redis://127.0.0.1:$redis NAME"
echo "ready: http://127.0.0.1:$port/"
# Until nginx ends, or a signal comes. The others may be killed: that is the point.
wait $!

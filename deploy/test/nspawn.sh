#!/usr/bin/env bash
# Boot a real systemd (bookworm: 252, trixie: 257) in a container, install the built wheel in it as README says, run the
# daemon under deploy/presence-syncd.service against an emulated tenant, and prove what the unit promises.
#
#   nspawn.sh bookworm|trixie        one line per check; "N passed, N failed" at the end; exit 0 only if none failed
#
# Needs root, and apt for systemd-container and mmdebstrap if they are missing. Exit 77: cannot run here, and why.
# Trees and wheels are built once, in $PRESENCE_SYNCD_CACHE (default /var/tmp/presence-syncd-nspawn), and never written
# again: every boot gets an overlay on tmpfs. Nothing is written into the repository.
# VERBOSE=1 also prints the journal of the daemon when a check fails.
set -u

suite=${1:-}
repo=$(cd "$(dirname "$0")/../.." && pwd)
cache=${PRESENCE_SYNCD_CACHE:-/var/tmp/presence-syncd-nspawn}
python=${PYTHON:-python3}
packages=systemd,systemd-sysv,dbus,libnss-systemd,polkitd,iproute2,procps,ca-certificates,curl,python3,python3-venv
unit=presence-syncd.service
config=/etc/presence-syncd/presence-syncd.toml
venv=/opt/pipx/venvs/presence-syncd
# What the unit asks for, or what this machine lets a container have.
files=$(ulimit -Hn); [ "$files" != unlimited ] && [ "$files" -lt 65536 ] || files=65536
passed=0 failed=0 leader='' container='' work=''

cannot() { echo "cannot run: $*"; exit 77; }
say() { printf '%6.2fs %s\n' "$(awk -v a="$(date +%s.%N)" -v b="$began" 'BEGIN { print a - b }')" "$*"; }

check() { # check NAME COMMAND...: one line
    local name=$1; shift
    if "$@" >/dev/null 2>&1; then passed=$((passed + 1)); say "PASS $name"
    else failed=$((failed + 1)); say "FAIL $name    ($*)"; fi
}

within() { # within SECONDS COMMAND...: until it succeeds
    local deadline=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.1
    done
}

not() { ! "$@"; }

# ---------------------------------------------------------------- what is needed, built once

need_tools() {
    [ "$(id -u)" = 0 ] || cannot "must be root"
    local missing=''
    command -v systemd-nspawn >/dev/null || missing="systemd-container"
    command -v mmdebstrap >/dev/null || missing="$missing mmdebstrap"
    [ -z "$missing" ] && return
    # shellcheck disable=SC2086 # two words are two packages
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 ||
        cannot "apt-get install$missing failed"
}

mirror() { # the one this machine's apt uses
    { awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/debian.sources
      awk '/^deb / { print $2; exit }' /etc/apt/sources.list; } 2>/dev/null | head -n 1
}

build_tree() {
    tree=$cache/$suite
    [ -d "$tree" ] && return
    mkdir -p "$cache"
    rm -rf "$tree.part"
    mmdebstrap --quiet --variant=minbase --include="$packages" "$suite" "$tree.part" \
        "$(mirror)" 2>"$cache/$suite.log" || cannot "mmdebstrap failed, see $cache/$suite.log"
    mv "$tree.part" "$tree"
}

build_wheels() { # the daemon's, made anew; those of what it depends on, downloaded when pyproject.toml changes
    local version platforms=() glibc
    version=$(chroot "$tree" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    wheels=$cache/wheels-$suite-$(sha256sum "$repo/pyproject.toml" | cut -c1-12)
    for glibc in 2_17 2_28 2_34; do platforms+=(--platform "manylinux_${glibc}_$(uname -m)"); done
    [ -x "$cache/tools/bin/pip" ] || "$python" -m venv "$cache/tools" || cannot "$python has no venv"
    mkdir -p "$work/wheel"
    "$cache/tools/bin/pip" wheel --quiet --no-deps --wheel-dir "$work/wheel" "$repo" \
        2>>"$cache/$suite.log" || cannot "the wheel cannot be built"
    [ -d "$wheels" ] && return
    rm -rf "$wheels.part"
    "$cache/tools/bin/pip" download --quiet --only-binary=:all: --python-version "$version" "${platforms[@]}" \
        --platform "manylinux2014_$(uname -m)" --dest "$wheels.part" "$work"/wheel/*.whl \
        2>>"$cache/$suite.log" || cannot "pip download failed"
    rm -f "$wheels.part"/presence_syncd-*.whl
    mv "$wheels.part" "$wheels"
}

# ---------------------------------------------------------------- the container

fill_root() { # a writable copy of the tree, with the daemon installed where README has it installed
    mount -t tmpfs -o size=1g none "$work/mount"
    mkdir "$work/mount/up" "$work/mount/work" "$root"
    mount -t overlay overlay -o "lowerdir=$tree,upperdir=$work/mount/up,workdir=$work/mount/work" "$root"
    : > "$root/etc/machine-id"
    echo presence-test > "$root/etc/hostname"
    mkdir -p "$root/opt/wheels" "$root/usr/local/bin" "$root/etc/presence-syncd/secrets"
    cp "$wheels"/*.whl "$work"/wheel/*.whl "$root/opt/wheels"
    chroot "$root" python3 -m venv "$venv"
    chroot "$root" env -i PATH=/usr/bin:/bin "$venv/bin/pip" install --quiet --no-index --find-links /opt/wheels \
        presence-syncd 2>>"$cache/$suite.log" || return 1
    ln -s "$venv/bin/presence-syncd" "$root/usr/local/bin/presence-syncd"
    cp "$repo/deploy/test/emulated-tenant.service" "$root/etc/systemd/system/"
    cp "$repo/deploy/test/settle_in.py" "$root/opt/"
}

inside() {
    nsenter -t "$leader" -m -u -i -n -p -- \
        env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 SYSTEMD_PAGER= SYSTEMD_COLORS=0 "$@"
}

boot() {
    # 257 refuses cgroup v1, so the container gets a pure v2 tree where the host has something else.
    [ "$suite" = bookworm ] || export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
    systemd-nspawn --quiet --directory="$root" --machine="presence$$" --register=no --keep-unit --boot \
        --private-network --console=pipe </dev/null >"$work/console" 2>&1 &
    container=$!
    within 30 is_booted && return
    cat "$work/console"
    cannot "the container does not boot"
}

is_booted() {
    leader=$(pgrep -P "$container" | head -n 1)
    [ -n "$leader" ] && case $(inside systemctl is-system-running 2>/dev/null) in running | degraded) ;; *) false ;; esac
}

clean_up() {
    [ -n "$leader" ] && inside systemctl poweroff >/dev/null 2>&1
    if [ -n "$container" ]; then
        within 10 not kill -0 "$container" || kill -KILL "$container"
        wait "$container" 2>/dev/null
    fi
    mountpoint -q "$root" && umount "$root"
    mountpoint -q "$work/mount" && umount "$work/mount"
    rm -rf "$work"
}

# ---------------------------------------------------------------- questions the checks ask

property() { inside systemctl show -P "$1" "$unit"; }
is_property() { [ "$(property "$1")" = "$2" ]; }
journal() { inside journalctl -u "$unit" -o cat --no-pager "$@"; }
journal_says() { journal | grep -aq -- "$1"; }
metric() { inside curl -sf http://127.0.0.1:9464/metrics | awk -v name="$1" '$1 == name { print $2 }'; }
is_metric() { [ "$(metric "$1")" = "$2" ]; }
is_ready() { inside curl -sf http://127.0.0.1:9464/-/ready; }
teams_show() { [ "$(inside curl -sf http://127.0.0.1:8400/_emulator/people | grep -o "\"[A-Za-z]*/[A-Za-z]*\"" | sort -u)" = "\"$1\"" ]; }
teams_show_somebody() { inside curl -sf http://127.0.0.1:8400/_emulator/people | grep -q "\"$1\""; }
status_says() { property StatusText | grep -q "$1"; }
statuses() { inside presence-syncd status --json; }
pin_holds() { inside presence-syncd explain alice --json | grep -q 'nspawn'; }
is_restarted() { [ "$(property MainPID)" != "$1" ] && is_property ActiveState active && is_property NRestarts "$2"; }
is_dynamic_user() { [ "$(inside stat -c %u "/proc/$(property MainPID)")" -ge 61184 ]; }
is_our_unit() { # but for the place of the program
    sed "s|/usr/local/bin/presence-syncd|$venv/bin/presence-syncd|" "$repo/deploy/$unit" |
        cmp - "$root/etc/systemd/system/$unit"
}
open_files() { [ "$(inside awk '/Max open files/ { print $4 }' "/proc/$(property MainPID)/limits")" = "$files" ]; }
no_core() { [ "$(inside awk '/Max core file size/ { print $6 }' "/proc/$(property MainPID)/limits")" = 0 ]; }
mode_is() { [ "$(inside stat -L -c %a "$2")" = "$1" ]; }
is_local_only() { [ "$(inside ss -Hltn | awk '$4 ~ /:9464$/ { print $4 }')" = 127.0.0.1:9464 ]; }
outside_world() { # everything an unprivileged eye could see of the daemon
    inside systemctl show "$unit"
    inside systemctl status "$unit" --no-pager -l
    inside cat "/proc/$(property MainPID)/environ" "/proc/$(property MainPID)/cmdline"
    journal
    inside curl -s http://127.0.0.1:9464/metrics
}
secret_shows() { outside_world | grep -aqF -e "$(inside cat /var/lib/tenant/graph-secret)" -e "BEGIN PRIVATE KEY"; }
edit() { inside python3 /opt/settle_in.py "$@"; }

# ---------------------------------------------------------------- the story

checks_of_the_start() {
    check "systemd-analyze verify finds nothing" not_a_word inside systemd-analyze verify --man=no "$unit"
    check "exposure is at most 1.5" inside systemd-analyze security --threshold=15 --no-pager "$unit"
    check "systemctl start waits for READY and succeeds" inside systemctl start "$unit"
    check "it is active" is_property ActiveState active
    check "STATUS reaches systemctl" status_says "3 accounts"
    check "every feed proves life (/-/ready)" within 15 is_ready
    check "it runs as a dynamic user" is_dynamic_user
    check "the state folder is 0700" mode_is 700 /var/lib/presence-syncd
    check "the state file is 0600" mode_is 600 /var/lib/presence-syncd/state.db
    check "the control socket is 0660" mode_is 660 /run/presence-syncd/control.sock
    check "metrics listen on loopback only" is_local_only
    check "$files files may be open" open_files
    check "no core file is written" no_core
    check "process metrics are there in the sandbox" not is_metric process_open_fds ""
    check "root may ask for the status" statuses
    check "Teams shows what Symphony says" within 15 teams_show Available/Available
}

not_a_word() { local said; said=$("$@" 2>&1) && [ -z "$said" ]; }

checks_of_secrets() {
    check "a credential and an encrypted one are used" is_ready
    check "no secret in show, status, environment, journal, metrics" not secret_shows
    check "the credential is not readable for others" \
        not inside setpriv --reuid=65534 --clear-groups cat "/run/credentials/$unit/graph-secret"
}

checks_of_reload() {
    local pid; pid=$(property MainPID)
    edit drop carol
    check "a good reload exits 0" inside systemctl reload "$unit"
    check "the reload is taken: two accounts are left" status_says "2 accounts"
    check "the reload keeps the process" is_property MainPID "$pid"
    edit spoil
    check "a bad reload exits with an error" not inside systemctl reload "$unit"
    check "the journal says file:line:col" journal_says "presence-syncd.toml:[0-9]*:[0-9]*:"
    check "the service is still up, the same process" is_property MainPID "$pid"
    check "the service is still active" is_property ActiveState active
    check "a metric tells of the refused reload" is_metric presence_syncd_config_last_reload_successful 0.0
    edit mend
    inside systemctl kill --kill-who=main -s HUP "$unit"
    check "SIGHUP reloads, too" within 10 is_metric presence_syncd_config_last_reload_successful 1.0
}

checks_of_restarts() {
    local pid
    check "an administrator pins a status" inside presence-syncd pin alice busy --for 1h --reason nspawn
    check "the pin arrives in Teams" within 15 teams_show_somebody Busy/Busy
    check "systemctl restart" inside systemctl restart "$unit"
    check "the pin survives the restart" within 10 pin_holds
    pid=$(property MainPID)
    inside systemctl kill --kill-who=main -s KILL "$unit"
    check "kill -9: it is back" within 20 is_restarted "$pid" 1
    check "kill -9: the pin is still there" within 10 pin_holds
    pid=$(property MainPID)
    inside systemctl kill --kill-who=main -s STOP "$unit"
    check "a frozen process is found by the watchdog and replaced" within 30 is_restarted "$pid" 2
    check "the journal names the watchdog" journal_says "Watchdog timeout"
    check "it works again after that" within 20 is_ready
    pid=$(property MainPID)
    inside systemctl kill --kill-who=main -s ABRT "$unit"
    check "SIGABRT: it is back" within 20 is_restarted "$pid" 3
    check "SIGABRT leaves the stacks in the journal" journal_says "most recent call first"
}

checks_of_the_end() {
    within 20 is_ready
    check "systemctl stop succeeds" inside systemctl stop "$unit"
    check "the stop is clean" is_property Result success
    check "our sessions are gone from Teams" teams_show Offline/Offline
    check "a stopped daemon leaves no socket" not inside test -e /run/presence-syncd/control.sock
    edit spoil
    check "a wrong configuration does not start" not inside systemctl start "$unit"
    check "it exits with 78" is_property ExecMainStatus 78
    sleep 2
    check "it is not tried again" is_property ActiveState failed
}

settle_in() { # a tenant, the configuration for it, credentials: one plain, one encrypted to this machine
    check "presence-syncd setup installs the unit" inside presence-syncd setup
    check "the unit is the one of this repository" is_our_unit
    check "the example it installs is a good configuration" \
        inside presence-syncd check --skip-environment --config "$config"
    inside systemctl start emulated-tenant.service
    within 15 inside curl -sf http://127.0.0.1:8400/_emulator/people || cannot "the emulated tenant does not start"
    within 5 inside test -s /var/lib/tenant/presence-syncd.toml
    inside "$venv/bin/python" /opt/settle_in.py install
    inside systemd-creds encrypt --with-key=host --name=graph-secret /var/lib/tenant/graph-secret \
        /etc/presence-syncd/secrets/graph-secret.cred >/dev/null 2>&1
    inside cp /var/lib/tenant/symphony-key.pem /etc/presence-syncd/secrets/
    mkdir -p "$root/etc/systemd/system/$unit.d"
    cp "$repo/deploy/test/credentials.conf" "$repo/deploy/test/hurry.conf" "$root/etc/systemd/system/$unit.d/"
    inside systemctl daemon-reload
}

case $suite in bookworm | trixie) ;; *) echo "usage: $0 bookworm|trixie"; exit 2 ;; esac
need_tools
began=$(date +%s.%N)
work=$(mktemp -d /tmp/presence-syncd-nspawn.XXXXXX) root=$work/mount/root
trap clean_up EXIT
mkdir "$work/mount"
build_tree
build_wheels
fill_root || cannot "the wheel cannot be installed"
boot
say "booted: $(inside systemctl --version | head -n 1), $(inside systemctl is-system-running)"
settle_in
checks_of_the_start
checks_of_secrets
checks_of_reload
checks_of_restarts
checks_of_the_end
say "$passed passed, $failed failed"
[ "$failed" = 0 ] || [ -z "${VERBOSE:-}" ] || journal
[ "$failed" = 0 ]

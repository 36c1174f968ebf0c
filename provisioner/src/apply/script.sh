# What follows is plain POSIX sh. What nothing reads yet is staged and validated;
# then the script waits for a line on its standard input, `go` with a number of
# bytes, and for the bytes: an archive of what is made only now. Each change from
# there on writes down how it is undone, and the script waits for a second line.
# `keep` makes the changes last; anything else, the end of the input or ten
# minutes of silence puts all back.

LC_ALL=C; export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND
umask 022
home=/var/lib/atoll
undo=$stage/undo
exec 2>&1
# A connection that breaks must not stop the script in the middle of a step.
trap '' HUP PIPE

tell() { printf '@%s\n' "$*"; }

put_back() {
    trap '' INT TERM USR1
    tell "step putting everything back"
    if [ -s "$undo" ]; then
        tac "$undo" >"$stage/undo.sh"
        sh "$stage/undo.sh"
    fi
    rm -rf "$stage"
    tell "undone"
}

fail() {
    tell "failed $*"
    put_back
    exit 1
}

# Two runs at once would undo each other, and this script may outlive its operator.
# Here it is only asked whether another run has the lock; `go` takes it, and waits for the
# wave before, of the same run, that may still wait for health.
begin() {
    : >"$undo"
    exec 9>>"$home/lock"
    if flock -n 9; then
        printf 'run %s\n' "$run" >"$home/lock.holder"
        for old in "$home"/stage/*; do
            case $old in "$home/stage/$run-"*) ;; *) rm -rf "$old" ;; esac
        done
        flock -u 9
        return
    fi
    holder=
    read -r holder <"$home/lock.holder"
    [ "$holder" = "run $run" ] && return
    tell "failed another run holds $home/lock (${holder:-it does not say which}); wait for its end, or for ten minutes after its operator vanished"
    rm -rf "$stage"
    tell "undone"
    exit 75
}

# A lost operator gives no end of input when the network just falls silent.
watch() { # seconds
    main=$$
    (
        left=$1
        while [ "$left" -gt 0 ] && kill -0 "$main" 2>/dev/null; do
            sleep 1
            left=$((left - 1))
        done
        kill -USR1 "$main" 2>/dev/null
    ) 9>&- </dev/null >/dev/null &
    watchdog=$!
    trap 'tell "failed nobody answered"; put_back; exit 1' USR1
}

# A wave that waits for its turn waits for others: ten minutes would not do.
go() {
    watch 3600
    word='' bytes=0
    read -r word bytes
    kill "$watchdog" 2>/dev/null
    [ "$word" = go ] || fail "the operator's side says no (${word:-connection lost})"
    head -c "$bytes" | tar --no-same-owner -xf - -C "$stage" || fail "cannot stage what was made for this wave"
    flock -w 60 9 || fail "the wave before this one does not end"
}

accounts() { # name home ...
    tell "step creating accounts"
    printf 'u %s - "" %s /usr/sbin/nologin\n' "$@" | systemd-sysusers - || fail "cannot create the accounts"
}

directories() { # mode owner group path...
    mode=$1 owner=$2 group=$3
    shift 3
    install -d -m "$mode" -o "$owner" -g "$group" "$@" || fail "cannot create directories, or set their owner and mode: $*"
}

# Files are written beside their places first, and made safe on disk together; `place`
# then renames each over what was there: a reader sees the old one or the new one, never
# half of one.
files() { # mode owner group path...
    mode=$1 owner=$2:$3
    shift 3
    for path do
        # Of a run that ended where it could not clean up.
        rm -f "$path".atoll-*
        printf '.%s\n' "$path" >>"$stage/beside"
        printf 'rm -f "%s.atoll-%s"\n' "$path" "$run" >>"$undo"
        set -- "$@" "$stage/files$path"
        shift
    done
    chown "$owner" "$@" && chmod "$mode" "$@" || fail "cannot set owner and mode of what was sent: $*"
}

beside() {
    tar -C "$stage/files" --verbatim-files-from --transform "s/\$/.atoll-$run/" -cf - -T "$stage/beside" | tar -C / -xpmf - \
        || fail "cannot write new files beside their places"
    set --
    while read -r path; do
        printf '%s\n' "${path#.}" >>"$stage/written"
        set -- "$@" "${path#.}.atoll-$run"
    done <"$stage/beside"
    : >"$stage/beside"
    sync "$@" || fail "cannot make the new files safe on disk"
}

place() {
    while read -r path; do
        if [ -e "$path" ]; then
            mkdir -p "$stage/old${path%/*}" && cp -p "$path" "$stage/old$path" || fail "cannot keep the old $path"
            printf 'mv -f "%s" "%s"\n' "$stage/old$path" "$path" >>"$undo"
        else
            printf 'rm -f "%s"\n' "$path" >>"$undo"
        fi
        mv -f "$path.atoll-$run" "$path" || fail "cannot write $path"
    done <"$stage/written"
}

access() { # path mode owner group
    stat -c 'chown %U:%G "%n" && chmod %a "%n"' "$1" >>"$undo"
    chown "$3:$4" "$1" && chmod "$2" "$1" || fail "cannot set owner and mode of $1"
}

remove() { # path
    [ -e "$1" ] || return 0
    mkdir -p "$stage/old${1%/*}" && cp -p "$1" "$stage/old$1" && rm -f "$1" || fail "cannot remove $1"
    printf 'mv -f "%s" "%s"\n' "$stage/old$1" "$1" >>"$undo"
}

digest() { # file sha256
    printf '%s  %s\n' "$2" "$1" | sha256sum -c --status \
        || fail "$1 arrived with another SHA-256 than $2: what was sent is not what artifacts.lock says"
}

artifact() { # path-in-the-artifact-folder sha256
    digest "$stage/artifacts/$1" "$2"
}

# The digest of a large program is checked here once; later runs trust its inode, size and ctime.
program() { # product version file sha256
    program=/opt/atoll/$1/$2/$3 sent=$stage/artifacts/$1/$2/$3
    tell "step installing $1 $2"
    artifact "$1/$2/$3" "$4"
    mkdir -p "${program%/*}" && chmod 0755 "$sent" && chown root:root "$sent" && mv -f "$sent" "$program" \
        || fail "cannot install $program"
    sync "$program"
    { grep -v " $program\$" "$home/programs" 2>/dev/null; stat -c "$4 %s %i %.9Z %n" "$program"; } >"$home/programs.new" \
        && mv -f "$home/programs.new" "$home/programs" || fail "cannot note the program $program"
}

link() { # product version
    old=$(readlink "/usr/local/bin/$1")
    if [ -n "$old" ]; then
        printf 'ln -sfn "%s" "/usr/local/bin/%s"\n' "$old" "$1" >>"$undo"
        printf '%s\n' "$old" >"/opt/atoll/$1/previous"
    else
        printf 'rm -f "/usr/local/bin/%s"\n' "$1" >>"$undo"
    fi
    mkdir -p /usr/local/bin && ln -s "/opt/atoll/$1/$2/$1" "/usr/local/bin/$1.atoll-new" \
        && mv -fT "/usr/local/bin/$1.atoll-new" "/usr/local/bin/$1" || fail "cannot link /usr/local/bin/$1"
}

packages() { # set version
    tell "step installing packages of $1 $2"
    dpkg --configure -a >/dev/null
    dpkg --install --force-confold "$stage/artifacts/$1/$2"/*.deb >"$stage/dpkg.log" \
        || { tail -n 15 "$stage/dpkg.log"; fail "dpkg cannot install the packages of $1 $2"; }
}

image() { # reference file sha256
    tell "step loading image $1"
    artifact "$2" "$3"
    docker load --quiet --input "$stage/artifacts/$2" || fail "docker cannot load $1"
}

# Each product judges what it would read: its present folder with the new files laid over it.
candidate() { # folder
    mkdir -p "$stage/candidate$1"
    [ ! -d "$1" ] || cp -a "$1/." "$stage/candidate$1/"
    [ ! -d "$stage/files$1" ] || cp -a "$stage/files$1/." "$stage/candidate$1/"
    for gone in $removed; do rm -f "$stage/candidate$gone"; done
}

validate_consul() { # version
    candidate /etc/consul.d
    "/opt/atoll/consul/$1/consul" validate "$stage/candidate/etc/consul.d" >"$stage/validate.log" \
        || { cat "$stage/validate.log"; fail "consul $1 refuses the new configuration; nothing was changed"; }
}

validate_nomad() { # version
    candidate /etc/nomad.d
    "/opt/atoll/nomad/$1/nomad" config validate "$stage/candidate/etc/nomad.d" >"$stage/validate.log" \
        || { cat "$stage/validate.log"; fail "nomad $1 refuses the new configuration; nothing was changed"; }
}

# Our own daemons read only their settings.
validate_settings() { # product version file
    "/opt/atoll/$1/$2/$1" --settings "$stage/files$3" check --offline >"$stage/validate.log" \
        || { cat "$stage/validate.log"; fail "$1 $2 refuses the new settings; nothing was changed"; }
}

serve() { # verb unit
    tell "step ${1}ing $2" | sed 's/stoping/stopping/'
    systemctl "$1" "$2" || { journalctl -u "$2" -n 15 --no-pager -o cat; fail "cannot $1 $2"; }
}

# A reload takes longer than all else here, and systemd itself knows which units need it.
reload_units() { # unit...
    case $(systemctl show --property NeedDaemonReload --value "$@") in
        *yes*) systemctl daemon-reload || fail "cannot reload systemd" ;;
    esac
}

enable() { # unit...
    systemctl enable --quiet --no-reload "$@" || fail "cannot enable $*"
    printf 'systemctl disable --quiet %s\n' "$*" >>"$undo"
}

# What systemd remembers of a unit that was loaded before may be older than `enable`.
enabled() { # unit...
    case $(systemctl show --property UnitFileState --value "$@") in
        *disabled*) systemctl daemon-reload || fail "cannot reload systemd" ;;
    esac
}

start() { # unit
    printf 'systemctl stop "%s"\n' "$1" >>"$undo"
    serve start "$1"
}

# What undoes a restart is a restart with the files put back, so it must come
# after them: undo runs backwards, and this is written before any file changes.
will_restart() { # unit
    printf 'systemctl daemon-reload; systemctl restart "%s"\n' "$1" >>"$undo"
}

will_reload() { # unit
    printf 'systemctl reload "%s"\n' "$1" >>"$undo"
}

confirm() {
    watch 600
    tell "waiting"
    answer=
    read -r answer
    kill "$watchdog" 2>/dev/null
    [ "$answer" = keep ] || fail "the operator's side says no (${answer:-connection lost})"
}

keep() {
    sync "$stage/manifest.json" && mv -f "$stage/manifest.json" "$home/manifest.json" || fail "cannot write $home/manifest.json"
    rm -rf "$stage"
    # The next wave of this run may be waiting for it.
    exec 9>&-
    tell "kept"
}

#!/bin/sh
# Post-install hook of minimal, compiled by 3RC from site.yaml: edit that.
#
# The installer runs it inside the new system. It lets the administrators in, fetches what all
# hosts share, asks DNS what this host is for (HINFO) and installs that middleware. It may be run
# again at any time. Log: /var/log/3rc-install.log

set -u
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
export LC_ALL=C
# Nobody is there to answer a package's questions; Debian's installer would have them passed to itself.
export DEBIAN_FRONTEND=noninteractive
unset DEBIAN_HAS_FRONTEND DEBCONF_REDIR

url='http://192.168.10.1'
domain='lab.example.org'
servers='192.168.10.1'
[ -n "$servers" ] || servers=$(sed -n 's/^nameserver[[:space:]]*//p' /etc/resolv.conf)

exec >>/var/log/3rc-install.log 2>&1
work=$(mktemp -d /root/3rc-install.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT

say() {
    echo "$(date '+%Y-%m-%d/%H:%M:%S') $*"
}

fail() {
    say "FAILED: $*"
    exit 1
}

# Print what a URL holds, or what it answers when a text is sent to it; fail where there is nothing.
fetch() {
    if command -v curl >/dev/null 2>&1; then
        curl -fsS ${2+-d "$2"} "$1"
    elif command -v wget >/dev/null 2>&1; then
        # A quiet one would not say what was answered.
        wget $([ $# -gt 1 ] || echo -q) -O - ${2+--post-data="$2"} "$1"
    else
        "$(command -v python3 || command -v python || echo /usr/libexec/platform-python)" -c '
import sys
try:
    from urllib2 import urlopen
except ImportError:
    from urllib.request import urlopen
texts = [text.encode() for text in sys.argv[2:]]
getattr(sys.stdout, "buffer", sys.stdout).write(urlopen(sys.argv[1], *texts).read())' "$@"
    fi
}

# Print this machine's own IPv4 addresses.
addresses() {
    { ip -4 addr show || ifconfig; } 2>/dev/null |
        sed -n 's/.*inet \(addr:\)\{0,1\}\([0-9][0-9.]*\).*/\2/p'
}

# Choose this host's part by its addresses from a table of `<address> <part>`.
choose() {
    part=default
    for address in $(addresses); do
        own=$(sed -n "s/^$address //p" "$1")
        [ -z "$own" ] || part=$own
    done
    echo "$part"
}

# Ask DNS for a record type and a name, with whatever tool there is; print what sed makes of the
# first server's answer that it makes anything of.
ask() {
    answer=
    for server in $servers; do
        answer=$(
            if command -v dig >/dev/null 2>&1; then
                dig +short +time=2 +tries=2 "@$server" "$2" "$1"
            elif command -v host >/dev/null 2>&1; then
                host -W 2 -t "$1" "$2" "$server"
            else
                nslookup -timeout=2 "-type=$1" "$2" "$server"
            fi 2>/dev/null | sed -n "$3" | sed 1q
        )
        [ -z "$answer" ] || break
    done
    echo "$answer"
}

# Whether a name server answers at all, be it that there is no such record.
answered() {
    for server in $servers; do
        reply=$(
            if command -v dig >/dev/null 2>&1; then
                dig +time=2 +tries=2 "@$server" SOA "$domain"
            elif command -v host >/dev/null 2>&1; then
                host -W 2 -t SOA "$domain" "$server"
            else
                nslookup -timeout=2 -type=SOA "$domain" "$server"
            fi 2>&1
        )
        case $reply in
            '' | *'no servers could'* | *'timed out'* | *'onnection refused'* | *nreachable* | *SERVFAIL* | *REFUSED*) ;;
            *) return 0 ;;
        esac
    done
    return 1
}

# Print the names that this host may have: of its addresses in DNS, then its own idea.
names() {
    for address in $(addresses); do
        case $address in 127.*) continue ;; esac
        reverse=$(echo "$address" | sed 's/\(.*\)\.\(.*\)\.\(.*\)\.\(.*\)/\4.\3.\2.\1.in-addr.arpa/')
        ask PTR "$reverse" '/arpa\.$/d; s/.*[[:space:]=]//; s/^\([A-Za-z0-9.-]*\)\.$/\1/p'
    done
    echo "$(uname -n | sed 's/\..*//').$domain"
}

# Print the operating system and the middleware that DNS has for this host, or nothing.
hinfo() {
    found=
    for name in $(names); do
        found=$(ask HINFO "$name" 's/.*"\([^"]*\)"[[:space:]]*"\([^"]*\)".*/\1 \2/p')
        [ -z "$found" ] || break
    done
    echo "$found"
}

# Put a file that all hosts share where it belongs, if the server has it and the folder is there.
share() {
    [ -d "$(dirname "$2")" ] || return 0
    if fetch "$url/files/$1" >"$work/shared" 2>/dev/null; then
        cp "$work/shared" "$2" && say "wrote $2"
    else
        say "the server has no files/$1"
    fi
}

run() {
    say "running $1"
    fetch "$1" >"$work/script" || fail "cannot fetch $1"
    chmod 700 "$work/script"
    "$work/script" </dev/null || fail "$1 ended with status $?; what follows it was not run"
}

say "post-install of $(uname -n) from $url"

(
    umask 077
    mkdir -p /root/.ssh
    cat >/root/.ssh/authorized_keys <<'KEYS'
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHe2LgXqFMwQTfRtZO8RtTK5Y5Y0C2tVxFmYy0m2Zb0H admin
KEYS
)
! command -v restorecon >/dev/null 2>&1 || restorecon -R /root/.ssh

share hosts /etc/hosts
# Collectors and the like have a gmond.conf of their own.
if fetch "$url/files/gmond.d/hosts" >"$work/table" 2>/dev/null; then
    share "gmond.d/$(choose "$work/table").conf" /etc/ganglia/gmond.conf
else
    say "the server has no files/gmond.d"
fi
share cron-updates /etc/cron.d/3rc-updates

{ command -v dig || command -v host || command -v nslookup; } >/dev/null ||
    fail "neither dig nor host nor nslookup is there to ask DNS with"
answer=$(hinfo)
[ -n "$answer" ] || {
    # Who is not answered is not told that there is nothing; and it may answer only now.
    [ -z "$servers" ] || answered || fail "no name server answers: $servers"
    answer=$(hinfo)
}
[ -n "$answer" ] || {
    say "DNS ($servers) has no HINFO for this host: no middleware is installed"
    exit 0
}
os=${answer%% *}
middleware=${answer##* }
case $middleware in
    '' | -)
        say "this host is $os without middleware"
        exit 0
        ;;
    *[!A-Za-z0-9._+-]*) fail "HINFO names no middleware: $middleware" ;;
esac
say "this host is $os with $middleware"

fetch "$url/middleware/$middleware.list" >"$work/list" || fail "no list of the scripts of $middleware"
while read -r script; do
    run "$script"
done <"$work/list"
say "done"

#!/bin/sh
# Prints which file of profiles/debian.d this host's preseed includes.

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

# Without the table the wrong disk might be written: the installer stops at a file that is not there.
if fetch http://192.168.1.10/profiles/debian.d/hosts >/tmp/3rc-hosts; then
    echo "debian.d/$(choose /tmp/3rc-hosts).cfg"
else
    echo debian.d/table-unreachable.cfg
fi

#!/bin/sh
# Install and configure gLite with YAIM, as the node type that DNS has for this machine: the
# second string of its HINFO record.
set -eu
settings=/root/site-info.def
[ -r "$settings" ] || { echo "yaim: $settings is missing" >&2; exit 1; }
type=$(host -t HINFO "$(hostname -f)" | sed -n 's/.*"\([^"]*\)"[[:space:]]*$/\1/p')
[ "$type" != lcg_CE ] || type=lcg-CE
yum -y install "${type:?no HINFO in DNS}"
/opt/glite/yaim/bin/yaim -c -s "$settings" -n "$type"

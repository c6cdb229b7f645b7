#!/bin/sh
# Makes this machine the host that it is to be, and may do so again. Vagrant runs it as root, when
# the host's own files lie in /root/3rc.tar.

set -eu
share=/usr/local/share/3rc

tar -xf /root/3rc.tar -C /
rm /root/3rc.tar
hostname -F /etc/hostname

while read -r device mac; do
    [ "$(cat "/sys/class/net/$device/address")" = "$mac" ] || {
        echo "$device is not the card $mac" >&2
        exit 1
    }
done <$share/cards
sysctl -q --system
ifup -a

while read -r service; do
    rm -f "/etc/systemd/system/$service.service"
done <$share/run
systemctl daemon-reload
systemctl restart ssh
while read -r service; do
    systemctl enable -q "$service"
    systemctl restart "$service" && systemctl -q is-active "$service" || {
        echo "$service does not run:" >&2
        journalctl -n 20 --no-pager -o cat -u "$service" >&2
        exit 1
    }
done <$share/run

#!/bin/sh
# What udhcpc runs when its lease comes, stays or goes.

case $1 in
    deconfig)
        ip link set "$interface" up
        ip -4 addr flush dev "$interface"
        ;;
    bound | renew)
        ip -4 addr replace "$ip/$mask" brd + dev "$interface"
        for gateway in $router; do
            ip -4 route replace default via "$gateway" dev "$interface"
            break
        done
        # Another card may have brought its name servers; all of them are asked.
        : >>/etc/resolv.conf
        for server in $dns; do
            grep -qx "nameserver $server" /etc/resolv.conf ||
                echo "nameserver $server" >>/etc/resolv.conf
        done
        if [ -n "$domain" ]; then
            sed -i '/^search /d' /etc/resolv.conf
            echo "search $domain" >>/etc/resolv.conf
        fi
        [ -z "$hostname" ] || hostname "${hostname%%.*}"
        [ ! -x /etc/udhcpc/bound ] || /etc/udhcpc/bound
        ;;
esac

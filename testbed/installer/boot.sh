#!/bin/sh
# The init of an installed mini's initrd: finds the root file system and hands over to it.

/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys

for module in /modules/*; do
    insmod "$module"
done

for word in $(cat /proc/cmdline); do
    case $word in root=*) root=${word#root=} ;; esac
done

# Whatever acts next is outside: a machine that came back by itself would hide that it was dead.
fail() {
    echo "3RC-BOOT failed $*"
    while :; do sleep 3600; done
}

tries=0
until device=$(findfs "$root" 2>/dev/null) && [ -b "$device" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || fail "there is no file system $root"
    sleep 0.1
done
mkdir -p /new
mount -t ext4 -o noatime,noinit_itable "$device" /new || fail "$device cannot be mounted"
[ -x /new/sbin/init ] || fail "$device has no /sbin/init"
umount /proc /sys
mount -o move /dev /new/dev
exec switch_root /new /sbin/init

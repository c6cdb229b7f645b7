#!/bin/sh
# The init of the installer's initrd: puts the image of the kernel command line on the disk that it
# names, runs the site's post-install hook in it, tells the install server and reboots.
#
# Each phase is a line `3RC-INSTALL <phase> <seconds since power-on>` on the console. What failed is
# tried a few times where the network may be to blame; then the machine says why and stays as it
# is, until somebody decides what to do.

/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
set -u -o pipefail

TRIES=5
PAUSE=5
# Seconds for an answer, and for the whole image: this wget has no limits of its own.
ANSWER=20
TRANSFER=900
WHY=/tmp/why
NEW=/mnt

# What is said is for the serial port too, also when the kernel's console is the screen.
say() {
    line="3RC-INSTALL $*"
    echo "$line" >/dev/console
    case $(cat /sys/class/tty/console/active) in
        *ttyS0*) ;;
        *) echo "$line" >/dev/ttyS0 ;;
    esac 2>/dev/null
}

phase() {
    say "$1 $(cut -d ' ' -f 1 /proc/uptime)"
}

fail() {
    say "failed $*"
    while :; do sleep 3600; done
}

# Run a command up to TRIES times; its complaint is in WHY.
persist() {
    try=1
    until "$@" 2>$WHY; do
        [ "$try" -lt "$TRIES" ] || return 1
        say "again $1: $(why)"
        sleep $PAUSE
        try=$((try + 1))
    done
}

why() {
    tail -n 1 $WHY
}

read_arguments() {
    server= image= disk= bootif= consoles=
    for word in $(cat /proc/cmdline); do
        case $word in
            threerc.install=*) server=${word#*=} ;;
            threerc.image=*) image=${word#*=} ;;
            threerc.disk=*) disk=/dev/${word#*=} ;;
            BOOTIF=*) bootif=$(echo "${word#BOOTIF=??-}" | tr 'A-Z-' 'a-z:') ;;
            console=*) consoles="$consoles $word" ;;
        esac
    done
    [ -n "$server" ] && [ -n "$image" ] && [ -n "$disk" ] ||
        fail "the kernel command line needs threerc.install=, threerc.image= and threerc.disk="
    case $disk in
        *[0-9]) partition=${disk}p1 ;;
        *) partition=${disk}1 ;;
    esac
}

# The cards to ask for an address: the one that the machine booted from, or all.
cards() {
    for card in /sys/class/net/*; do
        [ "$(cat "$card/type")" = 1 ] || continue
        [ -z "$bootif" ] || [ "$(cat "$card/address")" = "$bootif" ] || continue
        basename "$card"
    done
}

network() {
    ip link set lo up
    [ -n "$(cards)" ] || fail "there is no network card ${bootif:-at all}"
    for card in $(cards); do
        udhcpc -i "$card" -n -q -f -t 10 -T 2 -s /usr/share/lease.sh >$WHY 2>&1 && return
    done
    fail "no DHCP server answered on $(cards | tr '\n' ' ')"
}

begin() {
    timeout $ANSWER wget -q -O /tmp/token --post-data= "$server/3rc/begin" && [ -s /tmp/token ]
}

wait_for() {
    tries=0
    until [ -b "$1" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || fail "there is no $1"
        sleep 0.1
    done
}

partition() {
    # What an old system left at either end of its partitions would be found by the new one.
    printf 'label: dos\n2048,,83,*\n' |
        /usr/sbin/sfdisk -q --wipe always --wipe-partitions always "$disk" >$WHY 2>&1 ||
        fail "$disk cannot be partitioned: $(why)"
    dd if=/usr/share/mbr.bin of="$disk" bs=440 count=1 conv=notrunc 2>/dev/null
    wait_for "$partition"
}

# With its path, since busybox has an mke2fs too. extlinux reads neither 64-bit block numbers nor
# checksums of metadata. Inode tables are left for when they are used: a large disk is ready at
# once, and its image stays small.
format() {
    /usr/sbin/mke2fs -q -F -t ext4 -U "$uuid" -i 65536 -O ^64bit,^metadata_csum,uninit_bg \
        -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 "$partition" 2>$WHY ||
        fail "$partition cannot be formatted: $(why)"
    mount -t ext4 -o noatime,noinit_itable "$partition" $NEW 2>$WHY || fail "$(why)"
}

unpack() {
    timeout $TRANSFER wget -q -O - "$image" | tar -xz -C $NEW
}

# An image that came in part is not unpacked over: what is left of it would stay.
clean_unpack() {
    if [ "$(ls $NEW)" != lost+found ]; then
        umount $NEW
        format
    fi
    unpack
}

# Print the first of some paths that the new system has.
first() {
    for path; do
        if [ -e "$NEW$path" ] || [ -L "$NEW$path" ]; then
            echo "$path"
            return
        fi
    done
    fail "the image has none of $*"
}

boot_loader() {
    kernel=$(first /vmlinuz /boot/vmlinuz)
    initrd=$(first /initrd.img /boot/initrd.img)
    mkdir -p $NEW/boot/extlinux
    cat >$NEW/boot/extlinux/extlinux.conf <<CONF
default installed
prompt 0
timeout 0
label installed
  kernel $kernel
  initrd $initrd
  append root=UUID=$uuid ro net.ifnames=0 ${consoles:-console=tty0 console=ttyS0}
CONF
    /usr/bin/extlinux --install $NEW/boot/extlinux >$WHY 2>&1 || fail "extlinux: $(why)"
    echo "UUID=$uuid / ext4 noatime,noinit_itable,errors=remount-ro 0 1" >$NEW/etc/fstab
}

inside() {
    chroot $NEW env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C "$@"
}

hook() {
    timeout $ANSWER wget -q -O $NEW/run/install.sh "$server/post/install.sh"
}

post() {
    hostname >$NEW/etc/hostname
    cp /etc/resolv.conf $NEW/etc/resolv.conf
    for name in dev proc sys; do
        mount -o bind /$name $NEW/$name
    done
    mount -t tmpfs run $NEW/run
    persist hook || fail "no post-install hook: $(why)"
    inside sh /run/install.sh || {
        WHY=$NEW/var/log/3rc-install.log
        fail "the post-install hook: $(why)"
    }
    # Those of the image would be the same on all hosts; the hook may have brought the host's own.
    [ -e $NEW/etc/ssh/ssh_host_ed25519_key ] ||
        inside ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
    umount $NEW/run $NEW/sys $NEW/proc $NEW/dev
}

installed() {
    timeout $ANSWER wget -q -O /dev/null --post-data= "$server/3rc/installed/$(cat /tmp/token)"
}

mkdir -p $NEW
phase start
for module in /modules/*; do
    insmod "$module"
done
read_arguments
uuid=$(cat /proc/sys/kernel/random/uuid)
phase network
network
phase begin
persist begin || fail "the install server: $(why)"
phase partition
wait_for "$disk"
partition
phase format
format
phase unpack
persist clean_unpack || fail "$image: $(why)"
phase boot-loader
boot_loader
phase post
post
phase sync
umount $NEW || fail "$partition is still in use"
phase report
persist installed || fail "installed, but the install server does not know: $(why)"
phase installed
reboot -f

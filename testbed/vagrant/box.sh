#!/bin/sh
# Makes a disk with a Debian that boots from it. Runs as root, in a mount namespace of its own.
# Arguments: the packed image, the disk to write, a folder of files to lay over the image.

set -eu -o pipefail
image=$1 disk=$2 files=$3
# Where the first partition begins, in sectors of 512 bytes and in bytes.
FIRST=2048
OFFSET=$((FIRST * 512))
uuid=$(cat /proc/sys/kernel/random/uuid)
new=$disk.root

truncate -s 8G "$disk"
printf 'label: dos\n%d,,83,*\n' $FIRST | sfdisk -q "$disk"
# extlinux reads neither 64-bit block numbers nor checksums of metadata.
mke2fs -q -F -t ext4 -U "$uuid" -O ^64bit,^metadata_csum -E offset=$OFFSET \
    "$disk" $((8 * 1024 * 1024 - OFFSET / 1024))k
mkdir "$new"
# The loop device goes with the mount, however this ends.
mount -t ext4 -o loop,offset=$OFFSET "$disk" "$new"
tar -xzf "$image" -C "$new"
cp -a --no-preserve=ownership "$files/." "$new/"

# Services wait for the host's compiled files, which say what it is.
for service in $(cat "$new/usr/local/share/3rc/services"); do
    ln -sf /dev/null "$new/etc/systemd/system/$service.service"
done
chmod 700 "$new/root/.ssh"
chmod 600 "$new/root/.ssh/authorized_keys"

mkdir -p "$new/boot/extlinux"
cat >"$new/boot/extlinux/extlinux.conf" <<CONF
default installed
prompt 0
timeout 0
label installed
  kernel /vmlinuz
  initrd /initrd.img
  append root=UUID=$uuid ro net.ifnames=0 console=tty0 console=ttyS0
CONF
echo "UUID=$uuid / ext4 noatime,errors=remount-ro 0 1" >"$new/etc/fstab"
for name in dev proc sys; do
    mount --rbind "/$name" "$new/$name"
done
chroot "$new" extlinux --install /boot/extlinux >&2
dd if="$new/usr/lib/syslinux/mbr/mbr.bin" of="$disk" bs=440 count=1 conv=notrunc status=none
umount -R "$new/dev" "$new/proc" "$new/sys"
umount "$new"
rmdir "$new"

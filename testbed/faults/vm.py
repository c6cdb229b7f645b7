"""What can happen to a virtual machine, for real."""

from __future__ import annotations

import shlex
from functools import partial
from math import ceil
from typing import Final

from threerc.testbed.errors import TestbedError
from threerc.testbed.faults.base import VM, Fault, Hands, Options, nothing, on_each
from threerc.testbed.virsh import VIRSH

_AT_ONCE: Final = 15.0
"""Seconds: the machine may be gone before it has answered."""
_SIGNAL: Final = """\
for pid in $(pgrep -f 'qemu-system.*guest=%s[,]'); do kill -%s "$pid"; done"""
# Busy loops of the highest real-time priority, which the kernel lets starve all others: nobody
# is answered, heartbeats stay out. Nobody could end them either, so they do it themselves, when
# their time is over or the kernel's log level is 9: that needs only a key (sysrq.rst). Of what
# is in /proc/sys, `read` gets one digit and no line's end.
_OVERLOAD: Final = """\
cd /proc/sys/kernel
was=$(cut -f 1 printk); [ $was != %(end)s ] || was=7; echo $was >printk
runtime=$(cat sched_rt_runtime_us); echo -1 >sched_rt_runtime_us
keys=$(cat sysrq); echo 1 >sysrq
read now rest </proc/uptime; end=$((${now%%.*} + %(seconds)d))
for _ in $(seq $((4 * $(nproc)))); do
    chrt -f 99 sh -c '
        while read level <printk; [ "$level" != %(end)s ] &&
            read now rest </proc/uptime && [ ${now%%.*} -lt $0 ]
        do i=0; while [ $i -lt 10000 ]; do i=$((i + 1)); done; done' $end &
done
wait; echo $was >printk; echo $runtime >sched_rt_runtime_us; echo $keys >sysrq"""
_END: Final = "9"
# By its process: it is no business of one that was started since, whose boot loader takes any key.
_QEMU: Final = "pgrep -f 'qemu-system.*guest=%s[,]'"
_MARK: Final = f"{_QEMU} >/run/overloaded-%s"
_PRESS: Final = f"""\
[ -e /run/overloaded-%s ] || exit 0
[ "$(cat /run/overloaded-%s)" != "$({_QEMU})" ] ||
    {" ".join(VIRSH)} send-key %s KEY_LEFTALT KEY_SYSRQ KEY_{_END} || exit
rm /run/overloaded-%s"""
# mini has no pkill.
_GMOND: Final = """\
found=1
for process in /proc/[0-9]*; do
    [ "$(cat $process/comm 2>/dev/null)" = gmond ] && kill -%s ${process#/proc/} && found=0
done
exit $found"""
_OVERLOADS: Final = """\
for program in chrt nproc; do command -v $program >/dev/null || echo $program; done"""
_OFFLINE: Final = """\
mount -o remount,errors=panic /
for disk in /sys/block/[hsv]d?; do
    if [ -e $disk/device/state ]; then echo offline >$disk/device/state
    else echo 1 >$(readlink -f $disk/device/..)/remove; fi
done
echo >/3rc-disk-errors; sync"""
_MOVE: Final = """i=%s; from=$i%s; to=$i%s; [ ! -e "$from" ] || mv "$from" "$to" """
_CUT: Final = """\
table bridge {table} {{
    chain through {{
        type filter hook forward priority 0
        ether saddr {mac} drop
        ether daddr {mac} drop
    }}
    chain to_us {{
        type filter hook input priority 0
        ether saddr {mac} drop
    }}
    chain from_us {{
        type filter hook output priority 0
        ether daddr {mac} drop
    }}
}}
"""
_REFUSE: Final = """\
table inet {table} {{
    chain answers {{
        type filter hook input priority 0
        ip saddr {address} tcp dport 80 reject with tcp reset
    }}
}}
"""
_NO_TABLE: Final = "add table {of}\ndelete table {of}\n"
_NFT: Final = "printf %%s %s | nft -f -"
_ERASE: Final = "rm -rf /boot/* /boot/.[!.]*; sync; echo b >/proc/sysrq-trigger"
_LONG: Final = 900.0
_LONGEST: Final = 1e6


def _signal(signal: str, hands: Hands, vm: str, _options: Options) -> None:
    """Send a signal to a VM's process on the host that it is on."""
    _send(signal, hands, vm, hands.where(vm))


def _go_on(hands: Hands, vm: str, _options: Options) -> None:
    """Let its process go on, which a controller may have ended meanwhile."""
    for host in hands.copies(vm):
        _send("CONT", hands, vm, host)


def _send(signal: str, hands: Hands, vm: str, host: str) -> None:
    done = hands.run(host, "sh", "-c", _SIGNAL % (shlex.quote(vm), signal))
    if done.rc:
        raise TestbedError(f"{host}: cannot send {signal} to {vm}: {done.err.strip()}")


def _inside(command: str, hands: Hands, vm: str, _options: Options) -> None:
    """Do something inside a VM from which it will hardly answer: when ssh has hung up."""
    quiet = f"(sleep 0.3; {command}) >/dev/null 2>&1 </dev/null &"
    done = hands.guest(vm, f"sh -c {shlex.quote(quiet)}", seconds=_AT_ONCE)
    if done.rc:
        raise TestbedError(f"{vm}: {done.err.strip() or 'it did not answer'}")


def _overload(hands: Hands, vm: str, options: Options) -> None:
    seconds = float(options.get("seconds", _LONG))
    if not 0 < seconds <= _LONGEST:
        raise TestbedError(f"{vm} cannot be overloaded for {seconds:g} seconds")
    missing = hands.guest(vm, _OVERLOADS).out.strip()
    if missing:
        raise TestbedError(f"{vm} cannot be overloaded: it has no {missing}")
    host, name = hands.where(vm), shlex.quote(vm)
    if hands.run(host, "sh", "-c", _MARK % (name, name)).rc:
        raise TestbedError(f"{host}: {vm} runs no more")
    _inside(_OVERLOAD % {"seconds": ceil(seconds), "end": _END}, hands, vm, options)


def _relieve(hands: Hands, vm: str, _options: Options) -> None:
    """End its load, where it was not started anew meanwhile: it hears nothing but its keyboard."""
    on_each(hands, "physical", _PRESS % ((shlex.quote(vm),) * 5))


def _silence(hands: Hands, vm: str, _options: Options) -> None:
    """Stop its gmond where it is; all else is well."""
    done = hands.guest(vm, _GMOND % "STOP")
    if done.rc:
        raise TestbedError(f"{vm}: its gmond cannot be stopped: {done.err.strip() or 'none runs'}")


def _hear(hands: Hands, vm: str, _options: Options) -> None:
    """Let its gmond go on, where it was not started anew meanwhile."""
    if hands.copies(vm):
        hands.guest(vm, _GMOND % "CONT")  # a machine that boots has no need of it


def _cut(hands: Hands, vm: str, _options: Options) -> None:
    """Its cable is dead on whatever host it is started, but on one that was off meanwhile."""
    hands.where(vm)  # one that does not run has no cable
    rules = _CUT.format(mac=hands.mac(vm), table=_table(vm))
    on_each(hands, "physical", _NFT % shlex.quote(rules))


def _plug(hands: Hands, vm: str, _options: Options) -> None:
    on_each(hands, "physical", _NFT % shlex.quote(_NO_TABLE.format(of=f"bridge {_table(vm)}")))


def _refuse_to_install(hands: Hands, vm: str, _options: Options) -> None:
    """The install server does not answer it, so that its installer stops with an error."""
    rules = _REFUSE.format(address=hands.address(vm), table=_table(vm))
    on_each(hands, "install", _NFT % shlex.quote(rules))


def _let_install(hands: Hands, vm: str, _options: Options) -> None:
    on_each(hands, "install", _NFT % shlex.quote(_NO_TABLE.format(of=f"inet {_table(vm)}")))


def _table(vm: str) -> str:
    return f"cut_{vm.encode().hex()}"  # a hyphen would be none of nft's letters


def _fail_disk(hands: Hands, vm: str, options: Options) -> None:
    """Its disk answers with errors, at which it stops; and no host can open it again."""
    _inside(_OFFLINE, hands, vm, options)
    _move_disk(hands, vm, "", ".broken")


def _mend_disk(hands: Hands, vm: str, _options: Options) -> None:
    _move_disk(hands, vm, ".broken", "")


def _move_disk(hands: Hands, vm: str, old: str, new: str) -> None:
    image = shlex.quote(hands.image(vm))
    on_each(hands, "physical", _MOVE % (image, old, new))  # an image is on all, a volume is not


VM_FAULTS: Final = (
    Fault("poweroff", VM, partial(_signal, "KILL"), nothing),
    Fault("halt", VM, partial(_inside, "sync; halt -f"), nothing),
    Fault("panic", VM, partial(_inside, "echo c >/proc/sysrq-trigger"), nothing),
    Fault("overload", VM, _overload, _relieve, options=("seconds",), seconds=_LONG),
    Fault("freeze", VM, partial(_signal, "STOP"), _go_on),
    Fault("erase-boot", VM, partial(_inside, _ERASE), nothing, destructive=True),
    Fault("disk-errors", VM, _fail_disk, _mend_disk, lasting=True),
    Fault("network", VM, _cut, _plug, lasting=True),
    Fault("install-fails", VM, _refuse_to_install, _let_install, lasting=True),
    Fault("gmond", VM, _silence, _hear),
)

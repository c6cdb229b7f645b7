"""What can happen to a virtual machine, for real."""

from __future__ import annotations

import shlex
from functools import partial
from typing import Final

from threerc.testbed.errors import TestbedError
from threerc.testbed.faults.base import VM, Fault, Hands, Options, nothing

_VIRSH: Final = ("virsh", "-q", "-c", "qemu:///system")
_AT_ONCE: Final = 15.0
"""Seconds: the machine may be gone before it has answered."""
_SIGNAL: Final = """\
for pid in $(pgrep -f 'qemu-system.*guest=%s[,]'); do kill -%s "$pid"; done"""
# Busy loops of the highest real-time priority, which the kernel lets starve all others: nobody
# is answered, heartbeats stay out. They end by themselves.
_OVERLOAD: Final = """\
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
for _ in $(seq $((4 * $(nproc)))); do
    chrt -f 99 timeout %d sh -c 'while :; do :; done' >/dev/null 2>&1 </dev/null &
done
exit 0"""
_ERASE: Final = "rm -rf /boot/* /boot/.[!.]*; sync; echo b >/proc/sysrq-trigger"
_LONG: Final = 900


def _signal(signal: str, hands: Hands, vm: str, _options: Options) -> None:
    """Send a signal to a VM's process on the host that it is on."""
    host = hands.where(vm)
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
    seconds = int(options.get("seconds", _LONG))
    _inside(_OVERLOAD % seconds, hands, vm, options)


def _wire(state: str, hands: Hands, vm: str, _options: Options) -> None:
    """Pull, or plug in, the virtual cable of a VM."""
    host = hands.where(vm)
    listed = hands.run(host, *_VIRSH, "domiflist", vm).out.split()
    if len(listed) < 5:
        raise TestbedError(f"{host}: {vm} has no network card")
    done = hands.run(host, *_VIRSH, "domif-setlink", vm, listed[4], state)
    if done.rc:
        raise TestbedError(f"{host}: {vm}: {done.err.strip()}")


def _fail_disk(hands: Hands, vm: str, options: Options) -> None:
    """Its disk answers with errors, and no host can open it again."""
    _inside("echo offline >/sys/block/sda/device/state; sync", hands, vm, options)
    hands.run(hands.where(vm), "sh", "-c", _MOVE % (_image(hands, vm), "", ".broken"))


def _mend_disk(hands: Hands, vm: str, _options: Options) -> None:
    for host in hands.providers("physical")[:1]:
        hands.run(host, "sh", "-c", _MOVE % (_image(hands, vm), ".broken", ""))


_MOVE: Final = """i=%s; from=$i%s; to=$i%s; [ ! -e "$from" ] || mv "$from" "$to" """


def _image(hands: Hands, vm: str) -> str:
    return shlex.quote(hands.image(vm))


VM_FAULTS: Final = (
    Fault("poweroff", VM, partial(_signal, "KILL"), nothing),
    Fault("halt", VM, partial(_inside, "sync; halt -f"), nothing),
    Fault("panic", VM, partial(_inside, "echo c >/proc/sysrq-trigger"), nothing),
    Fault("overload", VM, _overload, nothing, options=("seconds",)),
    Fault("freeze", VM, partial(_signal, "STOP"), partial(_signal, "CONT")),
    Fault("erase-boot", VM, partial(_inside, _ERASE), nothing, destructive=True),
    Fault("disk-errors", VM, _fail_disk, _mend_disk),
    Fault("network", VM, partial(_wire, "down"), partial(_wire, "up")),
    Fault(
        "gmond", VM, partial(_inside, "pkill -STOP gmond"), partial(_inside, "pkill -CONT gmond")
    ),
)
